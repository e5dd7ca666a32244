"""One event by its address, and finding events by words."""

from __future__ import annotations

import ast
import html
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.utils import translation

from accounts.audit import queries, sentences
from accounts.audit.events import EventType
from accounts.audit.queries import find_event_types, matches_words
from accounts.audit.record import record
from accounts.models import AuditEvent, User
from accounts.tests.pages import url_with, words
from accounts.tests.test_activity_page import ACTIVITY, happened
from kaizala_console.lib import ids

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


def of(event: AuditEvent) -> str:
    return f"{ACTIVITY}{event.pk}/"


def test_each_event_of_the_list_leads_to_its_own_page(member: User, browser_of: Browser) -> None:
    group_id = ids.new_id()
    event = happened(
        member,
        EventType.MEMBER_ROLE_CHANGED,
        group_id=group_id,
        subject_name="Asha",
        before={"role": "Member"},
        after={"role": "Admin", "group": "Depot <b>"},
        client_address="192.0.2.7",
        request_id="req-1",
    )
    browser = browser_of(member)
    assert f'href="{of(event)}"' in browser.get(ACTIVITY).content.decode()
    page = browser.get(of(event))
    shown = words(page)
    assert "Meera Nair changed the role of Asha in “Depot &lt;b&gt;”." in shown
    assert "Before Role Member After Group Depot &lt;b&gt; Role Admin" in shown
    assert "192.0.2.7" in shown
    assert "req-1" in shown
    assert f'href="{ACTIVITY}?group={group_id}"' in page.content.decode()


def test_the_page_of_an_event_says_what_changed_in_words(member: User, browser_of: Browser) -> None:
    event = happened(
        member,
        EventType.MEMBER_ROLE_CHANGED,
        subject_name="Asha",
        before={"role": "Member"},
        after={"role": "Admin", "permissions": ["groupinfo"]},
    )
    shown = words(browser_of(member).get(of(event)))
    assert "Before Role Member After Permissions Group Information Role Admin" in shown


def test_the_page_of_an_event_has_it_as_json_too(member: User, browser_of: Browser) -> None:
    event = happened(member, after={"permissions": ["groupinfo"]}, request_id="req-1")
    page = html.unescape(browser_of(member).get(of(event)).content.decode())
    assert json.loads(page.partition('tabindex="0">')[2].partition("</pre>")[0]) == {
        "event": event.tag,
        "id": event.pk,
        "subject": f"{event.subject_kind} {event.subject_id}",
        "after": {"permissions": ["groupinfo"]},
        "request": "req-1",
    }


def test_a_reader_of_hindi_reads_in_hindi_what_an_event_tells(member: User, browser_of: Browser) -> None:
    told = {"permissions": ["textmessage", "media"], "ends_at": None, "connector": "Depot", "purpose": "verify"}
    event = happened(member, after=told)
    browser = browser_of(member)
    browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "hi"
    assert "कनेक्टर Depot समाप्ति तारीख – अनुमतियाँ टेक्स्ट संदेश, मीडिया" in words(browser.get(of(event)))


def test_an_event_that_one_may_not_read_is_as_one_that_is_not_there(
    member: User, stranger: User, outsider: User, browser_of: Browser
) -> None:
    event = happened(member)
    for who in (stranger, outsider):
        browser = browser_of(who)
        answer = browser.get(of(event))
        assert answer.status_code == 404
        assert url_with(answer, browser.get(f"{ACTIVITY}{event.pk + 1000}/"))
    assert browser_of(member).get(f"{ACTIVITY}{'9' * 40}/").status_code == 404
    assert Client().get(of(event)).headers["Location"].startswith("/accounts/login/?next=")


def test_an_organisation_admin_reads_it_and_an_old_name_is_shown_as_it_is(
    member: User, organisation_admin: User, browser_of: Browser
) -> None:
    event = happened(member, after={"list": [1, "ü"], "names": ["Asha", "Ravi"], "end": None})
    AuditEvent.objects.filter(pk=event.pk).update(tag="gone:long:since")
    shown = words(browser_of(organisation_admin).get(of(event)))
    assert "gone:long:since" in shown
    assert "end – list [1, &quot;ü&quot;] names Asha, Ravi" in shown


def recent(user: User, **options: Any) -> list[AuditEvent]:
    return queries.list_recent(queries.own_scope(user), **options)


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("meera", True),
        ("courier", True),
        ("suspended", True),
        ("meera suspended courier", True),
        ("Connector:Account", True),
        ("meera deleted", False),
        ("arjun suspended", False),
        ("req-77", True),
        ("q-77", False),
    ],
)
def test_events_are_found_by_who_what_and_the_words_of_their_sentence(member: User, text: str, found: bool) -> None:
    event = happened(member, EventType.CONNECTOR_SUSPENDED, subject_name="Courier bot", request_id="req-77")
    assert recent(member, only=matches_words(text), size=5, among=10) == ([event] if found else [])


@pytest.mark.postgresql
def test_events_are_found_by_every_name_in_their_sentence(member: User, developer: User) -> None:
    with transaction.atomic():
        record(
            EventType.GRANT_MADE,
            by=member,
            subject=developer,
            after={"connector": "Shift Planner", "target": "Pune Depot", "reason": "harvest"},
        )
        record(
            EventType.SUBGROUP_LINKED,
            by=member,
            subject=developer,
            after={"child_name": "Lorries", "parent_name": "Fleet"},
        )
    for text, tag in {
        "planner": EventType.GRANT_MADE,
        "pune depot": EventType.GRANT_MADE,
        "meera planner": EventType.GRANT_MADE,
        "lorries": EventType.SUBGROUP_LINKED,
        "FLEET": EventType.SUBGROUP_LINKED,
    }.items():
        assert [event.tag for event in recent(member, only=matches_words(text), size=5, among=10)] == [tag], text
    assert recent(member, only=matches_words("harvest"), size=5, among=10) == []  # not said in the sentence


def test_the_words_are_those_of_the_readers_language() -> None:
    with translation.override("hi"):
        assert find_event_types("suspended") == [EventType.CONNECTOR_SUSPENDED, EventType.GRANT_SUSPENDED], (
            "by its name"
        )
        assert EventType.SIGNED_IN in find_event_types("साइन")
    assert EventType.SIGNED_IN in find_event_types("signed")
    assert find_event_types("a") == []
    assert find_event_types("actor") == [], "what a sentence calls its own gaps"


@pytest.mark.postgresql
def test_recent_looks_through_the_last_ones_and_no_further(member: User, stranger: User) -> None:
    old = happened(member, subject_name="Courier bot")
    newer = [happened(member) for _number in range(3)]
    happened(stranger, subject_name="Courier bot")
    assert recent(member, only=matches_words("courier"), size=5, among=4) == [old]
    assert recent(member, only=matches_words("courier"), size=5, among=3) == []
    assert recent(member, only=matches_words("signed"), size=2, among=4) == newer[:0:-1]


def test_a_filter_names_what_it_is_about(member: User, browser_of: Browser) -> None:
    connector, unknown = ids.new_id(), ids.new_id()
    happened(
        member,
        EventType.CONNECTOR_CREATED,
        connector_id=connector,
        subject_kind="connector",
        subject_name="Courier bot",
    )
    browser = browser_of(member)
    assert "Connector: Courier bot" in words(browser.get(ACTIVITY, {"connector": str(connector)}))
    assert f"Connector: {unknown}" in words(browser.get(ACTIVITY, {"connector": str(unknown)}))
    assert "From: Nov. 24, 2026" in words(browser.get(ACTIVITY, {"since": "2026-11-24"}))


def written_down() -> Iterator[str]:
    """The names of fields that stand in the services as they are: in `before={…}` and `after={…}`."""
    for package in ("accounts", "connectors", "groups"):
        for path in sorted((Path(settings.BASE_DIR) / package).rglob("*.py")):
            if {"tests", "migrations"} & set(path.parts):
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.keyword) and node.arg in ("before", "after"):
                    stated = [node.value] if isinstance(node.value, ast.Dict) else []
                    yield from (str(key.value) for each in stated for key in each.keys if isinstance(key, ast.Constant))


def test_every_field_that_the_services_write_down_has_a_name_for_people() -> None:
    names = set(written_down())
    assert len(names) > 40, "the search for them finds next to nothing"
    assert names - set(sentences.FIELDS) == set()
