"""The list of connectors, and one connector: its overview for its organisation, and the pages of its owners."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, User
from connectors.models import Connector
from connectors.queries import connectors as queries
from connectors.services import connectors, grants, handoffs
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import HtmlForm, Page, form_to, text_of
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
LIST = "/console/connectors/"
Cast = dict[str, Connector]
Browser = Callable[..., Client]


def names_on(page: Page) -> list[str]:
    return re.findall(r'<th scope="row"[^>]*>(?:<(?!a )[^>]*>|[^<])*<a [^>]*>([^<]+)</a>', page.content.decode())


@pytest.fixture
def cast(developer: User, stranger: User, outsider: User) -> Cast:
    return {
        "mine": factories.make_connector(developer, "Alpha"),
        "also mine": factories.make_connector(developer, "Zulu"),
        "a colleague's": factories.make_connector(stranger, "Mike"),
        "another organisation's": factories.make_connector(outsider, "Foreign"),
    }


def test_ones_own_connectors_are_listed_first_of_all(
    cast: Cast, developer: User, member: User, browser_of: Browser
) -> None:
    assert names_on(browser_of(developer).get(LIST)) == ["Alpha", "Zulu"]
    connectors.delete(connector=cast["mine"], by=developer)
    assert names_on(browser_of(developer).get(LIST)) == ["Zulu"]
    cast["a colleague's"].co_owners.add(member)
    assert names_on(browser_of(member).get(LIST)) == ["Mike"]


def test_all_are_those_of_the_organisation(cast: Cast, member: User, outsider: User, browser_of: Browser) -> None:
    assert names_on(browser_of(member).get(LIST, {"show": "all"})) == ["Alpha", "Mike", "Zulu"]
    assert names_on(browser_of(outsider).get(LIST, {"show": "all"})) == ["Foreign"]


def test_an_organisation_admin_without_one_sees_all_until_they_have_their_own(
    cast: Cast, organisation_admin: User, browser_of: Browser
) -> None:
    browser = browser_of(organisation_admin)
    page = browser.get(LIST)
    assert names_on(page) == names_on(browser.get(LIST, {"show": "all"})) != []
    assert "No connectors yet" in text_of(browser.get(LIST, {"show": "mine"}))
    cast["a colleague's"].co_owners.add(organisation_admin)
    assert names_on(browser.get(LIST)) == ["Mike"]


@pytest.mark.parametrize("wanted", ["alp", "ALPHA", "id"])
def test_search_finds_a_part_of_the_name_or_an_id(
    cast: Cast, developer: User, browser_of: Browser, wanted: str
) -> None:
    q = str(cast["mine"].pk) if wanted == "id" else wanted
    assert names_on(browser_of(developer).get(LIST, {"q": q})) == ["Alpha"]


def test_the_list_sorts_by_what_is_asked_for(developer: User, group_admin: User, browser_of: Browser) -> None:
    factories.make_connector(developer, "Idle", created_at=clock.now())
    used = factories.make_program(factories.make_connector(developer, "Used"), group_admin)
    factories.used(used.grant)
    client = browser_of(developer)
    for sort in ("", "oldest"):
        assert names_on(client.get(LIST, {"sort": sort})) == ["Idle", "Used"]
    for sort in ("newest", "used", "ends"):
        assert names_on(client.get(LIST, {"sort": sort})) == ["Used", "Idle"]


def test_last_use_and_end_are_for_owners(developer: User, member: User, group_admin: User, browser_of: Browser) -> None:
    program = factories.make_program(factories.make_connector(developer, "Alpha"), group_admin)
    factories.used(program.grant)
    own = browser_of(developer).get(LIST)
    others = browser_of(member).get(LIST, {"show": "all"})
    assert "Ends" in text_of(own)
    assert "owners only" not in text_of(own)
    assert "Ends" not in text_of(others)
    assert text_of(others).count("owners only") == 2
    assert re.search(r'class="num"[^>]*>1</td>', others.content.decode())


def test_pages_go_on_by_key_in_both_directions(developer: User, browser_of: Browser) -> None:
    for n in range(queries.PAGE_SIZE + 3):
        factories.make_connector(developer, f"Bot {n:03}")
    client = browser_of(developer)
    first = client.get(LIST)
    assert len(names_on(first)) == queries.PAGE_SIZE
    older = re.search(r'rel="next" href="([^"]+)"', first.content.decode())
    assert older is not None
    second = client.get(older.group(1))
    assert names_on(second) == [f"Bot {n:03}" for n in range(queries.PAGE_SIZE, queries.PAGE_SIZE + 3)]
    newer = re.search(r'rel="prev" href="([^"]+)"', second.content.decode())
    assert newer is not None
    assert names_on(client.get(newer.group(1))) == names_on(first)


def test_a_forged_page_mark_leads_to_the_first_page(cast: Cast, developer: User, browser_of: Browser) -> None:
    answer = browser_of(developer).get(LIST, {"cursor": "forged", "q": "a"})
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
            client.get(LIST + query)
        return len(seen.captured_queries)

    few = cost()
    for _ in range(8):
        factories.make_program(factories.make_connector(developer), group_admin)
    assert cost() == few
    assert few <= 10


def test_the_state_narrows_the_list(cast: Cast, developer: User, browser_of: Browser) -> None:
    connectors.suspend(connector=cast["mine"], by=developer)
    page = browser_of(developer).get(LIST, {"state": "suspended", "q": "a"})
    assert names_on(page) == ["Alpha"]
    assert "State: Suspended" in text_of(page)
    assert 'href="/console/connectors/?q=a"' in page.content.decode()


@pytest.mark.parametrize(
    "query", [{"state": "deleted"}, {"sort": "secret"}, {"show": "every"}, {"sort": "used", "show": "all"}]
)
def test_what_cannot_be_understood_is_left_out(
    cast: Cast, developer: User, browser_of: Browser, query: dict[str, str]
) -> None:
    assert names_on(browser_of(developer).get(LIST, query))[0] == "Alpha"


def url(connector: Connector, tab: str = "") -> str:
    return f"/console/connectors/{connector.pk}/{tab}"


def test_a_colleague_sees_nothing_of_its_credentials(program: Program, member: User, browser_of: Browser) -> None:
    text = text_of(browser_of(member).get(url(program.connector)))
    for told in ("Post messages", "Send media", "Devika Rao"):
        assert told in text
    for hidden in ("Credentials", "Last used", "Suspend", "Night shift"):
        assert hidden not in text


def test_a_co_owner_is_an_owner(program: Program, member: User, browser_of: Browser) -> None:
    program.connector.co_owners.add(member)
    client = browser_of(member)
    for tab in ("", "credentials/", "groups/", "activity/", "change/"):
        assert client.get(url(program.connector, tab)).status_code == 200
    assert "Co-owners" in text_of(client.get(url(program.connector)))


def test_a_deleted_connector_is_not_there(connector: Connector, developer: User, browser_of: Browser) -> None:
    connectors.delete(connector=connector, by=developer)
    assert browser_of(developer).get(url(connector)).status_code == 404


# Changing ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def change_form(connector: Connector, developer: User, browser_of: Browser) -> HtmlForm:
    return form_to(browser_of(developer).get(url(connector, "change/")), url(connector, "change/"))


def test_the_owner_changes_what_it_says_about_itself(
    connector: Connector, developer: User, browser_of: Browser, change_form: HtmlForm
) -> None:
    client = browser_of(developer)
    assert change_form.fields["name"] == ["Shift Planner"]
    answer = change_form.send(client, {"name": "Shift Planner 2", "redirect_urls": "https://a.example/x"})
    assert answer["Location"] == url(connector)
    connector.refresh_from_db()
    assert (connector.name, connector.redirect_urls) == ("Shift Planner 2", ["https://a.example/x"])
    assert change_form.send(client, {"name": "Shift Planner 2"})["Location"] == url(connector)  # pressed twice
    assert AuditEvent.objects.filter(tag="connector:details:changed").count() == 2


def test_a_name_of_the_owners_is_taken(
    connector: Connector, developer: User, member: User, browser_of: Browser, change_form: HtmlForm
) -> None:
    factories.make_connector(developer, "Other")
    connector.co_owners.add(member)
    client = browser_of(member)
    assert "You already have a connector named" in text_of(change_form.send(client, {"name": "OTHER"}))
    assert change_form.send(client, {"name": "shift planner"}).status_code == 302, "its own name is not taken"


@pytest.mark.parametrize(("field", "value"), [("name", ""), ("home_page", "ftp://x")])
def test_bad_input_is_told_beside_its_field(
    connector: Connector, developer: User, browser_of: Browser, change_form: HtmlForm, field: str, value: str
) -> None:
    assert f"id_{field}_error" in change_form.send(browser_of(developer), {field: value}).content.decode()
    connector.refresh_from_db()
    assert connector.name == "Shift Planner"


# Groups --------------------------------------------------------------------------------------------------------------


def test_the_groups_tab_tells_of_each_grant(program: Program, developer: User, browser_of: Browser) -> None:
    page = browser_of(developer).get(url(program.connector, "groups/"))
    for told in ("Night shift", "Live", "Text Message", "by Arjun Mehta", "Ends", "Waiting"):
        assert told in text_of(page)
    assert f"/console/handoffs/{program.handoff.pk}/" in page.content.decode()


def test_removed_access_has_its_own_list(
    program: Program, group_admin: User, developer: User, browser_of: Browser
) -> None:
    grants.revoke(grant=program.grant, by=group_admin)
    client = browser_of(developer)
    assert "Night shift" not in text_of(client.get(url(program.connector, "groups/")))
    assert "Night shift" in text_of(client.get(url(program.connector, "groups/?show=ended")))


def test_groups_can_be_searched(connector: Connector, group_admin: User, developer: User, browser_of: Browser) -> None:
    for name in ("Pune depot", "Goa harbour"):
        factories.let_in(connector, group_admin, target_name=name)
    client = browser_of(developer)
    text = text_of(client.get(url(connector, "groups/?q=GOA")))
    assert "Goa harbour" in text
    assert "Pune depot" not in text
    assert "No matches" in text_of(client.get(url(connector, "groups/?q=zzz")))


# Activity ------------------------------------------------------------------------------------------------------------


def test_the_activity_tab_tells_its_own_newest_first(program: Program, developer: User, browser_of: Browser) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    client = browser_of(developer)
    text = text_of(client.get(url(program.connector, "activity/")))
    assert text.index("Devika Rao refused") < text.index("Arjun Mehta added")
    other = factories.make_connector(developer, "Other")
    assert "Arjun Mehta added" not in text_of(client.get(url(other, "activity/")))


# Costs ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tab", ["", "credentials/", "groups/", "activity/"])
def test_more_groups_cost_no_more_queries(
    connector: Connector,
    group_admin: User,
    developer: User,
    browser_of: Browser,
    django_assert_max_num_queries: Any,
    tab: str,
) -> None:
    factories.make_program(connector, group_admin)
    client = browser_of(developer)

    def cost() -> int:
        with django_assert_max_num_queries(40) as seen:
            assert client.get(url(connector, tab)).status_code == 200
        return len(seen.captured_queries)

    few = cost()
    for n in range(6):
        factories.let_in(connector, group_admin, target_name=f"Group {n}")
    assert cost() == few
    assert few <= 14, re.sub(r"\s+", " ", str(few))


def test_an_address_of_odd_letters_is_escaped(
    program: Program, developer: User, member: User, browser_of: Browser
) -> None:
    User.objects.filter(pk=developer.pk).update(email="d&r+x?bcc=all@contoso.example")
    page = browser_of(member).get(url(program.connector)).content.decode()
    assert 'href="mailto:d%26r%2Bx%3Fbcc%3Dall@contoso.example"' in page
