"""Activity in a trail of a million events: a page looks at so many, says how far back that was, and leads on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import trail_sought
from accounts.audit import queries
from accounts.audit.tags import Tag
from accounts.audit.words import about
from accounts.models import AuditEvent, Organisation, User
from accounts.tests.pages import words
from accounts.tests.test_activity_page import ACTIVITY, happened
from accounts.trail_sought import Each, Sought
from accounts.views import activity
from kaizala_console.lib import clock, ids

Browser = Callable[..., Client]


@pytest.fixture(autouse=True)
def looks_at_four(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a kind that more than two have, and in words, a page looks at four events."""
    monkeypatch.setattr(trail_sought, "LOOKED_AT", 4)
    monkeypatch.setattr(trail_sought, "ASKED_AT", 4)
    monkeypatch.setattr(trail_sought, "NAMED", 2)


def walked(user: User, sought: Sought, size: int = 2) -> tuple[list[int], int]:
    """All events that the pages show, one after the other, and how many pages these were."""
    found: list[int] = []
    before: int | None = None
    for number in range(1, 60):
        page = queries.sought_page(user, sought, size=size, before=before)
        found += [event.pk for event in page.events]
        if page.older is None:
            return found, number
        assert before is None or page.older < before
        before = page.older
    raise AssertionError("the pages come to no end")


def of_all(user: User, sought: Sought) -> list[int]:
    """The same by one question."""
    found = queries.visible_to(user).filter(sought.condition()).order_by("-pk")
    return list(found.values_list("pk", flat=True))


def history(*people: User) -> list[AuditEvent]:
    """Events of some people in turn; each third of another kind, and each fifth with a rare word."""
    return [
        happened(
            people[number % len(people)],
            Tag.PHONE_VERIFIED if number % 3 == 0 else Tag.SIGNED_IN,
            subject_name="Heron" if number % 5 == 0 else "Depot",
        )
        for number in range(23)
    ]


@pytest.mark.parametrize(
    "sought",
    [
        Sought(),
        Sought(words=about("heron")),
        Sought(words=about("nobody")),
        Sought(tags=[Tag.PHONE_VERIFIED]),
        Sought(tags=[Tag.PHONE_VERIFIED], words=about("heron")),
        Sought(tags=[Tag.ORGANISATION_CHANGED]),
    ],
    ids=["all", "a word", "a word of none", "a kind", "a kind and a word", "a kind of none"],
)
def test_page_by_page_each_event_is_met_once_whoever_looks(
    member: User, stranger: User, organisation_admin: User, outsider: User, sought: Sought
) -> None:
    history(member, stranger, organisation_admin, outsider)
    for who in (member, organisation_admin, outsider):
        assert walked(who, sought)[0] == of_all(who, sought)


def test_a_page_stops_where_it_has_looked_at_so_many_and_the_next_one_goes_on_from_there(member: User) -> None:
    heron = happened(member, subject_name="Heron")
    others = [happened(member) for _number in range(9)]
    first = queries.sought_page(member, Sought(words=about("heron")), size=2)
    assert (first.events, first.stopped_at) == ([], others[4])
    second = queries.sought_page(member, Sought(words=about("heron")), size=2, before=first.older)
    assert (second.events, second.stopped_at) == ([], others[0])
    third = queries.sought_page(member, Sought(words=about("heron")), size=2, before=second.older)
    assert (third.events, third.older, third.stopped_at) == ([heron], None, None)


def test_the_way_back_to_newer_events_stops_in_the_same_way(member: User) -> None:
    old, *others = [happened(member) for _number in range(7)]
    heron = happened(member, subject_name="Heron")
    sought = Sought(words=about("heron"))
    near = queries.sought_page(member, sought, size=2, after=old.pk)
    assert (near.events, near.stopped_at) == ([], others[4])
    on = queries.sought_page(member, sought, size=2, after=near.newer)
    assert (on.events, on.newer, on.stopped_at) == ([heron], None, None)
    # And from a page on which nothing was, back to where it began.
    assert queries.sought_page(member, Sought(), size=9, before=near.older).events == [old]
    assert queries.sought_page(member, Sought(), size=9, after=heron.pk).events[0] == heron


def test_what_one_scope_shows_is_not_older_than_what_another_one_was_not_asked_for(
    member: User, organisation_admin: User
) -> None:
    """Else the next page would begin behind events that nobody has looked at."""
    own = [happened(organisation_admin, organisation=None, subject_name="Heron") for _number in range(3)]
    heron = happened(member, subject_name="Heron")
    for _number in range(6):
        happened(member)
    sought = Sought(words=about("heron"))
    assert walked(organisation_admin, sought, size=3)[0] == [heron.pk, *(event.pk for event in own[::-1])]


def test_a_rare_kind_is_found_at_once_however_old_it_is(member: User) -> None:
    rare = [happened(member, Tag.ORGANISATION_CHANGED) for _number in range(2)]
    for _number in range(12):
        happened(member)
    page = queries.sought_page(member, Sought(tags=[Tag.ORGANISATION_CHANGED, Tag.ORGANISATION_ADDED]), size=5)
    assert (page.events, page.older, page.stopped_at) == (rare[::-1], None, None)


def test_a_day_of_long_ago_is_found_at_once(member: User) -> None:
    now = clock.now()
    then = [happened(member, at=now - dt.timedelta(days=300, hours=number)) for number in range(3)]
    for number in range(12):
        happened(member, at=now - dt.timedelta(hours=number))
    day = dt.timedelta(days=1)
    sought = Sought(since=now - 301 * day, until=now - 299 * day, words=about("meera"))
    page = queries.sought_page(member, sought, size=5)
    assert (page.events, page.older, page.stopped_at) == (then[::-1], None, None)


def test_days_on_which_nothing_happened_are_not_looked_for_in_the_whole_trail(member: User) -> None:
    for _number in range(6):
        happened(member)
    now, day = clock.now(), dt.timedelta(days=1)
    for since, until in ((now + day, None), (None, now - day), (now - 3 * day, now - 2 * day)):
        with CaptureQueriesContext(connection) as asked:
            page = queries.sought_page(member, Sought(since=since, until=until), size=5)
        assert (page.events, page.older, page.stopped_at) == ([], None, None)
        assert not [one for one in asked.captured_queries if 'accounts_auditevent"."mark"' in one["sql"]]


def test_own_acts_are_asked_for_by_themselves(member: User, organisation_admin: User) -> None:
    own = happened(organisation_admin)
    for _number in range(9):
        happened(member)
    mine = Sought(indexed=Q(actor_kind="user", actor_id=str(organisation_admin.pk)), is_own=True, words=about("signed"))
    assert walked(organisation_admin, mine) == ([own.pk], 1)


@pytest.mark.parametrize("own", [1, 5])
def test_own_acts_in_a_group_are_found_be_they_few_or_many(
    member: User, stranger: User, own: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = ids.new_id()
    monkeypatch.setattr(queries, "_scopes", [])
    for _number in range(9):
        happened(stranger, group_id=group)
    mine = [happened(member, group_id=group).pk for _number in range(own)]
    happened(member)
    assert walked(member, Sought(indexed=Q(group_id=group)))[0] == mine[::-1]


def test_a_scope_that_no_index_knows_is_asked_of_so_many_events(
    member: User, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Organisation.objects.filter(pk=OuterRef("organisation_id"), users=member)
    monkeypatch.setattr(queries, "_scopes", [lambda _user: Each(Exists(ours))])
    theirs = happened(member, actor_id="0")
    for _number in range(9):
        AuditEvent.objects.create(tag=Tag.SIGNED_IN, actor_kind="system", subject_kind="user", subject_id="0")
    assert walked(member, Sought()) == ([theirs.pk], 3)
    assert queries.recent(member, only=Q(), size=5, among=4) == []


def test_the_page_says_how_far_it_looked_and_leads_on(member: User, browser_of: Browser) -> None:
    happened(member, Tag.CONNECTOR_CREATED, subject_name="Heron")
    for _number in range(6):
        happened(member)
    browser = browser_of(member)
    answer = browser.get(ACTIVITY, {"q": "heron"})
    shown = words(answer)
    assert "Nothing matches so far" in shown
    assert "Looked through everything back to" in shown
    assert "Look further back" in shown
    answer = browser.get(f"{ACTIVITY}{answer.context['older']}")
    assert "Heron" in words(answer)
    assert "Look further back" not in words(answer)


def test_pages_of_what_all_are_do_not_speak_of_looking(
    member: User, browser_of: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "PAGE_SIZE", 3)
    for _number in range(9):
        happened(member)
    for query in ({}, {"what": "accounts"}, {"q": "signed"}):
        assert "Look" not in words(browser_of(member).get(ACTIVITY, query)), query


def test_each_kind_has_its_tags() -> None:
    kinds: dict[str, Any] = activity.KINDS
    assert sorted(tag for kind in kinds.values() for tag in kind.tags()) == sorted(Tag)
