"""Limits on how often something may happen, in moving windows, counted by the library `limits` (ADR 0054).

In Redis one round trip a limit, whatever number of processes counts. Without Redis the console is a sandbox, and each
process counts in its own memory. When Redis cannot be reached, everything passes, and the log says so: these limits are
for fairness. What must hold even then, such as how many SMS are sent, is counted in the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
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

_TIMEOUT_SECONDS: Final = 0.25  # for Redis, on every call
_REST_SECONDS: Final = 5  # a Redis that did not answer is left alone for so long


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` times in any `seconds` for all that is counted under `key`."""

    key: str
    most: int
    seconds: int = 60

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

    def ask(limiter: MovingWindowRateLimiter) -> Refusal | None:
        for limit in limits:
            if not limiter.hit(limit.item, limit.key):
                return _refusal(limiter, limit)
        return None

    return _ask(ask)


def check(limit: Limit) -> Refusal | None:
    """Return the refusal that `hit` would return, without counting."""
    return _ask(lambda limiter: None if limiter.test(limit.item, limit.key) else _refusal(limiter, limit))


def count(*limits: Limit) -> list[int]:
    """Return how much of each limit is used; 0 for all while Redis cannot be reached."""

    def ask(limiter: MovingWindowRateLimiter) -> list[int]:
        return [limit.most - limiter.get_window_stats(limit.item, limit.key).remaining for limit in limits]

    return _ask(ask) or [0] * len(limits)


def _refusal(limiter: MovingWindowRateLimiter, limit: Limit) -> Refusal:
    ends = limiter.get_window_stats(limit.item, limit.key).reset_time
    return Refusal(limit, max(1, int(ends - time.time()) + 1))


_making = threading.Lock()
_limiter: MovingWindowRateLimiter | None = None
_backoff_until = 0.0


def reset() -> None:
    """Begin again with the present settings, and forget what was counted in memory (tests)."""
    global _limiter, _backoff_until
    _limiter, _backoff_until = None, 0.0


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
