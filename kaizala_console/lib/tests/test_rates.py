"""Limits on calls a minute: exact, whatever number of processes counts, and no reason to stop everything."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.conf import settings as configured
from structlog.testing import capture_logs

from kaizala_console.lib import rates
from kaizala_console.lib.rates import FileCounters, Limit, RedisCounters, Refusal, take, taken

pytestmark = pytest.mark.both  # the counters are in a file, and in Redis

MINUTE = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent.parent.parent
# Every process takes as often as it is told, from the moment that its input ends; it prints how often it could.
TAKING = """
import sys
from kaizala_console.lib import rates
from kaizala_console.lib.rates import FileCounters, Limit
rates._PATIENCE_SECONDS = 30
path, key, times = sys.argv[1:]
print("ready", flush=True)
sys.stdin.read()
counters = FileCounters(path)
print(sum(counters.take([Limit(key, 100), Limit(f"{key}+", 1000)], 7) is None for _ in range(int(times))))
"""


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Counters that have met no trouble yet, and meet none because the machine stands still for a moment."""
    rates.reset()
    monkeypatch.setattr(rates, "_PATIENCE_SECONDS", 30)
    yield
    rates.reset()


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands at the beginning of a minute until it is moved."""
    with time_machine.travel(MINUTE, tick=False) as traveller:
        yield traveller


@pytest.fixture
def key() -> str:
    """A key that no other test counts on."""
    return f"test:{uuid4()}"


def test_what_is_within_the_limit_passes_and_the_next_waits_for_the_end_of_the_minute(
    clock: time_machine.Traveller, key: str
) -> None:
    clock.shift(timedelta(seconds=20))
    limit = Limit(key, 2)
    assert [take([limit]) for _ in range(3)] == [None, None, Refusal(limit, 40)]


def test_a_new_minute_starts_at_nothing(clock: time_machine.Traveller, key: str) -> None:
    limit = Limit(key, 1)
    assert take([limit]) is None
    clock.shift(timedelta(seconds=59))
    assert take([limit]) == Refusal(limit, 1)
    clock.shift(timedelta(seconds=1))
    assert take([limit]) is None
    assert taken([key]) == [1]


def test_what_one_limit_refuses_counts_against_none(clock: time_machine.Traveller, key: str) -> None:
    own, shared = Limit(key, 1), Limit(f"{key}+", 3)
    assert take([own, shared]) is None
    assert take([own, shared]) == take([shared, own]) == Refusal(own, 60)
    assert taken([own.key, shared.key]) == [1, 1]


def test_the_limit_that_is_exhausted_is_named(clock: time_machine.Traveller, key: str) -> None:
    own, shared = Limit(key, 5), Limit(f"{key}+", 1)
    assert take([own, shared]) is None
    assert take([own, shared]) == Refusal(shared, 60)


def test_no_limit_refuses_nothing() -> None:
    assert take([]) is None


def test_what_was_never_counted_is_nothing(key: str) -> None:
    assert taken([key, f"{key}+"]) == [0, 0]


def test_last_minutes_count_is_not_this_minutes(clock: time_machine.Traveller, key: str) -> None:
    take([Limit(key, 5)])
    clock.shift(timedelta(minutes=1))
    assert taken([key]) == [0]


@pytest.fixture(params=["file", "redis"])
def counters(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[rates.Counters]:
    """Both kinds, whatever the settings say."""
    made: rates.Counters
    if request.param == "file":
        made = FileCounters(str(tmp_path / "rates.sqlite3"))
    elif configured.REDIS_URL:
        made = RedisCounters(configured.REDIS_URL, "test")
    else:
        pytest.skip("needs Redis")
    yield made
    made.close()


def test_of_many_threads_at_once_exactly_as_many_pass_as_the_limit_says(counters: rates.Counters, key: str) -> None:
    limits = [Limit(key, 25), Limit(f"{key}+", 30)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _number: counters.take(limits, 7), range(100)))
    assert answers.count(None) == 25
    assert answers.count(0) == 75
    assert counters.taken([key, f"{key}+"], 7) == [25, 25]


def test_of_real_processes_at_once_exactly_as_many_calls_pass_as_the_limit_says(tmp_path: Path, key: str) -> None:
    path = tmp_path / "rates.sqlite3"
    command = [sys.executable, "-c", TAKING, str(path), key, "80"]
    processes = [
        subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _number in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    passed = [int(process.communicate(timeout=30)[0]) for process in processes]
    assert sum(passed) == 100


def test_whoever_comes_late_from_the_minute_before_counts_in_this_one(tmp_path: Path, key: str) -> None:
    counters, limit = FileCounters(str(tmp_path / "rates.sqlite3")), Limit(key, 2)
    assert [counters.take([limit], minute) for minute in (8, 7, 8)] == [None, None, 0]
    counters.close()


@pytest.mark.parametrize("where", ["no_file", "no_redis", "not_a_database"])
def test_counters_that_cannot_be_reached_let_everything_pass_and_the_log_says_so_once(
    where: str, tmp_path: Path, key: str, settings: Any
) -> None:
    if where == "no_redis":
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
    else:
        settings.REDIS_URL, settings.DATA_DIR = "", tmp_path / "folder"
    if where == "not_a_database":
        settings.DATA_DIR.mkdir()
        (settings.DATA_DIR / "rates.sqlite3").write_bytes(b"nonsense" * 1000)
    with capture_logs() as logs:
        assert [take([Limit(key, 1)]) for _ in range(3)] == [None, None, None]
        assert taken([key]) == [0]
    assert [entry["event"] for entry in logs] == ["rates.unreachable"]
    assert logs[0]["log_level"] == "error"


def test_counters_that_come_back_count_again(tmp_path: Path, key: str, settings: Any) -> None:
    settings.REDIS_URL, settings.DATA_DIR = "", tmp_path / "folder"
    limit = Limit(key, 1)
    with time_machine.travel(MINUTE, tick=False) as traveller, capture_logs():
        assert [take([limit]) for _ in range(2)] == [None, None]
        settings.DATA_DIR.mkdir()
        traveller.shift(timedelta(minutes=1))
        rates._rests_until = 0.0
        assert [take([limit]) for _ in range(2)] == [None, Refusal(limit, 60)]
