"""A circuit breaker, shared by all processes through the cache: a service that is down is left alone for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.core.cache import cache

_REMEMBERED: Final = 3600


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """Opens after `failures` in a row; `seconds` later one caller may try, and its outcome closes or opens it again.

    A cache that forgets only closes it early.
    """

    name: str
    failures: int = 5
    seconds: int = 60

    def allows(self) -> bool:
        """Whether a call may be made now. After a pause True for one caller in `seconds`, who must report."""
        if cache.get(self._key("open")):
            return False
        if cache.get(self._key("failures"), 0) < self.failures:
            return True
        return bool(cache.add(self._key("probe"), 1, timeout=self.seconds))

    @property
    def is_open(self) -> bool:
        """Whether the service is left alone now; asking this takes no place among the callers that may try."""
        return bool(cache.get(self._key("open")))

    def failed(self) -> None:
        """Report that the service gave no answer."""
        key = self._key("failures")
        cache.add(key, 0, timeout=_REMEMBERED)
        try:
            count = cache.incr(key)
        except ValueError:  # it was forgotten between the two
            return
        if count >= self.failures:
            cache.set(self._key("open"), 1, timeout=self.seconds)
            cache.delete(self._key("probe"))

    def succeeded(self) -> None:
        """Report an answer, of whatever kind: the service is there."""
        cache.delete_many([self._key(part) for part in ("failures", "open", "probe")])

    def _key(self, part: str) -> str:
        return f"circuit:{self.name}:{part}"
