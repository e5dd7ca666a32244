"""The beat schedule: Celery's own, which survives a clock that was ahead, and notes when it last sent what."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from celery.beat import PersistentScheduler
from django.core.cache import cache

from kaizala_console.lib import clock

_SENT: Final = "beat:sent:"
_SEEN: Final = "worker:seen:"


class Scheduler(PersistentScheduler):
    """Sends what is due."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Sends the next entry if it is due; returns how many seconds to wait."""
        ahead = [entry for entry in self.schedule.values() if entry.last_run_at > entry.default_now()]
        for entry in ahead:
            # The clock went back. Celery would wait until it is again as late as it was.
            entry.last_run_at = entry.default_now()
        if ahead:
            self.populate_heap()
        seconds: float = super().tick(*args, **kwargs)
        return seconds

    def apply_async(self, entry: Any, *args: Any, **kwargs: Any) -> Any:
        """Sends an entry's task to its queue, and notes that it did."""
        sent = super().apply_async(entry, *args, **kwargs)
        cache.set(_SENT + entry.name, clock.now().timestamp(), timeout=None)
        return sent


def last_sent(names: list[str]) -> dict[str, dt.datetime]:
    """Returns when each of these entries was last sent; those that never were are left out."""
    found = cache.get_many([_SENT + name for name in names])
    return {name.removeprefix(_SENT): _moment(at) for name, at in found.items()}


def note_worker(queue: str) -> None:
    """Notes that a worker takes tasks from this queue now."""
    cache.set(_SEEN + queue, clock.now().timestamp(), timeout=None)


def worker_seen_at(queue: str) -> dt.datetime | None:
    """Returns when a worker last took a heartbeat from this queue; None for never."""
    at = cache.get(_SEEN + queue)
    return None if at is None else _moment(at)


def _moment(at: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(at, dt.UTC)
