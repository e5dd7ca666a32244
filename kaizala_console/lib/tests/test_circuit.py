"""A service that is down is left alone for a while; then one call finds out whether it is back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.core.cache import cache

from kaizala_console.lib.circuit_breaker import CircuitBreaker

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
CIRCUIT = CircuitBreaker("somebody", failures=3, seconds=60)


@pytest.fixture
def down(travel: Callable[..., dt.datetime]) -> None:
    """Three calls in a row failed."""
    for _ in range(3):
        assert CIRCUIT.allows()
        CIRCUIT.failed()


def test_after_enough_failures_it_opens(down: None) -> None:
    assert not CIRCUIT.allows()


def expire(*keys: str) -> None:
    """The pause is over (Redis keeps time by a clock of its own)."""

    cache.delete_many([f"circuit:somebody:{key}" for key in keys])


def test_after_the_pause_one_may_try(down: None) -> None:
    expire("open")
    assert [CIRCUIT.allows() for _ in range(3)] == [True, False, False]


def test_its_failure_opens_it_again(down: None) -> None:
    expire("open")
    assert CIRCUIT.allows()
    CIRCUIT.failed()
    assert not CIRCUIT.allows()
    expire("open")
    assert CIRCUIT.allows()


def test_one_that_never_reported_does_not_block_for_ever(down: None) -> None:
    expire("open")
    assert CIRCUIT.allows()
    expire("probe")
    assert CIRCUIT.allows()


def test_failures_with_an_answer_between_them_do_not_open_it(travel: Callable[..., dt.datetime]) -> None:
    for _ in range(5):
        CIRCUIT.failed()
        CIRCUIT.failed()
        CIRCUIT.succeeded()
    assert CIRCUIT.allows()


def test_its_answer_closes_it(down: None) -> None:
    expire("open")
    assert CIRCUIT.allows()
    CIRCUIT.succeeded()
    assert all(CIRCUIT.allows() for _ in range(3))


def test_circuits_are_told_apart_by_name(down: None) -> None:
    assert CircuitBreaker("somebody-else").allows()
