"""Counting how often something happened in a window of time.

Fixed windows over Django's cache: one counter a key and window, which is cheap on Redis and exact under
concurrency. At the seam of two windows twice the limit can pass; the limits are set with that in mind.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.core.cache import DEFAULT_CACHE_ALIAS, caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.db import DatabaseCache
from django.db import connections, router, transaction

from kaizala_console.lib import clock


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a limit leaves. ``retry_after`` is the seconds until the window ends; 0 while something is left."""

    allowed: bool
    remaining: int
    retry_after: int


def hit(key: str, limit: int, window_seconds: int, *, cost: int = 1) -> Allowance:
    """Count ``cost`` against ``key`` and say whether it still was within ``limit`` in this window.

    What is refused counts too, so that hammering does not help. Call it outside of a transaction that may roll
    back: with the database cache the count would be rolled back as well.
    """
    name, ends_in = _counter(key, window_seconds)
    cache = caches[DEFAULT_CACHE_ALIAS]
    with _serialised(cache, name):
        # It lives for two windows, so that it never ends between the look and the increment within its own.
        count = _increment(cache, name, cost, lifetime=2 * window_seconds)
    return _allowance(count, limit, ends_in, asking_for=0)


def peek(key: str, limit: int, window_seconds: int) -> Allowance:
    """Say whether one more would be allowed, without counting."""
    name, ends_in = _counter(key, window_seconds)
    return _allowance(caches[DEFAULT_CACHE_ALIAS].get(name, 0), limit, ends_in, asking_for=1)


def _counter(key: str, window_seconds: int) -> tuple[str, int]:
    if window_seconds < 1:
        raise ValueError("a window lasts at least one second")
    window, elapsed = divmod(int(clock.now().timestamp()), window_seconds)
    # Hashed: keys hold phone numbers and addresses, in any alphabet and length.
    short = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"throttle:{short}:{window_seconds}:{window}", window_seconds - elapsed


def _allowance(count: int, limit: int, ends_in: int, *, asking_for: int) -> Allowance:
    allowed = count + asking_for <= limit
    return Allowance(allowed=allowed, remaining=max(0, limit - count), retry_after=0 if allowed else ends_in)


def _increment(cache: BaseCache, name: str, cost: int, *, lifetime: int) -> int:
    try:
        return cache.incr(name, cost)
    except ValueError:  # not there yet
        # Two may find nothing; one of them adds, the other counts on top.
        return cost if cache.add(name, cost, timeout=lifetime) else cache.incr(name, cost)


@contextmanager
def _serialised(cache: BaseCache, name: str) -> Iterator[None]:
    """Make read-and-write one step where the backend does not: Django's database cache increments by get and set.

    On SQLite the write transaction that is taken at BEGIN (``transaction_mode`` IMMEDIATE) suffices; on
    PostgreSQL an advisory lock on the counter does it.
    """
    if not isinstance(cache, DatabaseCache):
        yield
        return
    using = router.db_for_write(cache.cache_model_class)
    connection = connections[using]
    with transaction.atomic(using=using):
        if connection.vendor == "postgresql":
            lock = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
        yield
