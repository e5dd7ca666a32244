"""Activity: who sees which acts, by which filter, page by page; what a row says; one event by its address."""

from __future__ import annotations

import ast
import datetime as dt
import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from accounts.audit import queries, sentences
from accounts.audit.events import EventType
from accounts.audit.queries import find_event_types, matches_words
from accounts.audit.record import record
from accounts.audit.sentences import extract_names
from accounts.models import AuditEvent, User
from accounts.tests.pages import url_with, words
from accounts.views.timeline import EVENT_CATEGORIES
from kaizala_console.dashboard import activity
from kaizala_console.dashboard.activity import build_condition
from kaizala_console.lib import clock, ids
from kaizala_console.lib.tests.cast import BrowserOf

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
    member: User, stranger: User, browser_of: BrowserOf
) -> None:
    happened(member)
    happened(stranger)
    shown = words(browser_of(member).get(ACTIVITY))
    assert "Meera Nair signed in." in shown
    assert "Sunil Verma" not in shown


def test_an_organisation_admin_sees_all_of_the_organisation_and_nothing_else(
    member: User, organisation_admin: User, outsider: User, browser_of: BrowserOf
) -> None:
    happened(member)
    happened(outsider)
    shown = words(browser_of(organisation_admin).get(ACTIVITY))
    assert "Meera Nair signed in." in shown
    assert "Olga Petrova" not in shown


def test_an_admin_does_not_see_what_carries_no_organisation(
    member: User, organisation_admin: User, browser_of: BrowserOf
) -> None:
    happened(member, organisation=None)
    assert "Meera Nair" not in words(browser_of(organisation_admin).get(ACTIVITY))


def test_filters_stand_in_the_address_and_can_be_taken_away(member: User, browser_of: BrowserOf) -> None:
    happened(member)
    happened(member, EventType.CONNECTOR_CREATED, subject_name="Courier bot")
    answer = browser_of(member).get(ACTIVITY, {"what": "connectors", "q": "courier"})
    shown = words(answer)
    assert "created the connector “Courier bot”" in shown
    assert "signed in." not in shown
    html = answer.content.decode()
    assert 'href="?what=connectors"' in html
    assert 'href="?q=courier"' in html


@pytest.mark.parametrize("mark", ["forged", "-1", "0", "9" * 40, "1.5", ""])
def test_a_page_mark_that_makes_no_sense_leads_to_the_first_page(
    member: User, browser_of: BrowserOf, mark: str
) -> None:
    happened(member)
    for direction in ("before", "after"):
        answer = browser_of(member).get(ACTIVITY, {direction: mark, "what": "accounts"})
        assert "Meera Nair signed in." in words(answer)


def test_a_page_mark_shows_nothing_that_the_page_itself_would_not(
    member: User, stranger: User, browser_of: BrowserOf
) -> None:
    event = happened(stranger)
    for mark in ({"before": event.pk + 1}, {"after": event.pk - 1}):
        assert "Sunil Verma" not in words(browser_of(member).get(ACTIVITY, mark))


def test_pages_neither_repeat_nor_skip(member: User, browser_of: BrowserOf, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.usefixtures("alone")
def test_fifty_rows_cost_no_more_queries_than_one(member: User, browser_of: BrowserOf) -> None:
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
def test_filters_that_make_no_sense_are_no_error(member: User, browser_of: BrowserOf, query: dict[str, str]) -> None:
    assert browser_of(member).get(ACTIVITY, query).status_code == 200


def walked(user: User, only: Q, size: int = 2) -> list[int]:
    """The events that all pages show, one after the other."""
    found: list[int] = []
    before: int | None = None
    for _number in range(60):
        page = queries.get_page(queries.own_scope(user), only=only, size=size, before=before)
        found += [event.pk for event in page.events]
        if page.older is None:
            return found
        before = page.older
    raise AssertionError("the pages come to no end")


def of_all(user: User, only: Q) -> list[int]:
    """The same by one question."""
    return list(queries.visible_to(queries.own_scope(user)).filter(only).order_by("-pk").values_list("pk", flat=True))


def history(*people: User) -> list[AuditEvent]:
    """Events of some people in turn; each third of another kind, and each fifth with a rare word."""
    return [
        happened(
            people[number % len(people)],
            EventType.PHONE_VERIFIED if number % 3 == 0 else EventType.SIGNED_IN,
            subject_name="Heron" if number % 5 == 0 else "Depot",
        )
        for number in range(23)
    ]


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "only",
    [
        Q(),
        matches_words("heron"),
        matches_words("nobody"),
        Q(tag__in=[EventType.PHONE_VERIFIED]),
        Q(tag__in=[EventType.PHONE_VERIFIED]) & matches_words("heron"),
        Q(tag__in=[EventType.ORGANISATION_CHANGED]),
    ],
    ids=["all", "a word", "a word of none", "a kind", "a kind and a word", "a kind of none"],
)
def test_page_by_page_each_event_is_met_once_whoever_looks(
    member: User, stranger: User, organisation_admin: User, outsider: User, only: Q
) -> None:
    history(member, stranger, organisation_admin, outsider)
    for who in (member, organisation_admin, outsider):
        assert walked(who, only) == of_all(who, only)


@pytest.mark.postgresql
def test_the_way_back_leads_to_the_newer_events(member: User) -> None:
    herons = [happened(member, subject_name="Heron") for _number in range(4)]
    happened(member)
    page = queries.get_page(queries.own_scope(member), only=matches_words("heron"), size=2, after=herons[0].pk)
    assert (page.events, page.older, page.newer) == (herons[2:0:-1], herons[1].pk, herons[2].pk)
    page = queries.get_page(queries.own_scope(member), only=matches_words("heron"), size=2, after=herons[2].pk)
    assert (page.events, page.newer) == ([herons[3]], None)


@pytest.mark.postgresql
@pytest.mark.parametrize("own", [1, 5])
def test_own_acts_in_a_group_are_found_be_they_few_or_many(member: User, stranger: User, own: int) -> None:
    group = ids.new_id()
    for _number in range(9):
        happened(stranger, group_id=group)
    mine = [happened(member, group_id=group).pk for _number in range(own)]
    happened(member)
    assert walked(member, Q(group_id=group)) == mine[::-1]


@pytest.mark.postgresql
def test_days_are_whole_and_both_are_included(member: User) -> None:
    day = dt.timedelta(days=1)
    noon = clock.now().replace(hour=12, minute=0)
    then = [happened(member, at=noon - number * day).pk for number in range(5)]
    chosen = {"since": (noon - 3 * day).date(), "until": (noon - day).date()}
    assert walked(member, build_condition(chosen, member)) == sorted(then[1:4], reverse=True)


@pytest.mark.postgresql
def test_each_kind_has_its_tags() -> None:
    assert sorted(tag for kind in EVENT_CATEGORIES.values() for tag in kind.tags()) == sorted(EventType)


def of(event: AuditEvent) -> str:
    return f"{ACTIVITY}{event.pk}/"


@pytest.mark.django_db
def test_each_event_of_the_list_leads_to_its_own_page(member: User, browser_of: BrowserOf) -> None:
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


@pytest.mark.django_db
def test_the_page_of_an_event_has_it_as_json_too(member: User, browser_of: BrowserOf) -> None:
    event = happened(member, after={"permissions": ["groupinfo"]}, request_id="req-1")
    page = html.unescape(browser_of(member).get(of(event)).content.decode())
    assert json.loads(page.partition('tabindex="0">')[2].partition("</pre>")[0]) == {
        "event": event.tag,
        "id": event.pk,
        "subject": f"{event.subject_kind} {event.subject_id}",
        "after": {"permissions": ["groupinfo"]},
        "request": "req-1",
    }


@pytest.mark.django_db
def test_a_reader_of_hindi_reads_in_hindi_what_an_event_tells(member: User, browser_of: BrowserOf) -> None:
    told = {"permissions": ["textmessage", "media"], "ends_at": None, "connector": "Depot", "purpose": "verify"}
    event = happened(member, after=told)
    browser = browser_of(member)
    browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "hi"
    assert "कनेक्टर Depot समाप्ति तारीख – अनुमतियाँ टेक्स्ट संदेश, मीडिया" in words(browser.get(of(event)))


@pytest.mark.django_db
def test_an_event_that_one_may_not_read_is_as_one_that_is_not_there(
    member: User, stranger: User, outsider: User, browser_of: BrowserOf
) -> None:
    event = happened(member)
    for who in (stranger, outsider):
        browser = browser_of(who)
        answer = browser.get(of(event))
        assert answer.status_code == 404
        assert url_with(answer, browser.get(f"{ACTIVITY}{event.pk + 1000}/"))
    assert browser_of(member).get(f"{ACTIVITY}{'9' * 40}/").status_code == 404
    assert Client().get(of(event)).headers["Location"].startswith("/accounts/login/?next=")


@pytest.mark.django_db
def test_an_organisation_admin_reads_it_and_an_old_name_is_shown_as_it_is(
    member: User, organisation_admin: User, browser_of: BrowserOf
) -> None:
    event = happened(member, after={"list": [1, "ü"], "names": ["Asha", "Ravi"], "end": None})
    AuditEvent.objects.filter(pk=event.pk).update(tag="gone:long:since")
    shown = words(browser_of(organisation_admin).get(of(event)))
    assert "gone:long:since" in shown
    assert "end – list [1, &quot;ü&quot;] names Asha, Ravi" in shown


def recent(user: User, **options: Any) -> list[AuditEvent]:
    return queries.list_recent(queries.own_scope(user), **options)


@pytest.mark.django_db
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


@pytest.mark.django_db
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


@pytest.mark.django_db
def test_the_words_are_those_of_the_readers_language() -> None:
    with translation.override("hi"):
        assert find_event_types("suspended") == [EventType.CONNECTOR_SUSPENDED, EventType.GRANT_SUSPENDED], (
            "by its name"
        )
        assert EventType.SIGNED_IN in find_event_types("साइन")
    assert EventType.SIGNED_IN in find_event_types("signed")
    assert find_event_types("a") == []
    assert find_event_types("actor") == [], "what a sentence calls its own gaps"


@pytest.mark.django_db
@pytest.mark.postgresql
def test_recent_looks_through_the_last_ones_and_no_further(member: User, stranger: User) -> None:
    old = happened(member, subject_name="Courier bot")
    newer = [happened(member) for _number in range(3)]
    happened(stranger, subject_name="Courier bot")
    assert recent(member, only=matches_words("courier"), size=5, among=4) == [old]
    assert recent(member, only=matches_words("courier"), size=5, among=3) == []
    assert recent(member, only=matches_words("signed"), size=2, among=4) == newer[:0:-1]


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


@pytest.mark.django_db
def test_every_field_that_the_services_write_down_has_a_name_for_people() -> None:
    names = set(written_down())
    assert len(names) > 40, "the search for them finds next to nothing"
    assert names - set(sentences.FIELDS) == set()
