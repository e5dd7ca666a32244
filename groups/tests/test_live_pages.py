"""What an admin's open pages notice: a handoff that moves on, a request that comes or is answered, at which cost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEvent, Organisation, User
from connectors.models import AccessRequest, Connector
from connectors.permissions import Permission
from connectors.services import access_requests as asking
from connectors.services import handoffs
from connectors.tests.html_forms import text_of
from connectors.tests.test_live_pages import WHO_ASKS, first_exchange, following, poll
from groups.access import get_target
from groups.models import Group
from groups.services import access_requests, connectors
from groups.tests import factories
from groups.tests.factories import Program

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]
# The pages of groups also read whether a phone number is verified.
WHO_MAY = WHO_ASKS + 1


def ask(connector: Connector, developer: User, group: Group) -> AccessRequest:
    return asking.ask(
        connector=connector, by=developer, permissions=[Permission.TEXT_MESSAGE],
        once=asking.new_once(), target=get_target(group),
    )  # fmt: skip


@pytest.fixture
def program(connector: Connector, group: Group, group_admin: User) -> Program:
    """With the handoff of its token."""
    return factories.let_in(connector, group, group_admin)


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


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


def test_the_connectors_tab_shows_that_a_request_has_come_and_that_it_was_answered(
    client: Client, tab: str, connector: Connector, developer: User, group: Group, group_admin: User
) -> None:
    address = following(client.get(tab))
    before = AuditEvent.objects.count()
    assert poll(client, address).status_code == 304
    assert AuditEvent.objects.count() == before
    asked = ask(connector, developer, group)
    link = reverse("groups:request", args=[asked.pk])
    answer = poll(client, address)
    assert link in answer.content.decode().partition('id="asked-now"')[2]
    access_requests.refuse(request=asked, group=group, by=group_admin)
    assert link not in poll(client, following(answer)).content.decode()


def test_a_member_who_sees_the_tab_does_not_ask(browser_of: Browser, member: User, tab: str, program: Program) -> None:
    assert following(browser_of(member).get(tab))[0] == ""


def test_home_shows_that_a_request_has_come_to_who_runs_the_group_and_to_nobody_else(
    client: Client, group: Group, connector: Connector, developer: User, member: User, browser_of: Browser,
    organisation: Organisation,
) -> None:  # fmt: skip
    home = reverse("home")
    of_member = browser_of(member)
    seen, seen_by_member = following(client.get(home)), following(of_member.get(home))
    ask(connector, developer, factories.make_group(organisation=organisation, admins=[developer]))
    assert poll(client, seen).status_code == 304
    asked = ask(connector, developer, group)
    answer = poll(client, seen)
    assert answer.status_code == 200
    assert str(asked.connector.name) in text_of(answer)
    assert poll(of_member, seen_by_member).status_code == 304
