"""Search from anywhere: what a person sees, and nothing else; by mouse and by keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import expect
from pytest_django import DjangoAssertNumQueries

from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import User
from accounts.tests.pages import words
from connectors.tests.factories import make_connector
from groups.models import Action, Group, Message
from groups.services import actions, responses
from groups.tests.cards import POLL
from groups.tests.factories import make_group, make_public_group, person_of
from kaizala_console.dashboard import search
from kaizala_console.lib import clock
from kaizala_console.tests.browser import assert_accessible

SEARCH = "/console/search/"


@pytest.fixture
def depot(group_admin: User, member: User) -> Group:
    return make_group("Depot North", organisation=group_admin.organisation, admins=[group_admin], members=[member])


def found_by(browser: Client, text: str) -> str:
    return words(browser.get(SEARCH, {"q": text}))


@pytest.mark.postgresql
def test_one_question_finds_connectors_groups_and_people_and_a_whole_id_what_it_names(
    depot: Group, developer: User, group_admin: User, member: User, browser_of: Callable[..., Client]
) -> None:
    connector = make_connector(developer, "Depot Planner")
    browser = browser_of(member)
    shown = found_by(browser, "depot")
    assert "Depot Planner" in shown
    assert "Depot North" in shown
    people = browser.get(SEARCH, {"q": "arjun"}).content.decode()
    assert f'<a href="/console/directory/{person_of(group_admin).pk}/">Arjun Mehta</a>' in people
    assert "Depot North" in found_by(browser, f"{depot.pk}@1")
    assert "Depot Planner" in found_by(browser, str(connector.pk).upper())


def test_who_sees_neither_group_nor_connector_finds_neither(
    depot: Group, developer: User, stranger: User, outsider: User, browser_of: Callable[..., Client]
) -> None:
    assert "No matches" in found_by(browser_of(stranger), "depot")
    assert "No matches" in found_by(browser_of(stranger), "meera")
    make_connector(developer, "Depot Planner")
    assert "No matches" in found_by(browser_of(outsider), "depot")


@pytest.mark.postgresql
def test_more_than_a_few_lead_to_the_list_with_the_same_search(
    developer: User, browser_of: Callable[..., Client]
) -> None:
    for number in range(7):
        make_connector(developer, f"Depot & Gate {number}")
    page = browser_of(developer).get(SEARCH, {"q": "depot & gate"})
    assert "All matching connectors" in words(page)
    assert 'href="/console/connectors/?q=depot+%26+gate&amp;show=all"' in page.content.decode()


@pytest.mark.postgresql
def test_more_that_is_found_costs_no_more_queries(
    group_admin: User, browser_of: Callable[..., Client], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(6):
        make_connector(group_admin, f"Depot Planner {number}")
        make_group(f"Depot {number}", organisation=group_admin.organisation, admins=[group_admin])
    browser = browser_of(group_admin)
    with django_assert_max_num_queries(26):  # one a kind, one for each scope of the activity; people in two turns
        browser.get(SEARCH, {"q": "depot"})


def poll(group: Group, by: User, question: str, **more: Any) -> Action:
    body = {**POLL, "question": question, **more}
    return actions.post(group=group, action_type="Poll", body=body, person=person_of(by), by=by)


@pytest.mark.postgresql
def test_actions_are_found_by_title_with_a_link_to_each(
    depot: Group, group_admin: User, member: User, browser_of: Callable[..., Client]
) -> None:
    card = poll(depot, group_admin, "Who brings the ladder?")
    poll(depot, group_admin, "Tea or coffee?")
    page = browser_of(member).get(SEARCH, {"q": "LADDER"})
    assert "Who brings the ladder?" in words(page)
    assert "Tea or coffee?" not in words(page)
    assert f'href="/console/groups/{depot.pk}/actions/{card.pk}/"' in page.content.decode()


@pytest.mark.postgresql
def test_who_does_not_see_the_group_or_the_card_does_not_find_it(
    depot: Group, group_admin: User, member: User, stranger: User, outsider: User, browser_of: Callable[..., Client]
) -> None:
    poll(depot, group_admin, "Who brings the ladder?")
    for who in (stranger, outsider):
        assert "Who brings" not in found_by(browser_of(who), "ladder")
    people: dict[str, Any] = {"admins": [group_admin], "members": [member]}
    card = poll(make_public_group(organisation=depot.organisation, **people), group_admin, "Rope or ladder?")
    Action.objects.filter(pk=card.pk).update(audience=Message.Audience.CHOSEN)
    assert "Rope or ladder?" in found_by(browser_of(group_admin), "ladder")
    shown = found_by(browser_of(member), "ladder")
    assert "Who brings the ladder?" in shown
    assert "Rope or ladder?" not in shown
    card.recipients.add(person_of(member))
    assert "Rope or ladder?" in found_by(browser_of(member), "ladder")
    Group.objects.filter(pk=depot.pk).update(removed_at=clock.now())
    assert "Who brings" not in found_by(browser_of(group_admin), "ladder")


@pytest.mark.postgresql
def test_answers_are_never_searched(
    depot: Group, group_admin: User, member: User, browser_of: Callable[..., Client]
) -> None:
    card = poll(depot, group_admin, "Who?", isAnonymous=True)
    responses.give(action=card, body={"choice": "Later"}, person=person_of(member))
    for who in (group_admin, member):
        browser = browser_of(who)
        assert 'id="found-actions"' in browser.get(SEARCH, {"q": "who?"}).content.decode()
        assert 'id="found-actions"' not in browser.get(SEARCH, {"q": "later"}).content.decode()


@pytest.mark.postgresql
def test_what_happened_is_found_by_its_words_and_only_by_who_may_read_it(
    depot: Group, developer: User, member: User, browser_of: Callable[..., Client]
) -> None:
    connector = make_connector(developer, "Courier")
    event = record(EventType.CONNECTOR_SUSPENDED, by=developer, subject=connector, connector_id=connector.pk)
    page = browser_of(developer).get(SEARCH, {"q": "suspended courier"})
    assert "suspended the connector “Courier”" in words(page)
    assert f'href="/console/activity/{event.pk}/"' in page.content.decode()
    assert "suspended the connector" not in found_by(browser_of(member), "suspended courier")


@pytest.mark.postgresql
def test_only_the_newest_are_looked_through_and_the_page_says_so(
    depot: Group, group_admin: User, member: User, browser_of: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "RECENT", 2)
    poll(depot, group_admin, "Who brings the ladder?")
    for number in range(2):
        poll(depot, group_admin, f"Tea {number}?")
    shown = found_by(browser_of(member), "tea")
    assert "Tea 1?" in shown
    assert "Only the newest 2 actions and events are searched." in shown
    assert "Who brings" not in found_by(browser_of(member), "ladder")


@pytest.mark.journey
@pytest.mark.capability
def test_by_keys_alone(open_page: Callable[..., Any], depot: Group, member: User) -> None:
    page = open_page(user=member)
    page.goto("/console/settings/")
    page.keyboard.press("/")
    page.keyboard.type("depot")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Depot North").wait_for()
    page.wait_for_load_state()  # what listens to keys comes after what is read
    assert page.evaluate("document.activeElement.tagName") in ("BODY", "INPUT")
    page.locator("#content").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/console/activity/")


@pytest.mark.postgresql
@pytest.mark.parametrize("text", ["%", "_", "\\", "a\0b", "'", "<script>alert(1)</script>", "x" * 5000, "  "])
def test_any_text_can_be_searched_for(text: str, member: User, browser_of: Callable[..., Client]) -> None:
    page = browser_of(member).get(SEARCH, {"q": text})
    assert page.status_code == 200
    assert "<script>alert" not in page.content.decode()
