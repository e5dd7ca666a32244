"""The users of a group by name: few are sorted, of many a page is met on a walk through everybody by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Person, User
from accounts.tests.factories import make_person
from groups import people_search
from groups.models import Group, Membership
from groups.queries import groups
from kaizala_console.lib import keyset
from kaizala_console.lib.keyset import Page
from kaizala_console.tests import plans

pytestmark = pytest.mark.django_db

NAMES = [
    "Zoe",
    "Priya Shah",
    "Priya Shah",
    "",
    "priya shetty",
    "Anupriya",
    "",
    "Priya",
    "Meera",
    "Asha",
    "प्रिया",
    "Umar",
]
ADMINS = {"Priya", "Zoe", "Asha"}
FEW, MANY = 5000, 1  # by the bound: all are few, all are many
BOUNDS = pytest.mark.parametrize("most", [FEW, 3, MANY])


@pytest.fixture
def crowd(group: Group) -> Group:
    """A group of them all; everybody is, under the same names, in no group as well."""
    for number, name in enumerate(NAMES):
        person = make_person(name)
        Person.objects.filter(pk=person.pk).update(provisioned_at=person.created_at if number % 3 else None)
        role = Membership.Role.ADMIN if name in ADMINS else Membership.Role.MEMBER
        Membership.objects.create(group=group, person=person, role=role)
        make_person(name)
    return group


def page(group: Group, **options: Any) -> Page[Membership]:
    return groups.member_page(group, by_name=True, **options)


def leafed(group: Group, size: int, **options: Any) -> tuple[list[Membership], list[Membership]]:
    """All pages on to the last, and back from there."""
    one = page(group, size=size, **options)
    there = list(one.items)
    assert one.previous_cursor is None
    while one.next_cursor:
        assert len(one.items) == size
        one = page(group, size=size, cursor=one.next_cursor, **options)
        there += one.items
    back = list(one.items)
    while one.previous_cursor:
        one = page(group, size=size, cursor=one.previous_cursor, **options)
        back = one.items + back
    return there, back


@BOUNDS
def test_the_same_are_shown_in_the_same_order_however_many_there_are(
    crowd: Group, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_search, "MOST", most)
    for only in ("", "admins", "members", "not-registered"):
        for search in ("", "priya", "PRIYA S", "iya", "a", "98", "प्रि", "nobody"):
            wanted = in_order(crowd, only, search)
            for size in (2, 50):
                assert leafed(crowd, size, only=only, search=search) == (wanted, wanted), (only, search)


def in_order(group: Group, only: str, search: str) -> list[Membership]:
    """First those whose names begin with what is looked for, then the others, each by name."""
    rows = Membership.objects.filter(people_search.ONLY.get(only, Q()), group=group)
    if search:
        rows = rows.filter(people_search.matching(search, person="person__"))
    first = {"priya": ("Priya", "priya"), "PRIYA S": ("Priya S",), "a": ("A",), "प्रि": ("प्रि",)}.get(search, ())
    return sorted(rows.order_by("person__name", "person_id"), key=lambda row: not row.person.name.startswith(first))


@BOUNDS
def test_each_comes_with_their_person_and_role(crowd: Group, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_search, "MOST", most)
    rows = page(crowd).items
    with CaptureQueriesContext(connection) as asked:
        assert {row.person.name for row in rows if row.role == Membership.Role.ADMIN} == {*ADMINS, "Arjun Mehta"}
    assert not asked.captured_queries


@pytest.mark.parametrize(
    ("most", "search", "statements"), [(FEW, "", 3), (MANY, "", 3), (FEW, "priya", 4), (MANY, "priya", 8)]
)
def test_a_page_takes_a_few_statements(
    crowd: Group,
    most: int,
    search: str,
    statements: int,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: Callable[..., Any],
) -> None:
    monkeypatch.setattr(people_search, "MOST", most)
    first = page(crowd, search=search, size=2)
    with django_assert_num_queries(statements):
        page(crowd, search=search, size=2, cursor=first.next_cursor)


def test_nobody_takes_no_statement_for_their_memberships(
    crowd: Group, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(3):
        assert page(crowd, search="nobody").items == []


def test_a_page_mark_goes_on_when_few_become_many(crowd: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = page(crowd).items
    first = page(crowd, size=4)
    monkeypatch.setattr(people_search, "MOST", MANY)
    assert first.items + page(crowd, cursor=first.next_cursor).items == whole


@BOUNDS
def test_a_page_mark_of_another_order_is_none(crowd: Group, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_search, "MOST", most)
    with pytest.raises(keyset.BadCursor):
        page(crowd, cursor=groups.member_page(crowd, size=2).next_cursor)


def test_many_are_met_on_a_walk_by_the_index_of_names(crowd: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is asked whether they are in this group: nobody's name is sorted, and no membership of others read."""
    monkeypatch.setattr(people_search, "MOST", MANY)
    with CaptureQueriesContext(connection) as asked:
        page(crowd, size=2)
    (walk,) = [one["sql"] for one in asked.captured_queries if "ORDER BY" in one["sql"]]
    plan = "\n".join(plans.steps_of([walk], avoid=plans.OF_SMALL_TABLES))
    assert "person_by_name" in plan, plan
    assert "one_membership_a_person" in plan or "(group_id=? AND person_id=?)" in plan, plan
    assert "B-TREE" not in plan, plan
    assert "Sort Key" not in plan, plan


def test_a_group_of_any_size_is_offered_by_name(
    crowd: Group, group_admin: User, browser_of: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_search, "MOST", MANY)
    monkeypatch.setattr(people_search, "FILTERED", 2)
    answer = browser_of(group_admin).get(reverse("groups:details", args=[crowd.pk]), {"sort": "name", "only": "admins"})
    html = answer.content.decode()
    assert 'name="sort"' in html
    assert 'name="only"' not in html
    rows = " ".join(re.findall(r'<th scope="row">.*?</th>', html, flags=re.DOTALL))
    assert rows.index(">Anupriya<") < rows.index(">Arjun Mehta<") < rows.index(">Meera<") < rows.index(">Zoe<")
