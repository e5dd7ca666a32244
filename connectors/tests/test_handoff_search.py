"""The search of the inbox: by the names of groups and connectors, in the address, and as quick among very many."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from connectors.models import Connector, Handoff
from connectors.queries import connectors as queries
from connectors.services import handoffs
from connectors.tests import factories
from connectors.tests.factories import let_in
from connectors.tests.html_forms import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]

INBOX = "/console/handoffs/"
Browser = Callable[..., Client]


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


@pytest.fixture
def canteen(developer: User, group_admin: User) -> Connector:
    """A connector that was let into two groups, beside one of another name in a third."""
    found = factories.make_connector(developer, "Canteen menus")
    for name in ("Depot Pune", "Depot Nagpur"):
        let_in(found, group_admin, target_name=name)
    let_in(factories.make_connector(developer, "Rota"), group_admin, target_name="Harbour 50%")
    return found


def found(client: Client, query: str) -> list[str]:
    """Which groups have a card."""
    text = text_of(client.get(INBOX + query))
    return [name for name in ("Depot Pune", "Depot Nagpur", "Harbour 50%") if name in text]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("pune", ["Depot Pune"]),
        ("depot", ["Depot Pune", "Depot Nagpur"]),
        ("CANTEEN", ["Depot Pune", "Depot Nagpur"]),
        ("ota", ["Harbour 50%"]),
        ("0%25", ["Harbour 50%"]),
        ("x", []),
        ("%25%25", []),
        ("%00pune", ["Depot Pune"]),
    ],
)
def test_a_part_of_the_name_of_a_group_or_a_connector_finds_its_handoffs(
    client: Client, canteen: Connector, words: str, names: list[str]
) -> None:
    assert found(client, f"?q={words}") == names


def test_the_search_is_kept_between_what_waits_and_what_ended(
    client: Client, developer: User, canteen: Connector
) -> None:
    handoffs.refuse(handoff=Handoff.objects.get(grant__target_name="Depot Pune"), by=developer)
    assert found(client, "?q=depot") == ["Depot Nagpur"]
    assert found(client, "?q=depot&show=earlier") == found(client, "?show=earlier") == ["Depot Pune"]
    page = client.get(f"{INBOX}?q=depot&show=earlier").content.decode()
    assert f'href="{INBOX}?q=depot"' in page
    assert '<input type="hidden" name="show" value="earlier">' in page
    assert 'name="q" value="depot"' in page
    assert re.search(rf'class="chip[^"]*" href="{INBOX}\?show=earlier"', page)


def test_who_owns_no_such_connector_finds_nothing(
    canteen: Connector, stranger: User, group_admin: User, browser_of: Browser
) -> None:
    for user in (stranger, group_admin):
        for words in ("depot", "canteen"):
            page = text_of(browser_of(user).get(f"{INBOX}?q={words}"))
            assert "No matches" in page
            assert "Depot" not in page


def test_handoffs_of_a_deleted_connector_are_not_found(client: Client, canteen: Connector) -> None:
    Connector.objects.filter(pk=canteen.pk).update(deleted_at=canteen.created_at)
    assert found(client, "?q=depot") == found(client, "?q=canteen") == []


def test_pages_of_a_search_go_both_ways_in_the_order_of_the_inbox(
    developer: User,
    group_admin: User,
    stranger: User,
    travel: Callable[..., Any],
) -> None:
    own = [factories.make_connector(developer, name) for name in ("Depot helper", "Rota", "Menus")]
    others = factories.make_connector(stranger, "Depot of somebody else")
    made: list[Handoff] = []
    for number in range(12):
        travel(seconds=number % 2)  # some at the same moment
        connector, depot = own[number % 3], number % 4 < 2
        handoff = let_in(connector, group_admin, target_name="A depot" if depot else "A harbour").handoff
        if depot or connector is own[0]:
            made.append(handoff)
        let_in(others, group_admin, target_name="A depot")
    newest_first = [row.pk for row in sorted(made, key=lambda row: (row.made_at, row.pk), reverse=True)]
    there, cursor = [], None
    for _page in range(len(made)):
        page = queries.get_handoff_page(developer, search="depot", cursor=cursor, size=2)
        there += [row.pk for row in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert there == newest_first
    back = [row.pk for row in page.items]
    while page.previous_cursor is not None:
        page = queries.get_handoff_page(developer, search="depot", cursor=page.previous_cursor, size=2)
        back = [row.pk for row in page.items] + back
    assert back == newest_first


def test_the_next_page_on_the_screen_keeps_the_search(
    client: Client, developer: User, canteen: Connector, group_admin: User
) -> None:
    for number in range(queries.PAGE_SIZE):
        let_in(canteen, group_admin, target_name=f"Quay {number}")
    page = client.get(f"{INBOX}?q=quay").content.decode()
    assert "cursor=" not in page
    let_in(canteen, group_admin, target_name="Quay of today")
    page = client.get(f"{INBOX}?q=quay").content.decode()
    assert f'href="{INBOX}?q=quay&amp;cursor=' in page


def test_a_search_among_more_handoffs_costs_no_more_queries(
    canteen: Connector, developer: User, group_admin: User
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as seen:
            for handoff in queries.get_handoff_page(developer, search="depot").items:
                assert handoff.connector.owner.name
                assert handoff.grant.granter_name
        return len(seen)

    few = cost()
    for number in range(6):
        let_in(canteen, group_admin, target_name=f"Depot {number}")
    assert cost() == few <= 7


def test_a_forged_page_mark_leads_to_the_first_page_of_the_search(client: Client) -> None:
    assert client.get(f"{INBOX}?q=depot&cursor=forged")["Location"] == f"{INBOX}?q=depot"
