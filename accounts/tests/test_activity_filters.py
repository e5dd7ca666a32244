"""Activity by a filter: page by page, each event that matches is met once, by who may read it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db.models import Q

from accounts.audit import queries
from accounts.audit.events import EventType
from accounts.audit.queries import matches_words
from accounts.models import AuditEvent, User
from accounts.tests.test_activity_page import happened
from accounts.views.timeline import EVENT_CATEGORIES
from kaizala_console.dashboard.activity import build_condition
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.postgresql


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


def test_the_way_back_leads_to_the_newer_events(member: User) -> None:
    herons = [happened(member, subject_name="Heron") for _number in range(4)]
    happened(member)
    page = queries.get_page(queries.own_scope(member), only=matches_words("heron"), size=2, after=herons[0].pk)
    assert (page.events, page.older, page.newer) == (herons[2:0:-1], herons[1].pk, herons[2].pk)
    page = queries.get_page(queries.own_scope(member), only=matches_words("heron"), size=2, after=herons[2].pk)
    assert (page.events, page.newer) == ([herons[3]], None)


@pytest.mark.parametrize("own", [1, 5])
def test_own_acts_in_a_group_are_found_be_they_few_or_many(member: User, stranger: User, own: int) -> None:
    group = ids.new_id()
    for _number in range(9):
        happened(stranger, group_id=group)
    mine = [happened(member, group_id=group).pk for _number in range(own)]
    happened(member)
    assert walked(member, Q(group_id=group)) == mine[::-1]


def test_days_are_whole_and_both_are_included(member: User) -> None:
    day = dt.timedelta(days=1)
    noon = clock.now().replace(hour=12, minute=0)
    then = [happened(member, at=noon - number * day).pk for number in range(5)]
    chosen = {"since": (noon - 3 * day).date(), "until": (noon - day).date()}
    assert walked(member, build_condition(chosen, member)) == sorted(then[1:4], reverse=True)


def test_each_kind_has_its_tags() -> None:
    assert sorted(tag for kind in EVENT_CATEGORIES.values() for tag in kind.tags()) == sorted(EventType)
