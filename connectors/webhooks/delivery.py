"""The worker's turn: many deliveries under way at once, in threads that do nothing but wait for the other side.

A worker process runs one turn at a time, however many of its threads are woken; several processes run one each, and
never send the same webhook's events side by side (`queue`). All rows are read and written by the turn's own thread, so
that a turn needs one database connection, however many threads it has.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final

import structlog
from django.conf import settings
from django.core.cache import cache

from connectors.webhooks import dispatch, queue, sender
from connectors.webhooks.concurrency import Slots
from connectors.webhooks.queue import Taken
from connectors.webhooks.sender import Outcome

logger = structlog.get_logger(__name__)

TURN_SECONDS: Final = 60.0  # then the worker's thread is given back, and another message asks for the next turn
_PATIENCE: Final = 1.0  # how long new rows wait while all that was due is under way
# Not in the cache: a killed process takes it along, and nobody waits for it.
_turn = threading.Lock()


def deliver_due(*, seconds: float = TURN_SECONDS) -> int:
    """Deliver what is due, and what comes due meanwhile, until nothing is left or the turn is over; how many tries.

    While another thread of this process is at it, it is left to that one.
    """
    queue.correct_clock()
    ends, tries = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        if not _turn.acquire(blocking=False):
            return tries
        try:
            tries += Turn().run(until=ends)
        finally:
            _turn.release()
        # Whoever was sent here while the turn was ours has gone again.
        if time.monotonic() < ends and not cache.get(dispatch.WOKEN):
            return tries
    cache.delete(dispatch.WOKEN)
    dispatch.wake()
    return tries


class Turn:
    """What is under way, and who has which place."""

    def __init__(self) -> None:
        self._slots = Slots(settings.WEBHOOK_THREADS)
        self._under_way: dict[Future[Outcome], Taken] = {}
        self._tries = 0

    def run(self, *, until: float) -> int:
        """Work until nothing is due and nothing under way; after `until` (of the monotonic clock) nothing is begun."""
        with ThreadPoolExecutor(self._slots.total, thread_name_prefix="webhooks") as threads:
            while True:
                if time.monotonic() < until:
                    self._begin(threads)
                if not self._under_way:
                    return self._tries
                wait(self._under_way, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
                self._finish()

    def _begin(self, threads: ThreadPoolExecutor) -> None:
        # Before the look: whoever writes a row after it sends another message.
        cache.delete(dispatch.WOKEN)
        while self._slots.free:
            taken, may_find_more = queue.take(self._slots)
            for each in taken:
                future = threads.submit(sender.send, each.prepared, seconds=settings.WEBHOOK_SECONDS)
                self._under_way[future] = each
            self._tries += len(taken)
            if not may_find_more:
                break
        if self._slots.is_short:
            dispatch.call_for_help()

    def _finish(self) -> None:
        done = [(self._under_way.pop(future), future.result()) for future in list(self._under_way) if future.done()]
        if not done:
            return
        for taken, outcome in done:
            self._slots.give_back(taken.webhook)
            if outcome.is_down:
                queue.circuit_of(taken.webhook).failed()
        for circuit in {queue.circuit_of(taken.webhook) for taken, outcome in done if not outcome.is_down}:
            circuit.succeeded()
        queue.record(done)
