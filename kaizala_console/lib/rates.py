"""Limits on calls a minute, right across all processes, and cheap enough to be asked on every call (ADR 0054).

In Redis one script counts against all limits of a call, in one exchange. Without Redis the console is one machine, and
the counters are in a file of their own, which SQLite locks for some microseconds: in the database they would wait for
whoever writes there. When the counters cannot be reached, calls pass, and the log says so: a limit is for fairness, and
no reason to stop everything.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from kaizala_console.lib import clock

logger = structlog.get_logger(__name__)

T = TypeVar("T")

WINDOW_SECONDS: Final = 60
_PATIENCE_SECONDS: Final = 0.25  # for the counters, on every call
_REST_SECONDS: Final = 5  # unreachable counters are left alone for so long


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` in a minute for all that is counted under `key`."""

    key: str
    most: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which limit is exhausted, and in how many seconds it is not any more."""

    limit: Limit
    retry_after: int


def take(limits: Sequence[Limit]) -> Refusal | None:
    """Count one against all of the limits; or against none of them, and say which is exhausted.

    Windows are the clock's minutes: at the seam of two of them twice the limit can pass.
    """
    if not limits:
        return None
    window, elapsed = divmod(int(clock.now().timestamp()), WINDOW_SECONDS)
    exhausted = _asked(lambda counters: counters.take(limits, window))
    if exhausted is None:
        return None
    return Refusal(limits[exhausted], WINDOW_SECONDS - elapsed)


def taken(keys: Sequence[str]) -> list[int]:
    """How much of this minute is counted under each key; 0 for all when the counters cannot be reached."""
    window = int(clock.now().timestamp()) // WINDOW_SECONDS
    counts = _asked(lambda counters: counters.taken(keys, window))
    return counts if counts is not None else [0] * len(keys)


class Counters(Protocol):
    """Where the counts are."""

    def take(self, limits: Sequence[Limit], window: int) -> int | None:
        """Count one against each; or against none, and return the place of the first exhausted one."""

    def taken(self, keys: Sequence[str], window: int) -> list[int]:
        """Return what is counted in this window."""

    def close(self) -> None:
        """Let go of connections."""


# In Redis ---------------------------------------------------------------------------------------------------------

# KEYS are the counters of this window, ARGV their limits and then the seconds that a counter lives.
_TAKE: Final = """
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[i]) then return i end
end
for i, key in ipairs(KEYS) do
  if redis.call('INCR', key) == 1 then redis.call('EXPIRE', key, ARGV[#ARGV]) end
end
return 0
"""


class RedisCounters:
    """One round trip a call, whatever number of limits."""

    def __init__(self, url: str, prefix: str) -> None:
        # A connection that Redis has closed meanwhile is opened anew, once; else nobody waits.
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=_PATIENCE_SECONDS,
            socket_connect_timeout=_PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        self._take = self._redis.register_script(_TAKE)
        self._prefix = prefix

    def take(self, limits: Sequence[Limit], window: int) -> int | None:
        names = [self._name(limit.key, window) for limit in limits]
        place: Any = self._take(keys=names, args=[*(limit.most for limit in limits), 2 * WINDOW_SECONDS])
        return int(place) - 1 if place else None

    def taken(self, keys: Sequence[str], window: int) -> list[int]:
        counts: Any = self._redis.mget([self._name(key, window) for key in keys])
        return [int(count or 0) for count in counts]

    def close(self) -> None:
        self._redis.close()

    def _name(self, key: str, window: int) -> str:
        return f"{self._prefix}:rate:{{{key}}}:{window}"


# In a file --------------------------------------------------------------------------------------------------------

_TABLE: Final = "CREATE TABLE IF NOT EXISTS taken (key TEXT PRIMARY KEY, minute INT, count INT) WITHOUT ROWID, STRICT"
# A row a key: a later minute starts it anew. No row comes back when the limit is exhausted. Whoever comes late from the
# minute before counts in this one.
_COUNT_ONE: Final = """
INSERT INTO taken VALUES (:key, :minute, 1) ON CONFLICT (key) DO UPDATE
SET count = CASE WHEN excluded.minute > minute THEN 1 ELSE count + 1 END, minute = max(minute, excluded.minute)
WHERE excluded.minute > minute OR count < :most RETURNING count
"""
_OF_MINUTE: Final = "SELECT count FROM taken WHERE key = ? AND minute >= ?"


class FileCounters:
    """A table in a file, one connection a process. Killed at any moment, it leaves the file whole."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0

    def take(self, limits: Sequence[Limit], window: int) -> int | None:
        with self._lock:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                for place, limit in enumerate(limits):
                    values = {"key": limit.key, "minute": window, "most": limit.most}
                    if connection.execute(_COUNT_ONE, values).fetchone() is None:
                        connection.execute("ROLLBACK")
                        return place
                connection.execute("COMMIT")
            except sqlite3.Error:
                self._drop()
                raise
        return None

    def taken(self, keys: Sequence[str], window: int) -> list[int]:
        with self._lock:
            connection = self._open()
            rows = [connection.execute(_OF_MINUTE, (key, window)).fetchone() for key in keys]
        return [row[0] if row else 0 for row in rows]

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None or self._pid != os.getpid():
            self._pid = os.getpid()  # SQLite's connections do not survive a fork
            self._connection = _prepared(self._path)
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._pid == os.getpid():
            connection.close()


def _prepared(path: str) -> sqlite3.Connection:
    """Several processes may start at once, and changing the mode of a new file does not wait for another's lock."""
    connection = sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None, check_same_thread=False)
    for tries_left in range(20, -1, -1):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(_TABLE)
            break
        except sqlite3.Error as problem:
            if not tries_left or not isinstance(problem, sqlite3.OperationalError):
                connection.close()
                raise
            time.sleep(0.01)
    return connection


# Which, and what if it does not answer ----------------------------------------------------------------------------

_making = threading.Lock()
_counters: Counters | None = None
_rests_until = 0.0


def reset() -> None:
    """Begin anew with the present settings (tests)."""
    global _counters, _rests_until
    if _counters is not None:
        _counters.close()
    _counters, _rests_until = None, 0.0


def _asked(question: Callable[[Counters], T]) -> T | None:
    """The counters' answer; None while they cannot be reached. Asked again when they have rested."""
    global _counters, _rests_until
    if time.monotonic() < _rests_until:
        return None
    try:
        if _counters is None:
            with _making:
                _counters = _counters or _made()
        return question(_counters)
    except (redis.RedisError, sqlite3.Error, OSError) as problem:
        _rests_until = time.monotonic() + _REST_SECONDS
        logger.exception("rates.unreachable", problem=type(problem).__name__, unlimited_for_seconds=_REST_SECONDS)
        return None


def _made() -> Counters:
    if settings.REDIS_URL:
        return RedisCounters(settings.REDIS_URL, str(settings.CACHES["default"].get("KEY_PREFIX", "")))
    return FileCounters(str(settings.DATA_DIR / "rates.sqlite3"))
