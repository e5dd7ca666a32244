"""Rows that a worker works off. The row is the queue: it is written with the change that it follows from, a message to
the broker only says that it is there, and a sweep finds what such a message did not reach.

`next_attempt_at` says when a row is due; null when there is nothing to do. A worker claims a row by moving it on by the
length of a lease: of many that try, one wins. If that worker is killed, the row is due again when the lease is over.
`scheduled_at` says when `next_attempt_at` was set. A row that was scheduled in the future was written by a clock that
was ahead, and nothing can be said about when it is due: so it is due now.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from django.db.models import Q, QuerySet

CLOCKS_DIFFER: Final = dt.timedelta(minutes=1)  # at the most, between the machines of a console
SWEPT_AT_ONCE: Final = 500
Item = TypeVar("Item")


def schedule(now: dt.datetime, pause: dt.timedelta = dt.timedelta()) -> dict[str, dt.datetime]:
    """Returns the columns of a row that is due `pause` from now."""
    return {"next_attempt_at": now + pause, "scheduled_at": now}


def due(now: dt.datetime) -> Q:
    """Returns the condition for rows that a worker should take now."""
    return Q(next_attempt_at__lte=now)


def claim(rows: QuerySet[Any], *, now: dt.datetime, lease: dt.timedelta, **changes: Any) -> dt.datetime | None:
    """Takes the one row of `rows` if it is due, and returns the end of the lease; None if another worker has it."""
    taken = rows.filter(due(now)).update(**schedule(now, lease), **changes)
    return now + lease if taken else None


def free(field: str, now: dt.datetime, lease: dt.timedelta) -> Q:
    """Returns the condition for rows that no worker holds, where `field` is the end of a lease of that length.

    A lease reaches no further than its length from now: one that does was taken by a clock that was ahead.
    """
    longest = now + lease + CLOCKS_DIFFER
    return Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__lte": now}) | Q(**{f"{field}__gt": longest})


def is_free(until: dt.datetime | None, now: dt.datetime, lease: dt.timedelta) -> bool:
    """Returns the answer of `free` for a row at hand."""
    return until is None or until <= now or until > now + lease + CLOCKS_DIFFER


def correct_clock(rows: QuerySet[Any], now: dt.datetime) -> int:
    """Makes rows due that a clock which was ahead has scheduled; returns their number."""
    return rows.filter(next_attempt_at__gt=now, scheduled_at__gt=now + CLOCKS_DIFFER).update(**schedule(now))


def sweep(rows: QuerySet[Any], *, now: dt.datetime, wake: Callable[[Any], None]) -> int:
    """Wakes a worker for each row that is due, the longest due first; returns their number."""
    correct_clock(rows, now)
    found = list(rows.filter(due(now)).order_by("next_attempt_at")[:SWEPT_AT_ONCE])
    for row in found:
        wake(row)
    return len(found)


def backoff(steps: list[dt.timedelta], attempts: int) -> dt.timedelta:
    """Returns the pause after so many failed attempts; the last step goes on."""
    return steps[min(attempts, len(steps) - 1)]


def run_each(items: Iterable[Item], act: Callable[[Item], int], *, problem: str) -> int:
    """Runs `act` on each item, also when some fail, and returns the sum of what it gives.

    What failed is raised at the end, as a group.
    """
    done, problems = 0, []
    for item in items:
        try:
            done += act(item)
        except Exception as error:  # noqa: BLE001 (raised below, once the others had their turn)
            problems.append(error)
    if problems:
        raise ExceptionGroup(problem, problems)
    return done
