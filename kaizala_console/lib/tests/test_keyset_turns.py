"""Rows of which some stand before all others, in pages by key."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db.models import QuerySet

from kaizala_console.lib import keyset
from kaizala_console.lib.tests.test_keyset import add_sessions

pytestmark = pytest.mark.django_db
Session: Any = apps.get_model("accounts", "Session")


def in_turn(asked: list[str], cursor: str | None, size: int) -> keyset.Page[Any]:
    """Those with "b" first, then all others in two parts."""
    rows = Session.objects.order_by()

    def first() -> list[QuerySet[Any]]:
        asked.append("first")
        return [rows.filter(session_data="b")]

    def others() -> list[QuerySet[Any]]:
        asked.append("others")
        return [rows.filter(session_data="a"), rows.filter(session_data="c")]

    return keyset.in_turn(rows, (first, others), ("-expire_date", "session_key"), cursor, size)


@pytest.mark.parametrize("texts", ["abc", "b", "ac", "x"])
@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_rows_in_turn_go_forward_and_back_as_they_are_sorted(texts: str, size: int) -> None:
    add_sessions([3, 1, 1, 4, 2, 2, 5], texts)
    rows = Session.objects.exclude(session_data="x").order_by("-expire_date", "session_key")
    wanted = sorted(rows, key=lambda row: row.session_data != "b")
    page = in_turn([], None, size)
    there = list(page.items)
    while page.next_cursor is not None:
        assert len(page.items) == size
        page = in_turn([], page.next_cursor, size)
        there += page.items
    back = list(page.items)
    while page.previous_cursor is not None:
        page = in_turn([], page.previous_cursor, size)
        back = page.items + back
    assert there == back == wanted


def test_a_turn_is_not_asked_for_before_a_page_comes_to_it() -> None:
    add_sessions([3, 1, 4, 2, 5, 6], "bba")
    asked: list[str] = []
    page = in_turn(asked, None, 2)
    assert asked == ["first"]
    in_turn(asked, page.next_cursor, 2)
    assert asked == ["first", "first", "others"]


def test_a_mark_leads_on_when_all_beyond_it_is_gone_and_a_forged_one_nowhere() -> None:
    add_sessions([3, 1, 4, 2], "ab")
    page = in_turn([], None, 3)
    Session.objects.filter(session_data="a").exclude(pk__in=[row.pk for row in page.items]).delete()
    last = in_turn([], page.next_cursor, 3)
    assert (last.items, last.next_cursor) == ([], None)
    assert in_turn([], last.previous_cursor, 3).items == page.items
    for cursor in ("forged", keyset.page(Session.objects.all(), ("session_key",), None, 1).next_cursor):
        with pytest.raises(keyset.BadCursor):
            in_turn([], cursor, 3)


# Near ----------------------------------------------------------------------------------------------------------------


def near(cursor: str | None, size: int, reach: int) -> keyset.Page[Any] | None:
    """Those with "b", newest first, if `reach` sessions on the way there are enough."""
    rows = Session.objects.order_by()
    order = ("-expire_date", "-session_key")
    return keyset.near_page(rows.filter(session_data="b"), order, cursor, size, along=rows, reach=reach)


def whole(cursor: str | None, size: int) -> keyset.Page[Any]:
    return keyset.page(Session.objects.filter(session_data="b"), ("-expire_date", "-session_key"), cursor, size)


@pytest.mark.parametrize("texts", ["ab", "b", "aaab", "bbbbaaaaaa"])
@pytest.mark.parametrize("reach", [1, 3, 6, 50])
def test_a_near_page_is_the_page_or_nothing_there_and_back(texts: str, reach: int) -> None:
    add_sessions([3, 1, 1, 4, 2, 2, 5, 6, 7, 8], texts)
    cursor, marks, pages = None, [], 0
    for _number in range(9):
        page, found = whole(cursor, 2), near(cursor, 2, reach)
        assert found is None or found == page
        pages += found is not None
        marks += [mark for mark in (page.next_cursor, page.previous_cursor) if mark]
        cursor = page.next_cursor
        if cursor is None:
            break
    for mark in marks:
        assert near(mark, 2, reach) in (None, whole(mark, 2))
    assert pages > 0 or reach < 50


def test_a_near_page_is_none_where_the_others_stand_between() -> None:
    add_sessions([9, 8, 7, 6, 5, 1, 2, 3], "aaaaabbb")
    assert near(None, 2, reach=4) is None
    found = near(None, 2, reach=8)
    assert found is not None
    assert len(found.items) == 2
