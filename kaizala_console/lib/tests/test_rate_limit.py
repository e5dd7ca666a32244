"""Rate limits: exact in one Redis or one process, and no reason to stop everything."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from structlog.testing import capture_logs

from kaizala_console.lib import rate_limit
from kaizala_console.lib.rate_limit import Limit, Refusal, check, count, hit

pytestmark = [pytest.mark.both, pytest.mark.postgresql]  # in memory, and in Redis


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No count is lost because the machine paused for a moment."""
    monkeypatch.setattr(rate_limit, "_TIMEOUT_SECONDS", 30)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel("2026-11-24T12:00:00Z", tick=False) as traveller:
        yield traveller


def test_the_next_after_the_limit_waits_until_the_oldest_is_out_of_the_window(clock: time_machine.Traveller) -> None:
    limit = Limit("one", 2)
    assert hit(limit) is None
    clock.shift(20)
    assert hit(limit) is None
    refusal = hit(limit)
    assert refusal in (Refusal(limit, 40), Refusal(limit, 41))  # Redis tells times to a tenth of a millisecond
    assert check(limit) == refusal
    assert count(limit, Limit("other", 2)) == [2, 0]
    clock.shift(refusal.retry_after if refusal else 0)
    assert check(limit) is None
    assert hit(limit) is None
    assert hit(limit) is not None
    clock.shift(61)
    assert count(limit) == [0]


def test_what_the_narrower_limit_refuses_takes_nothing_from_the_wider_one(clock: time_machine.Traveller) -> None:
    narrow, wide = Limit("narrow", 1), Limit("wide", 2)
    assert hit(narrow, wide) is None
    refusal = hit(narrow, wide)
    assert refusal is not None
    assert refusal.limit == narrow
    assert count(narrow, wide) == [1, 1]
    refusal = hit(Limit("else", 5), wide) or hit(Limit("else", 5), wide)
    assert refusal is not None
    assert refusal.limit == wide
    assert hit() is None


@pytest.mark.parametrize("key", ["+91 98765 43210", "é" * 500, "new\nline \0"])
def test_any_text_is_a_key(key: str) -> None:
    assert hit(Limit(key, 1)) is None
    assert hit(Limit(key, 1)) is not None
    assert hit(Limit(key, 1, 3600)) is None


@pytest.mark.parametrize("most", [25, 100, 1050])
def test_of_many_threads_at_once_exactly_as_many_pass_as_the_limit_says(most: int) -> None:
    limit = Limit("threads", most)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _number: hit(limit), range(most + 100)))
    assert answers.count(None) == most


def test_processes_exceed_a_limit_by_one_block_each_at_most(
    clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst that can be: each holds a whole block when the window in which it was taken is nearly over."""
    limit, processes = Limit("processes", 100), [rate_limit._Blocks() for _number in range(4)]

    def hit_in(blocks: rate_limit._Blocks) -> bool:
        monkeypatch.setattr(rate_limit, "_blocks", blocks)
        return hit(limit) is None

    assert all(map(hit_in, processes))  # each has taken a block, and spent one of it
    clock.shift(59)
    passed = sum(hit_in(blocks) for blocks in processes for _number in range(4))
    clock.shift(2)
    passed += sum(hit_in(processes[0]) for _number in range(200))
    assert 100 < passed <= 100 + len(processes) * limit.block
    clock.shift(61)
    assert sum(hit_in(processes[0]) for _number in range(200)) == 100  # an old block is worth nothing


def test_while_redis_is_away_everything_passes_and_the_log_says_so_once(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    limit = Limit("away", 1)
    with capture_logs() as logs:
        assert [hit(limit), hit(limit), check(limit)] == [None, None, None]
        assert count(limit) == [0]
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("rate_limit.unreachable", "error")]


def test_a_redis_that_takes_calls_and_never_answers_holds_a_thread_for_a_moment_only(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # with the timeout of production
    with socket.create_server(("127.0.0.1", 0)) as silent, capture_logs():
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        began = time.monotonic()
        assert hit(Limit("silent", 1)) is None
        assert time.monotonic() - began < 3
        began = time.monotonic()
        assert [hit(Limit("silent", 1)) for _ in range(100)] == [None] * 100
        assert time.monotonic() - began < 0.2
