"""Activity: who sees which acts, filters, pages, and what a row says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.audit.events import EventType
from accounts.audit.sentences import extract_names
from accounts.models import AuditEvent, User
from accounts.tests.pages import words
from accounts.views import timeline
from kaizala_console.dashboard import activity
from kaizala_console.lib import clock

ACTIVITY = "/console/activity/"


def happened(by: User, tag: EventType = EventType.SIGNED_IN, **fields: Any) -> AuditEvent:
    columns: dict[str, Any] = {
        "tag": tag,
        "actor_kind": "user",
        "actor_id": str(by.pk),
        "actor_name": by.name,
        "organisation": by.organisation,
        "subject_kind": "user",
        "subject_id": str(by.pk),
        "subject_name": by.name,
        "before": {},
        "after": {},
        **fields,
    }
    return AuditEvent.objects.create(**columns, search_text=extract_names(tag, columns))


def test_a_person_sees_what_they_did_and_not_what_others_did(
    member: User, stranger: User, browser_of: Callable[..., Client]
) -> None:
    happened(member)
    happened(stranger)
    shown = words(browser_of(member).get(ACTIVITY))
    assert "Meera Nair signed in." in shown
    assert "Sunil Verma" not in shown


def test_an_organisation_admin_sees_all_of_the_organisation_and_nothing_else(
    member: User, organisation_admin: User, outsider: User, browser_of: Callable[..., Client]
) -> None:
    happened(member)
    happened(outsider)
    shown = words(browser_of(organisation_admin).get(ACTIVITY))
    assert "Meera Nair signed in." in shown
    assert "Olga Petrova" not in shown


def test_an_admin_does_not_see_what_carries_no_organisation(
    member: User, organisation_admin: User, browser_of: Callable[..., Client]
) -> None:
    happened(member, organisation=None)
    assert "Meera Nair" not in words(browser_of(organisation_admin).get(ACTIVITY))


def test_filters_stand_in_the_address_and_can_be_taken_away(member: User, browser_of: Callable[..., Client]) -> None:
    happened(member)
    happened(member, EventType.CONNECTOR_CREATED, subject_name="Courier bot")
    answer = browser_of(member).get(ACTIVITY, {"what": "connectors", "q": "courier"})
    shown = words(answer)
    assert "created the connector “Courier bot”" in shown
    assert "signed in." not in shown
    html = answer.content.decode()
    assert 'href="?what=connectors"' in html
    assert 'href="?q=courier"' in html


def test_days_are_whole_days_with_both_ends(
    member: User, browser_of: Callable[..., Client], travel: Callable[..., dt.datetime]
) -> None:
    today = travel().date()
    happened(member, subject_name="x", at=clock.now() - dt.timedelta(days=3), actor_name="Long ago")
    happened(member)
    browser = browser_of(member)
    shown = words(browser.get(ACTIVITY, {"since": today.isoformat(), "until": today.isoformat()}))
    assert "Meera Nair signed in." in shown
    assert "Long ago" not in shown


@pytest.mark.parametrize("mark", ["forged", "-1", "0", "9" * 40, "1.5", ""])
def test_a_page_mark_that_makes_no_sense_leads_to_the_first_page(
    member: User, browser_of: Callable[..., Client], mark: str
) -> None:
    happened(member)
    for direction in ("before", "after"):
        answer = browser_of(member).get(ACTIVITY, {direction: mark, "what": "accounts"})
        assert "Meera Nair signed in." in words(answer)


def test_a_page_mark_shows_nothing_that_the_page_itself_would_not(
    member: User, stranger: User, browser_of: Callable[..., Client]
) -> None:
    event = happened(stranger)
    for mark in ({"before": event.pk + 1}, {"after": event.pk - 1}):
        assert "Sunil Verma" not in words(browser_of(member).get(ACTIVITY, mark))


def test_an_event_that_two_scopes_show_is_shown_once(
    organisation_admin: User, browser_of: Callable[..., Client]
) -> None:
    happened(organisation_admin)
    assert words(browser_of(organisation_admin).get(ACTIVITY)).count("Farah Khan signed in.") == 1


def test_pages_neither_repeat_nor_skip(
    member: User, browser_of: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "PAGE_SIZE", 3)
    for number in range(7):
        happened(member, EventType.CONNECTOR_CREATED, subject_name=f"bot {number}")
    browser, address, seen = browser_of(member), "", []
    while True:
        answer = browser.get(f"{ACTIVITY}{address}")
        seen += [int(word) for word in words(answer).replace("”", " ").split() if word.isdigit() and len(word) == 1]
        if not answer.context["older"]:
            break
        address = answer.context["older"]
    assert [number for number in seen if number < 7] == [6, 5, 4, 3, 2, 1, 0]
    # And back again, page by page.
    answer = browser.get(f"{ACTIVITY}{answer.context['newer']}")
    assert [f"bot {number}" in words(answer) for number in range(7)] == [False, True, True, True, False, False, False]
    answer = browser.get(f"{ACTIVITY}{answer.context['newer']}")
    assert "bot 6" in words(answer)
    assert not answer.context["newer"]


def test_names_are_text_and_never_markup(member: User, browser_of: Callable[..., Client]) -> None:
    happened(member, EventType.CONNECTOR_CREATED, subject_name="<script>alert(1)</script>", after={"x": "<b>"})
    html = browser_of(member).get(ACTIVITY).content.decode()
    assert "<script>alert(1)</script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_without_a_session_it_leads_to_the_sign_in(client: Client, db: None) -> None:
    answer = client.get(f"{ACTIVITY}?what=phones")
    assert answer.headers["Location"] == "/accounts/login/?next=%2Fconsole%2Factivity%2F%3Fwhat%3Dphones"


@pytest.mark.usefixtures("alone")
def test_fifty_rows_cost_no_more_queries_than_one(member: User, browser_of: Callable[..., Client]) -> None:
    browser = browser_of(member)
    happened(member)
    browser.get(ACTIVITY)  # the first visit of a process also fills caches
    with CaptureQueriesContext(connection) as one:
        browser.get(ACTIVITY)
    for _number in range(60):
        happened(member)
    with CaptureQueriesContext(connection) as fifty:
        browser.get(ACTIVITY)
    # Session, account, and one for each scope: one's own acts, one's connectors, one's groups.
    assert len(one) == len(fifty) <= 6


@pytest.mark.parametrize(
    "query",
    [{"since": "yesterday"}, {"what": "nonsense"}, {"until": "9999-12-31"}, {"since": "0001-01-01"}, {"q": "x" * 500},
     {"q": "\x00"}, {"q": "%' OR 1=1 --"}, {"mine": "on", "what": ""}],
)  # fmt: skip
def test_filters_that_make_no_sense_are_no_error(
    member: User, browser_of: Callable[..., Client], query: dict[str, str]
) -> None:
    assert browser_of(member).get(ACTIVITY, query).status_code == 200


def test_every_event_is_of_a_kind_that_can_be_chosen() -> None:
    chosen = {noun for kind in timeline.EVENT_CATEGORIES.values() for noun in kind.nouns}
    assert {tag.partition(":")[0] for tag in EventType} - chosen == set()
