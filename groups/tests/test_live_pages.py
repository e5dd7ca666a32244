"""What open pages notice by themselves: a handoff that moves on, a request that comes or is answered, at which cost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import AuditEvent, Organisation, User
from connectors.models import AccessRequest, Connector, Handoff
from connectors.services import access_requests as asking
from connectors.services import handoffs
from connectors.tests.html_forms import text_of
from connectors.tests.test_live_pages import WHO_ASKS, first_exchange, following, poll
from groups.models import Group
from groups.services import access_requests, connectors
from groups.tests import factories
from groups.tests.conftest import Browser
from groups.tests.factories import Program, ask_for_access

pytestmark = pytest.mark.django_db
# The pages of groups also read whether a phone number is verified.
WHO_MAY = WHO_ASKS + 1


@pytest.fixture
def program(connector: Connector, group: Group, group_admin: User) -> Program:
    """With the handoff of its token."""
    return factories.let_in(connector, group, group_admin)


@pytest.fixture
def tab(group: Group) -> str:
    return reverse("groups:connectors", args=[group.pk])


def test_the_line_on_the_groups_side_moves_on_when_the_developer_claims_and_when_it_works(
    client: Client, connector: Connector, group: Group, group_admin: User, developer: User
) -> None:
    granted = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin)
    url = reverse("groups:grant", args=[group.pk, granted.grant.pk])
    address = following(client.get(url))
    with CaptureQueriesContext(connection) as asked:
        assert poll(client, address).status_code == 304
    assert len(asked) <= WHO_MAY + 1, [query["sql"][:120] for query in asked]
    handoffs.claim(handoff=granted.handoff, by=developer, idempotency_key="k" * 32, address=None)
    claimed = poll(client, address)
    assert 'data-says="Claimed: Devika Rao"' in claimed.content.decode()
    address = following(claimed)
    first_exchange(granted.handoff)
    works = poll(client, address)
    assert "from 192.0.2.7" in text_of(works)
    assert following(works)[0] == ""


def test_what_an_admin_has_seen_tells_others_nothing(
    client: Client, program: Program, group: Group, tab: str, member: User, stranger: User, browser_of: Browser
) -> None:
    tab_seen, grant_seen = (
        following(client.get(url)) for url in (tab, reverse("groups:grant", args=[group.pk, program.grant.pk]))
    )
    assert poll(browser_of(member), grant_seen).status_code == 403
    as_member = poll(browser_of(member), tab_seen)  # what members see of the tab, which does not ask
    assert following(as_member)[0] == ""
    assert reverse("groups:grant", args=[group.pk, program.grant.pk]) not in as_member.content.decode()
    for seen in (tab_seen, grant_seen, (tab, {"If-None-Match": "*"})):
        assert poll(browser_of(stranger), seen).status_code == 404


@pytest.mark.parametrize("page", ["connectors", "requests"])
def test_the_tab_and_the_inbox_show_that_a_request_has_come_and_that_it_was_answered(
    client: Client, connector: Connector, group: Group, group_admin: User, organisation_admin: User, stranger: User,
    browser_of: Browser, page: str
) -> None:  # fmt: skip
    url = reverse(f"groups:{page}", args=[group.pk] if page == "connectors" else [])
    before = AuditEvent.objects.count()
    readers = (client, browser_of(organisation_admin))
    seen = [following(reader.get(url)) for reader in readers]
    assert [poll(reader, address).status_code for reader, address in zip(readers, seen, strict=True)] == [304, 304]
    assert AuditEvent.objects.count() == before
    asked = ask_for_access(connector, group)
    link = reverse("groups:request", args=[asked.pk])
    told = [poll(reader, address) for reader, address in zip(readers, seen, strict=True)]
    assert [link in answer.content.decode() for answer in told] == [True, True]
    assert link not in poll(browser_of(stranger), following(told[0])).content.decode()
    access_requests.refuse(request=asked, group=group, by=group_admin)
    for reader, answer in zip(readers, told, strict=True):
        assert link not in poll(reader, following(answer)).content.decode()


def test_home_shows_that_a_request_has_come_to_who_runs_the_group_and_to_nobody_else(
    client: Client, group: Group, connector: Connector, developer: User, member: User, browser_of: Browser,
    organisation: Organisation
) -> None:  # fmt: skip
    home = reverse("home")
    of_member = browser_of(member)
    seen, seen_by_member = following(client.get(home)), following(of_member.get(home))
    ask_for_access(connector, factories.make_group(organisation=organisation, admins=[developer]))
    assert poll(client, seen).status_code == 304
    asked = ask_for_access(connector, group)
    answer = poll(client, seen)
    assert answer.status_code == 200
    assert str(asked.connector.name) in text_of(answer)
    assert poll(of_member, seen_by_member).status_code == 304


@pytest.fixture
def url(asked: AccessRequest) -> str:
    return reverse("connectors:request", args=[asked.connector_id, asked.pk])


@pytest.fixture
def developers(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


@pytest.fixture
def asked(connector: Connector, group: Group) -> AccessRequest:
    return ask_for_access(connector, group)


def approve(asked: AccessRequest, group: Group, by: User) -> None:
    permissions = asked.permissions
    access_requests.approve(
        request=asked, group=group, by=by, permissions=permissions, ends_at=None, as_shown=permissions
    )


@pytest.mark.parametrize("end", ["approve", "refuse", "withdraw"])
def test_the_developers_page_asks_until_the_answer_is_there_and_leads_on(
    developers: Client, url: str, asked: AccessRequest, group: Group, group_admin: User, developer: User, end: str
) -> None:
    address = following(developers.get(url))
    with CaptureQueriesContext(connection) as seen:
        waiting = poll(developers, address)
    assert (waiting.status_code, waiting.content) == (304, b"")
    assert len(seen) == WHO_ASKS + 2  # whose connector it is, and what became of the request
    if end == "approve":
        approve(asked, group, group_admin)
    elif end == "refuse":
        access_requests.refuse(request=asked, group=group, by=group_admin)
    else:
        asking.withdraw(request=asked, by=developer)
    page = poll(developers, address)
    assert following(page)[0] == ""
    tokens = [reverse("connectors:handoff", args=[handoff.pk]) for handoff in Handoff.objects.all()]
    assert [f'href="{token}"' in page.content.decode() for token in tokens] == [True] * (end == "approve")
    assert ("Request again" in text_of(page)) == (end != "approve")


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
@pytest.mark.capability
def test_an_open_page_shows_the_answer(
    open_page: Callable[..., Page], url: str, asked: AccessRequest, group: Group, group_admin: User, developer: User
) -> None:
    page = open_page(user=developer, width=360)
    page.goto(url)
    expect(page.get_by_role("heading", name="Send this link")).to_be_visible()
    approve(asked, group, group_admin)
    expect(page.get_by_role("link", name="Claim its refresh token")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("heading", name="Send this link")).to_be_hidden()
