"""What is kept in the cache: no code of somebody else, and which service is down."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache, caches

from kaizala_console.lib.circuit_breaker import CircuitBreaker
from kaizala_console.lib.tests.cast import Travel

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
CIRCUIT = CircuitBreaker("somebody", failures=3, seconds=60)


@pytest.fixture
def down(travel: Travel) -> None:
    """Three calls in a row failed."""
    for _ in range(3):
        assert CIRCUIT.allows()
        CIRCUIT.failed()


def expire(key: str) -> None:
    """The pause is over (Redis keeps time by a clock of its own)."""
    cache.delete(f"circuit:somebody:{key}")


def test_it_opens_for_one_name_and_after_the_pause_one_may_try(down: None) -> None:
    assert not CIRCUIT.allows()
    assert CircuitBreaker("somebody-else").allows()
    expire("open")
    assert [CIRCUIT.allows() for _ in range(3)] == [True, False, False]
    expire("probe")
    assert CIRCUIT.allows(), "one that never reported does not block for ever"


def test_the_one_that_tries_opens_or_closes_it(down: None) -> None:
    expire("open")
    assert CIRCUIT.allows()
    CIRCUIT.failed()
    assert not CIRCUIT.allows()
    expire("open")
    assert CIRCUIT.allows()
    CIRCUIT.succeeded()
    assert all(CIRCUIT.allows() for _ in range(3))


def test_failures_with_an_answer_between_them_do_not_open_it(travel: Travel) -> None:
    for _ in range(5):
        CIRCUIT.failed()
        CIRCUIT.failed()
        CIRCUIT.succeeded()
    assert CIRCUIT.allows()


class Attack:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.services
def test_the_cache_runs_nothing_that_somebody_put_into_redis(tmp_path: Path) -> None:
    cache = caches["default"]
    redis = cache._cache.get_client()  # type: ignore[attr-defined]
    redis.set(cache.make_key("trap"), pickle.dumps(Attack(tmp_path / "caught")))
    with pytest.raises(ValueError, match=r"decode|JSON|Expecting"):
        cache.get("trap")
    assert not (tmp_path / "caught").exists()
    cache.set("count", 1)
    cache.incr("count")
    cache.set("text", "é")
    assert cache.get_many(["count", "text"]) == {"count": 2, "text": "é"}
