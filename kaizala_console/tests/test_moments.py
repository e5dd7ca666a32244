"""How far a moment is from now, when it is exactly, and how much of a life is left: in words, and drawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kaizala_console.templatetags import console
from kaizala_console.tests.test_components import render

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        (timedelta(seconds=20), "now"),
        (timedelta(seconds=-61), "1 minute ago"),
        (timedelta(minutes=5), "in 5 minutes"),
        (timedelta(hours=-7), "7 hours ago"),
        (timedelta(days=7, seconds=-1), "in 7 days"),
        (timedelta(hours=23, minutes=30), "in 1 day"),
        (timedelta(days=-7, seconds=1), "6 days ago"),
        (timedelta(days=-400), "400 days ago"),
        (timedelta(days=730), "in 730 days"),
        (timedelta(days=731), "in 2 years"),
        (timedelta(days=-1200), "3 years ago"),
    ],
)
def test_a_moment_is_told_from_now(time_machine: Any, delta: timedelta, words: str) -> None:
    time_machine.move_to(NOW, tick=False)
    assert console.relative(NOW + delta) == words


def test_a_moment_has_its_exact_time_with_the_zone_beside_it(time_machine: Any, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"
    time_machine.move_to(NOW, tick=False)
    html = render('{{ at|moment:"both" }}', at=NOW + timedelta(days=23, minutes=-205))
    assert 'title="17 Dec 2026, 14:05 IST"' in html
    assert 'datetime="2026-12-17T14:05:00+05:30"' in html
    assert "in 23 days" in html


@pytest.mark.parametrize(
    ("left", "tone", "percent"),
    [
        (timedelta(days=365), "live", 100),
        (timedelta(days=30, seconds=1), "live", 9),
        (timedelta(days=30), "soon", 9),
        (timedelta(days=7, seconds=1), "soon", 2),
        (timedelta(days=7), "refused", 2),
        (timedelta(seconds=1), "refused", 1),
        (timedelta(0), "ended", 0),
        (timedelta(days=-3), "ended", 0),
    ],
)
def test_days_left_turn_amber_at_thirty_and_red_at_seven(
    time_machine: Any, left: timedelta, tone: str, percent: int
) -> None:
    time_machine.move_to(NOW, tick=False)
    facts = console.days_left_facts(NOW + left)
    assert (facts["tone"], facts["percent"]) == (tone, percent)
