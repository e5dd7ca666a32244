"""A developer who looks at a request sees the answer without loading the page again, and where to go on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import User
from connectors.models import AccessRequest, Handoff
from connectors.services import access_requests, handoffs
from connectors.tests.html_forms import text_of
from connectors.tests.test_live_pages import WHO_ASKS, following, poll
from groups.access import get_target
from groups.models import Group
from groups.services import access_requests as answering
from groups.tests.factories import make_connector

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.fixture
def asked(developer: User, group: Group) -> AccessRequest:
    connector = make_connector(developer, name="Rota")
    return access_requests.ask(
        connector=connector,
        by=developer,
        permissions=connector.permissions,
        once=access_requests.new_once(),
        target=get_target(group),
    )


@pytest.fixture
def url(asked: AccessRequest) -> str:
    return reverse("connectors:request", args=[asked.connector_id, asked.pk])


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


def approve(asked: AccessRequest, group: Group, by: User) -> None:
    permissions = asked.permissions
    answering.approve(request=asked, group=group, by=by, permissions=permissions, ends_at=None, as_shown=permissions)


def test_while_nobody_answers_a_poll_is_answered_304_and_costs_little(client: Client, url: str) -> None:
    address = following(client.get(url))
    with CaptureQueriesContext(connection) as seen:
        answer = poll(client, address)
    assert (answer.status_code, answer.content) == (304, b"")
    assert len(seen) == WHO_ASKS + 2  # whose connector it is, and what became of the request


def test_the_answer_appears_leads_to_the_token_and_then_asks_no_more(
    client: Client, url: str, asked: AccessRequest, group: Group, group_admin: User, developer: User
) -> None:
    address = following(client.get(url))
    approve(asked, group, group_admin)
    page = poll(client, address)
    handoff = Handoff.objects.get()
    assert "Arjun Mehta approved this request on" in text_of(page)
    assert f'href="{reverse("connectors:handoff", args=[handoff.pk])}"' in page.content.decode()
    assert following(page)[0] == ""
    handoffs.refuse(handoff=handoff, by=developer)
    assert "Claim its refresh token" not in text_of(client.get(url))


@pytest.mark.parametrize("end", ["refuse", "withdraw"])
def test_every_other_end_appears_too_and_offers_to_ask_again(
    client: Client, url: str, asked: AccessRequest, group: Group, group_admin: User, developer: User, end: str
) -> None:
    address = following(client.get(url))
    if end == "refuse":
        answering.refuse(request=asked, group=group, by=group_admin)
    else:
        access_requests.withdraw(request=asked, by=developer)
    page = poll(client, address)
    assert "Request again" in text_of(page)
    assert "Claim its refresh token" not in text_of(page)
    assert following(page)[0] == ""


def test_the_etag_of_one_reader_is_nothing_to_another(
    client: Client, url: str, asked: AccessRequest, stranger: User, browser_of: Browser
) -> None:
    assert poll(browser_of(stranger), following(client.get(url))).status_code == 404


def test_the_inbox_shows_that_a_request_has_come_and_that_one_was_answered(
    asked: AccessRequest,
    group: Group,
    group_admin: User,
    organisation_admin: User,
    developer: User,
    browser_of: Browser,
) -> None:
    inbox = reverse("groups:requests")
    admin, boss = browser_of(group_admin), browser_of(organisation_admin)
    seen = [(client, following(client.get(inbox))) for client in (admin, boss)]
    assert [poll(client, address).status_code for client, address in seen] == [304, 304]
    another = make_connector(developer, name="Canteen")
    later = access_requests.ask(
        connector=another,
        by=developer,
        permissions=another.permissions,
        once=access_requests.new_once(),
        target=get_target(group),
    )
    for client, address in seen:
        told = poll(client, address)
        assert told.status_code == 200
        assert reverse("groups:request", args=[later.pk]) in told.content.decode()
    seen = [(client, following(client.get(inbox))) for client in (admin, boss)]
    answering.refuse(request=later, group=group, by=group_admin)
    for client, address in seen:
        assert reverse("groups:request", args=[later.pk]) not in poll(client, address).content.decode()


def test_another_persons_inbox_is_nobodys_news(
    asked: AccessRequest, group_admin: User, stranger: User, browser_of: Browser
) -> None:
    inbox = reverse("groups:requests")
    theirs = following(browser_of(group_admin).get(inbox))
    told = text_of(poll(browser_of(stranger), theirs))
    assert "Rota" not in told


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
