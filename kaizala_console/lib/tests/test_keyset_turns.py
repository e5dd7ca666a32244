"""Rows of which some stand before all others, in pages by key."""

from __future__ import annotations

import pytest
from django.contrib.sessions.models import Session
from django.db.models import QuerySet

from kaizala_console.lib import keyset
from kaizala_console.lib.tests.test_keyset import add_sessions

pytestmark = pytest.mark.django_db


def in_turn(asked: list[str], cursor: str | None, size: int) -> keyset.Page[Session]:
    """Those with "b" first, then all others in two parts."""
    rows = Session.objects.order_by()

    def first() -> list[QuerySet[Session]]:
        asked.append("first")
        return [rows.filter(session_data="b")]

    def others() -> list[QuerySet[Session]]:
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
