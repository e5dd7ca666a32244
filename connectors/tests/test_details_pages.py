"""One connector: its overview for everybody of the organisation, and the pages of its owners."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, User
from connectors.models import Connector, RefreshToken
from connectors.services import connectors, grants, handoffs
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import form_to, text_of
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]


def url(connector: Connector, tab: str = "") -> str:
    return f"/console/connectors/{connector.pk}/{tab}"


def test_a_colleague_sees_what_it_may_do_and_nothing_of_its_credentials(
    program: Program, member: User, browser_of: Browser
) -> None:
    page = browser_of(member).get(url(program.connector))
    text = text_of(page)
    assert "Post messages" in text
    assert "Send media" in text
    assert "Devika Rao" in text
    assert "Credentials" not in text
    assert "Last used" not in text
    assert "Suspend" not in text
    assert "Night shift" not in text


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


def test_the_owner_changes_what_it_says_about_itself(
    connector: Connector, developer: User, browser_of: Browser
) -> None:
    client = browser_of(developer)
    form = form_to(client.get(url(connector, "change/")), url(connector, "change/"))
    assert form.fields["name"] == ["Shift Planner"]
    answer = form.send(client, {"name": "Shift Planner 2", "redirect_urls": "https://a.example/x"})
    assert answer["Location"] == url(connector)
    connector.refresh_from_db()
    assert (connector.name, connector.redirect_urls) == ("Shift Planner 2", ["https://a.example/x"])
    assert form.send(client, {"name": "Shift Planner 2"})["Location"] == url(connector)  # pressed twice
    assert AuditEvent.objects.filter(tag="connector:details:changed").count() == 2


def test_its_own_name_is_not_taken_but_anothers_is(connector: Connector, developer: User, browser_of: Browser) -> None:
    factories.make_connector(developer, "Other")
    client = browser_of(developer)
    form = form_to(client.get(url(connector, "change/")), url(connector, "change/"))
    assert form.send(client, {"name": "shift planner"}).status_code == 302
    page = form.send(client, {"name": "OTHER"})
    assert "You already have a connector named" in text_of(page)


def test_a_co_owner_is_told_when_the_owner_has_that_name_already(
    connector: Connector, developer: User, member: User, browser_of: Browser
) -> None:
    factories.make_connector(developer, "Other")
    connector.co_owners.add(member)
    client = browser_of(member)
    form = form_to(client.get(url(connector, "change/")), url(connector, "change/"))
    assert "You already have a connector named" in text_of(form.send(client, {"name": "Other"}))


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [("name", "", "Give the connector a name."), ("home_page", "ftp://x", "must be a web address")],
)
def test_bad_input_is_told_beside_its_field(
    connector: Connector, developer: User, browser_of: Browser, field: str, value: str, says: str
) -> None:
    client = browser_of(developer)
    form = form_to(client.get(url(connector, "change/")), url(connector, "change/"))
    assert says in text_of(form.send(client, {field: value}))
    connector.refresh_from_db()
    assert connector.name == "Shift Planner"


# Groups --------------------------------------------------------------------------------------------------------------


def test_the_groups_tab_tells_of_each_grant(program: Program, developer: User, browser_of: Browser) -> None:
    RefreshToken.objects.filter(grant=program.grant).update(last_used_at=clock.now())
    page = browser_of(developer).get(url(program.connector, "groups/"))
    text = text_of(page)
    for told in ("Night shift", "Live", "Text Message", "by Arjun Mehta", "Ends", "Waiting"):
        assert told in text
    assert f"/console/handoffs/{program.handoff.pk}/" in page.content.decode()


def test_removed_access_stands_on_a_list_of_its_own(
    program: Program, group_admin: User, developer: User, browser_of: Browser
) -> None:
    grants.revoke(grant=program.grant, by=group_admin)
    client = browser_of(developer)
    assert "Night shift" not in text_of(client.get(url(program.connector, "groups/")))
    assert "Night shift" in text_of(client.get(url(program.connector, "groups/?show=ended")))


def test_groups_are_searched_by_name(
    connector: Connector, group_admin: User, developer: User, browser_of: Browser
) -> None:
    for name in ("Pune depot", "Goa harbour"):
        factories.let_in(connector, group_admin, target_name=name)
    client = browser_of(developer)
    text = text_of(client.get(url(connector, "groups/?q=GOA")))
    assert "Goa harbour" in text
    assert "Pune depot" not in text
    assert "No matches" in text_of(client.get(url(connector, "groups/?q=zzz")))


# Activity ------------------------------------------------------------------------------------------------------------


def test_the_activity_tab_tells_its_history_the_newest_first(
    program: Program, developer: User, browser_of: Browser
) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    text = text_of(browser_of(developer).get(url(program.connector, "activity/")))
    assert text.index("Devika Rao refused the refresh token") < text.index("Arjun Mehta added “Shift Planner” to")


def test_activity_of_another_connector_is_not_told(program: Program, developer: User, browser_of: Browser) -> None:
    other = factories.make_connector(developer, "Other")
    assert "Arjun Mehta added" not in text_of(browser_of(developer).get(url(other, "activity/")))


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


def test_an_address_of_odd_letters_writes_to_itself_and_to_nobody_else(
    program: Program, developer: User, member: User, browser_of: Browser
) -> None:
    User.objects.filter(pk=developer.pk).update(email="d&r+x?bcc=all@contoso.example")
    page = browser_of(member).get(url(program.connector)).content.decode()
    assert 'href="mailto:d%26r%2Bx%3Fbcc%3Dall@contoso.example"' in page
