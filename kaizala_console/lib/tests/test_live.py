"""Marks of what a page was drawn from: the same while nothing changes, and nobody else's."""

from __future__ import annotations

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

from kaizala_console.lib import live

pytestmark = pytest.mark.once


def asking(seen: str, **headers: str) -> HttpRequest:
    return RequestFactory().get("/page/", {"seen": seen}, headers={"HX-Request": "true", **headers})


def seen_in(marks: live.Marks) -> str:
    return live.address("/page/", marks).partition("seen=")[2]


def test_the_same_things_are_no_change_and_their_order_is_none_either() -> None:
    request = asking(seen_in(live.marks(1, "list", ["a", "b"])))
    assert not live.changes(request, live.marks(1, "list", ["b", "a"]))


def test_what_is_new_is_named_in_order_and_what_is_gone_is_noticed() -> None:
    request = asking(seen_in(live.marks(1, "list", ["a", "b"])))
    changes = live.changes(request, live.marks(1, "list", ["d", "c", "b"]))
    assert changes == live.Changes(new=("d", "c"), gone=True)


@pytest.mark.parametrize(("reader", "subject"), [(2, "list"), (1, "other")])
def test_marks_are_of_one_reader_and_one_kind_of_page(reader: int, subject: str) -> None:
    assert live.marks(reader, subject, ["a"]).keys().isdisjoint(live.marks(1, "list", ["a"]))


def test_a_long_list_makes_no_longer_address() -> None:
    everything = live.address("/page/", live.marks(1, "list", range(100_000)))
    assert len(everything) < 600


@pytest.mark.parametrize("seen", ["", ".", "zz", "a" * 5000])
def test_marks_that_nobody_made_are_a_change(seen: str) -> None:
    assert live.changes(asking(seen), live.marks(1, "list", ["a"]))


def test_nothing_before_and_nothing_now_is_no_change() -> None:
    assert not live.changes(asking(""), live.marks(1, "list", []))


def test_only_an_open_page_polls() -> None:
    assert live.is_poll(asking("x"))
    assert not live.is_poll(RequestFactory().get("/page/", {"seen": "x"}))
    assert not live.is_poll(RequestFactory().get("/page/", headers={"HX-Request": "true"}))
    assert not live.is_poll(RequestFactory().post("/page/?seen=x", headers={"HX-Request": "true"}))
