"""The list of connectors: own ones first of all, or everybody's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from connectors.models import Connector
from connectors.queries import connectors as queries
from connectors.services import connectors
from connectors.tests import factories
from connectors.tests.html_forms import Page, text_of
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db

URL = "/console/connectors/"
Browser = Callable[..., Client]


def names_on(page: Page) -> list[str]:
    return re.findall(r'<th scope="row"[^>]*>(?:<(?!a )[^>]*>|[^<])*<a [^>]*>([^<]+)</a>', page.content.decode())


@pytest.fixture
def cast_of_connectors(developer: User, stranger: User, outsider: User) -> dict[str, Connector]:
    return {
        "mine": factories.make_connector(developer, "Alpha"),
        "also mine": factories.make_connector(developer, "Zulu"),
        "a colleague's": factories.make_connector(stranger, "Mike"),
        "another organisation's": factories.make_connector(outsider, "Foreign"),
    }


def test_signed_out_one_signs_in_first() -> None:
    assert Client().get(URL)["Location"].startswith("/accounts/login/?next=%2Fconsole%2Fconnectors%2F")


def test_ones_own_connectors_are_listed_first_of_all(
    cast_of_connectors: dict[str, Connector], developer: User, browser_of: Browser
) -> None:
    assert names_on(browser_of(developer).get(URL)) == ["Alpha", "Zulu"]


def test_all_connectors_are_those_of_the_organisation(
    cast_of_connectors: dict[str, Connector], member: User, outsider: User, browser_of: Browser
) -> None:
    assert names_on(browser_of(member).get(URL, {"show": "all"})) == ["Alpha", "Mike", "Zulu"]
    assert names_on(browser_of(outsider).get(URL, {"show": "all"})) == ["Foreign"]


def test_an_organisation_admin_without_one_sees_all_until_they_have_their_own(
    cast_of_connectors: dict[str, Connector], organisation_admin: User, browser_of: Browser
) -> None:
    browser = browser_of(organisation_admin)
    page = browser.get(URL)
    assert names_on(page) == names_on(browser.get(URL, {"show": "all"})) != []
    assert "No connectors yet" in text_of(browser.get(URL, {"show": "mine"}))
    cast_of_connectors["a colleague's"].co_owners.add(organisation_admin)
    assert names_on(browser.get(URL)) == ["Mike"]


@pytest.mark.parametrize("wanted", ["alp", "ALPHA", "id"])
def test_search_finds_a_part_of_the_name_or_a_whole_id(
    cast_of_connectors: dict[str, Connector], developer: User, browser_of: Browser, wanted: str
) -> None:
    q = str(cast_of_connectors["mine"].pk) if wanted == "id" else wanted
    assert names_on(browser_of(developer).get(URL, {"q": q})) == ["Alpha"]


def test_the_list_sorts_by_what_is_asked_for(developer: User, group_admin: User, browser_of: Browser) -> None:
    idle = factories.make_connector(developer, "Idle", created_at=clock.now())
    used = factories.make_program(factories.make_connector(developer, "Used"), group_admin)
    factories.used(used.grant)
    client = browser_of(developer)
    assert names_on(client.get(URL)) == ["Idle", "Used"]
    assert names_on(client.get(URL, {"sort": "newest"})) == ["Used", "Idle"]
    assert names_on(client.get(URL, {"sort": "oldest"})) == ["Idle", "Used"]
    assert names_on(client.get(URL, {"sort": "used"})) == ["Used", "Idle"]
    assert names_on(client.get(URL, {"sort": "ends"})) == ["Used", "Idle"]
    assert idle.pk


def test_last_use_and_end_are_told_to_owners_alone(
    developer: User, member: User, group_admin: User, browser_of: Browser
) -> None:
    program = factories.make_program(factories.make_connector(developer, "Alpha"), group_admin)
    factories.used(program.grant)
    own = browser_of(developer).get(URL)
    others = browser_of(member).get(URL, {"show": "all"})
    assert "Ends" in text_of(own)
    assert "owners only" not in text_of(own)
    assert "Ends" not in text_of(others)
    assert text_of(others).count("owners only") == 2
    assert re.search(r'class="num"[^>]*>1</td>', others.content.decode())


def test_pages_go_on_by_key_in_both_directions(developer: User, browser_of: Browser) -> None:
    for n in range(queries.PAGE_SIZE + 3):
        factories.make_connector(developer, f"Bot {n:03}")
    client = browser_of(developer)
    first = client.get(URL)
    assert len(names_on(first)) == queries.PAGE_SIZE
    older = re.search(r'rel="next" href="([^"]+)"', first.content.decode())
    assert older is not None
    second = client.get(older.group(1))
    assert names_on(second) == [f"Bot {n:03}" for n in range(queries.PAGE_SIZE, queries.PAGE_SIZE + 3)]
    newer = re.search(r'rel="prev" href="([^"]+)"', second.content.decode())
    assert newer is not None
    assert names_on(client.get(newer.group(1))) == names_on(first)


def test_a_forged_page_mark_leads_to_the_first_page(
    cast_of_connectors: dict[str, Connector], developer: User, browser_of: Browser
) -> None:
    answer = browser_of(developer).get(URL, {"cursor": "forged", "q": "a"})
    assert answer["Location"] == "/console/connectors/?q=a"


@pytest.mark.parametrize("query", ["", "?show=all", "?sort=ends"])
def test_a_longer_list_costs_no_more_queries(
    developer: User,
    group_admin: User,
    browser_of: Browser,
    django_assert_max_num_queries: Any,
    query: str,
) -> None:
    client = browser_of(developer)
    factories.make_program(factories.make_connector(developer), group_admin)

    def cost() -> int:
        with django_assert_max_num_queries(30) as seen:
            client.get(URL + query)
        return len(seen.captured_queries)

    few = cost()
    for _ in range(8):
        factories.make_program(factories.make_connector(developer), group_admin)
    assert cost() == few
    assert few <= 10


def test_a_co_owner_finds_it_among_their_own(
    cast_of_connectors: dict[str, Connector], member: User, browser_of: Browser
) -> None:
    cast_of_connectors["a colleague's"].co_owners.add(member)
    assert names_on(browser_of(member).get(URL)) == ["Mike"]


def test_a_deleted_connector_is_not_listed(
    cast_of_connectors: dict[str, Connector], developer: User, browser_of: Browser
) -> None:
    connectors.delete(connector=cast_of_connectors["mine"], by=developer)
    assert names_on(browser_of(developer).get(URL)) == ["Zulu"]


def test_the_state_narrows_the_list_and_stands_in_a_chip_that_removes_it(
    cast_of_connectors: dict[str, Connector], developer: User, browser_of: Browser
) -> None:
    connectors.suspend(connector=cast_of_connectors["mine"], by=developer)
    page = browser_of(developer).get(URL, {"state": "suspended", "q": "a"})
    assert names_on(page) == ["Alpha"]
    assert "State: Suspended" in text_of(page)
    assert 'href="/console/connectors/?q=a"' in page.content.decode()


@pytest.mark.parametrize(
    "query", [{"state": "deleted"}, {"sort": "secret"}, {"show": "every"}, {"sort": "used", "show": "all"}]
)
def test_what_cannot_be_understood_is_left_out(
    cast_of_connectors: dict[str, Connector], developer: User, browser_of: Browser, query: dict[str, str]
) -> None:
    assert names_on(browser_of(developer).get(URL, query))[0] == "Alpha"
