"""Counting how often something happened."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection, connections
from pytest_django import Settings

from kaizala_console.lib.throttle import Allowance, hit, peek

MINUTE = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands at the beginning of a minute until it is moved."""
    # The cache is a table in the embedded default, and looks at the clock, too.
    with time_machine.travel(MINUTE, tick=False) as traveller:
        yield traveller


@pytest.fixture
def key() -> str:
    """A key that no other test counts on."""
    return f"test:{uuid4()}"


def test_what_is_within_the_limit_is_allowed_and_the_next_waits_for_the_end_of_the_window(
    clock: time_machine.Traveller, key: str
) -> None:
    clock.shift(timedelta(seconds=20))
    assert [hit(key, 2, 60) for _ in range(3)] == [
        Allowance(allowed=True, remaining=1, retry_after=0),
        Allowance(allowed=True, remaining=0, retry_after=0),
        Allowance(allowed=False, remaining=0, retry_after=40),
    ]


def test_a_new_window_starts_at_nothing(clock: time_machine.Traveller, key: str) -> None:
    assert hit(key, 1, 60).allowed
    assert not hit(key, 1, 60).allowed
    clock.shift(timedelta(seconds=59))
    assert not hit(key, 1, 60).allowed
    clock.shift(timedelta(seconds=1))
    assert hit(key, 1, 60).allowed


def test_keys_and_windows_are_counted_apart(clock: time_machine.Traveller, key: str) -> None:
    assert hit(key, 1, 60).allowed
    assert hit(f"{key}+", 1, 60).allowed
    assert hit(key, 1, 3600).allowed


def test_peeking_counts_nothing(clock: time_machine.Traveller, key: str) -> None:
    assert peek(key, 1, 60) == peek(key, 1, 60) == Allowance(allowed=True, remaining=1, retry_after=0)
    hit(key, 1, 60)
    assert peek(key, 1, 60) == Allowance(allowed=False, remaining=0, retry_after=60)


def test_a_hit_may_weigh_more_than_one(clock: time_machine.Traveller, key: str) -> None:
    assert hit(key, 10, 60, cost=7) == Allowance(allowed=True, remaining=3, retry_after=0)
    assert not hit(key, 10, 60, cost=7).allowed


def test_a_limit_of_nothing_allows_nothing(clock: time_machine.Traveller, key: str) -> None:
    assert not peek(key, 0, 60).allowed
    assert not hit(key, 0, 60).allowed


@pytest.mark.parametrize("text", ["phone:+91 98765 43210", "é" * 500, "new\nline \0 \ud800"])
def test_any_text_is_a_key(clock: time_machine.Traveller, text: str) -> None:
    assert hit(text, 1, 60).allowed


def test_a_window_under_a_second_is_refused() -> None:
    with pytest.raises(ValueError, match="one second"):
        hit("key", 1, 0)


def allowed_of_a_hundred_at_once(key: str, limit: int) -> int:
    """Of one day: its clock stands still, or a hundred that begin before midnight would be those of two."""

    def one(_number: int) -> bool:
        try:
            return hit(key, limit, 86_400).allowed
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(one, range(100)))


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_exactly_as_many_pass_as_the_limit_says(clock: time_machine.Traveller, key: str) -> None:
    assert allowed_of_a_hundred_at_once(key, 25) == 25


@pytest.mark.django_db(transaction=True)
def test_the_same_holds_for_the_database_cache_on_whatever_database(
    settings: Settings, clock: time_machine.Traveller, key: str
) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "counters"}}
    call_command("createcachetable", verbosity=0)
    try:
        assert allowed_of_a_hundred_at_once(key, 25) == 25
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE counters")
