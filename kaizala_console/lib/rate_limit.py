"""Limits on how often something may happen, in moving windows, counted by the library `limits` (ADR 0054).

What all processes have counted stands in Redis. A process takes from there in blocks of a twentieth of a limit and
spends them without asking: a limit under 40 is asked at each call, a large one at every fiftieth. So in any window at
most the limit and one block a process pass; what lies unspent in one process is missing in the others.

Without Redis the console is a sandbox, and each process counts in its own memory. When Redis cannot be reached,
everything passes, and the log says so: these limits are for fairness. What must hold even then, such as how many SMS
are sent, is counted in the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import redis
import structlog
from django.conf import settings
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = structlog.get_logger(__name__)

T = TypeVar("T")

BLOCKS_A_LIMIT: Final = 20
MOST_IN_A_BLOCK: Final = 50
MOST_BLOCKS: Final = 10_000  # that a process keeps; whose block is dropped takes another one
_TIMEOUT_SECONDS: Final = 0.25  # for Redis, on every call
_REST_SECONDS: Final = 5  # a Redis that did not answer is left alone for so long


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` times in any `seconds` for all that is counted under `key`."""

    key: str
    most: int
    seconds: int = 60

    @property
    def block(self) -> int:
        """How many a process takes at once from the shared count: a twentieth, and 50 at most."""
        return min(self.most // BLOCKS_A_LIMIT, MOST_IN_A_BLOCK) or 1

    @property
    def item(self) -> RateLimitItemPerSecond:
        return RateLimitItemPerSecond(self.most, self.seconds)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which limit is exhausted, and after how many seconds it is worth another try."""

    limit: Limit
    retry_after: int


def hit(*limits: Limit) -> Refusal | None:
    """Count one against each limit in turn; stop at the first that is exhausted and return it.

    Put the narrower limit first: who exceeds it takes nothing from the wider ones. What is refused does not count
    against the limit that refuses it.
    """
    for limit in limits:
        refusal = _hit(limit)
        if refusal is not None:
            return refusal
    return None


def check(limit: Limit) -> Refusal | None:
    """Return the refusal that `hit` would return, without counting."""
    if _blocks.left(limit):
        return None
    return _ask(lambda limiter: None if limiter.test(limit.item, limit.key) else _refusal(limiter, limit))


def count(*limits: Limit) -> list[int]:
    """Return how much of each limit is used; 0 for all while Redis cannot be reached.

    What lies unspent in another process counts as used.
    """

    def ask(limiter: MovingWindowRateLimiter) -> list[int]:
        taken = [limit.most - limiter.get_window_stats(limit.item, limit.key).remaining for limit in limits]
        return [number - _blocks.left(limit) for number, limit in zip(taken, limits, strict=True)]

    return _ask(ask) or [0] * len(limits)


def _hit(limit: Limit) -> Refusal | None:
    if limit.block == 1:
        return _ask(partial(_take, limit))
    if _blocks.spend(limit):
        return None
    with _taking:  # one block at a time, else a process would hold several
        return None if _blocks.spend(limit) else _ask(partial(_take, limit))


def _take(limit: Limit, limiter: MovingWindowRateLimiter) -> Refusal | None:
    """Take a whole block, of which one is spent now; near the end of a limit, what is left one by one."""
    if limit.block > 1 and limiter.hit(limit.item, limit.key, cost=limit.block):
        _blocks.add(limit)
        return None
    return None if limiter.hit(limit.item, limit.key) else _refusal(limiter, limit)


def _refusal(limiter: MovingWindowRateLimiter, limit: Limit) -> Refusal:
    ends = limiter.get_window_stats(limit.item, limit.key).reset_time
    return Refusal(limit, max(1, int(ends - time.time()) + 1))


class _Blocks:
    """What this process has taken and not yet spent, for as long as the window that it was taken in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Limit, tuple[int, float]] = {}

    def spend(self, limit: Limit) -> bool:
        """Spend one of a block; False when there is none."""
        with self._lock:
            left, until = self._held.get(limit, (0, 0.0))
            if left == 0:
                return False
            if left > 1 and time.time() < until:
                self._held[limit] = left - 1, until
            else:
                del self._held[limit]
            return time.time() < until

    def left(self, limit: Limit) -> int:
        """How many are unspent."""
        left, until = self._held.get(limit, (0, 0.0))
        return left if time.time() < until else 0

    def add(self, limit: Limit) -> None:
        """Keep a block of which one is spent."""
        with self._lock:
            if len(self._held) >= MOST_BLOCKS:
                self._held.clear()
            self._held[limit] = limit.block - 1, time.time() + limit.seconds


_blocks = _Blocks()
_taking = threading.Lock()
_making = threading.Lock()
_limiter: MovingWindowRateLimiter | None = None
_backoff_until = 0.0


def reset() -> None:
    """Begin again with the present settings, and forget what was counted in memory (tests)."""
    global _blocks, _limiter, _backoff_until
    _blocks, _limiter, _backoff_until = _Blocks(), None, 0.0


def _ask(question: Callable[[MovingWindowRateLimiter], T]) -> T | None:
    """Return the answer; None while Redis cannot be reached. It is asked again after a rest."""
    global _limiter, _backoff_until
    if time.monotonic() < _backoff_until:
        return None
    with _making:
        _limiter = _limiter or MovingWindowRateLimiter(_storage())
    try:
        return question(_limiter)
    except (redis.RedisError, OSError) as problem:
        _backoff_until = time.monotonic() + _REST_SECONDS
        logger.exception("rate_limit.unreachable", problem=type(problem).__name__, unlimited_for_seconds=_REST_SECONDS)
        return None


def _storage() -> RedisStorage | MemoryStorage:
    if not settings.REDIS_URL:
        return MemoryStorage()
    pool = redis.ConnectionPool.from_url(
        settings.REDIS_URL,
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),  # once, over a new connection: Redis closes those that were idle
    )
    prefix = settings.CACHES["default"].get("KEY_PREFIX", "")
    return RedisStorage(settings.REDIS_URL, connection_pool=pool, key_prefix=f"{prefix}:rate")
