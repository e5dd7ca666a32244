"""The list of a connector's requests: by state, and by the names of groups and people. What is asked for is kept."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from connectors.models import AccessRequest, Connector
from connectors.queries import access_requests, connectors
from connectors.services import access_requests as requests
from connectors.services.access_requests import new_once
from connectors.tests import factories
from connectors.tests.factories import COMMON, let_in
from connectors.tests.html_forms import text_of
from kaizala_console.lib import clock, ids

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]

Browser = Callable[..., Client]


def ask(connector: Connector, **fields: Any) -> AccessRequest:
    """A request; `fields` are written as an answer writes them."""
    asked = requests.ask(connector=connector, by=connector.owner, once=new_once(), permissions=COMMON, reason="Why")
    AccessRequest.objects.filter(pk=asked.pk).update(**fields)
    return asked


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


@pytest.fixture
def url(connector: Connector) -> str:
    return reverse("connectors:requests", args=[connector.pk])


@pytest.fixture
def asked(connector: Connector, group_admin: User, organisation_admin: User) -> dict[str, AccessRequest]:
    """A request in each state; those that were answered name their group."""
    now, grant = clock.now(), let_in(connector, group_admin).grant
    yesterday = now - dt.timedelta(days=1)
    return {
        "waiting": ask(connector, target=f"group:{ids.new_id()}"),
        "approved": ask(
            connector, approved_at=now, grant=grant, decided_by=group_admin, target_name="Depot Pune", given=COMMON
        ),
        "refused": ask(connector, refused_at=now, decided_by=organisation_admin, target_name="Harbour 50%"),
        "withdrawn": ask(connector, withdrawn_at=now),
        "expired": ask(connector, expired_at=now),
        "overdue": ask(connector, made_at=yesterday - dt.timedelta(days=7), expires_at=yesterday),
    }


def shown(client: Client, address: str, asked: dict[str, AccessRequest]) -> set[str]:
    """Which of these the page lists."""
    page = client.get(address).content.decode()
    return {state for state, one in asked.items() if f'requests/{one.pk}/"' in page}


@pytest.mark.parametrize(
    ("query", "states"),
    [
        ("", {"waiting"}),
        ("?show=earlier", {"approved", "refused", "withdrawn", "expired", "overdue"}),
        ("?show=approved", {"approved"}),
        ("?show=refused", {"refused"}),
        ("?show=withdrawn", {"withdrawn"}),
        ("?show=expired", {"expired", "overdue"}),
        ("?show=all", {"waiting", "approved", "refused", "withdrawn", "expired", "overdue"}),
        ("?show=nonsense", {"waiting"}),
        ("?show=all&q=PUNE", {"approved"}),
        ("?show=earlier&q=0%25", {"refused"}),
        ("?show=all&q=%25%25", set()),
        ("?show=refused&q=pune", set()),
        ("?q=pune", set()),
        ("?show=all&q=x%00y", set()),
    ],
)
def test_the_list_shows_a_state_and_what_has_this_in_its_name(
    client: Client, url: str, asked: dict[str, AccessRequest], query: str, states: set[str]
) -> None:
    assert shown(client, url + query, asked) == states


def test_requests_are_found_by_who_asked_and_by_who_answered(
    client: Client, url: str, asked: dict[str, AccessRequest], developer: User, group_admin: User
) -> None:
    assert shown(client, f"{url}?show=all&q={developer.name.upper()}", asked) == set(asked)
    assert shown(client, f"{url}?show=all&q={group_admin.name}", asked) == {"approved"}


def test_a_group_that_has_not_answered_is_found_by_its_whole_id_alone(
    client: Client, url: str, asked: dict[str, AccessRequest]
) -> None:
    asked["waiting"].refresh_from_db()
    key = asked["waiting"].target.removeprefix("group:")
    assert shown(client, f"{url}?q={key.upper()}", asked) == {"waiting"}
    assert shown(client, f"{url}?q={key[:8]}", asked) == set()


def test_what_is_asked_for_is_kept_and_can_be_taken_away(
    client: Client, url: str, asked: dict[str, AccessRequest]
) -> None:
    page = client.get(f"{url}?show=refused&q=harbour").content.decode()
    assert '<option value="refused" selected>' in page
    assert 'name="q" value="harbour"' in page
    assert re.search(rf'class="chip[^"]*" href="{url}\?show=refused"', page)
    assert re.search(rf'class="chip[^"]*" href="{url}\?q=harbour"', page)


def test_a_request_that_waits_is_not_said_to_be_given_nothing(
    client: Client, url: str, asked: dict[str, AccessRequest]
) -> None:
    AccessRequest.objects.exclude(pk=asked["waiting"].pk).delete()
    text = text_of(client.get(f"{url}?show=all"))
    assert "not yet" in text
    assert "no one" not in text


def test_the_search_finds_nothing_of_another_connector(
    client: Client, url: str, developer: User, group_admin: User
) -> None:
    other = factories.make_connector(developer, "Other")
    found = {"other": ask(other, refused_at=clock.now(), decided_by=group_admin, target_name="Depot Pune")}
    assert shown(client, f"{url}?show=all&q=depot", found) == set()


def test_a_stranger_searches_nobodys_requests(
    stranger: User, browser_of: Browser, url: str, asked: dict[str, AccessRequest]
) -> None:
    assert browser_of(stranger).get(f"{url}?show=all&q=depot").status_code == 404


def test_pages_of_a_search_go_on_with_it_and_cost_the_same(
    connector: Connector, developer: User, group_admin: User, client: Client, url: str
) -> None:
    def refuse(number: int) -> AccessRequest:
        return ask(connector, refused_at=clock.now(), decided_by=group_admin, target_name=f"Depot {number}")

    def cost() -> int:
        with CaptureQueriesContext(connection) as seen:
            client.get(f"{url}?show=refused&q=depot")
        return len(seen)

    made = [refuse(number).pk for number in range(3)]
    client.get(url)
    few = cost()
    made += [refuse(number).pk for number in range(2)]
    assert cost() == few
    there, cursor = [], None
    for _page in range(3):
        page = access_requests.get_request_page(connector, show="refused", search="depot", cursor=cursor, size=2)
        there += [row.pk for row in page.items]
        cursor = page.next_cursor
    assert sorted(there) == sorted(made)
    assert cursor is None
    made += [refuse(number).pk for number in range(connectors.PAGE_SIZE)]
    assert (
        f'href="{url}?show=refused&amp;q=depot&amp;cursor='
        in client.get(f"{url}?show=refused&q=depot").content.decode()
    )


def test_a_forged_page_mark_leads_to_the_first_page_of_the_search(client: Client, url: str) -> None:
    assert client.get(f"{url}?q=depot&show=all&cursor=forged")["Location"] == f"{url}?q=depot&show=all"
