"""Small facts gathered in memory and written every few seconds, so that noting one costs a request no statement.

What stands in memory is lost when the process is killed (SIGKILL, power): as many seconds of facts as pass between two
writes. Use it for counts and "last seen", never for what somebody must be able to rely on. On an ordinary end of the
process everything is written.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from multiprocessing.util import Finalize
from typing import Generic, TypeVar

import structlog
from django.db import connections

logger = structlog.get_logger(__name__)

K = TypeVar("K")
V = TypeVar("V")


class WriteBehind(Generic[K, V]):
    """A bounded buffer: facts about the same thing are merged, the rest waits for the next write.

    `write` gets what was gathered, in one call and never twice at once, and raises when nothing was written: then the
    facts wait on. `merge(old, new)` joins two facts about one thing. Beyond `most` things new ones are dropped and
    counted in the log. `seconds()` is how long facts wait; 0 leaves writing to `flush` (tests).
    """

    def __init__(
        self,
        name: str,
        *,
        write: Callable[[Mapping[K, V]], None],
        merge: Callable[[V, V], V],
        seconds: Callable[[], float],
        most: int = 50_000,
    ) -> None:
        self._name = name
        self._write = write
        self._merge = merge
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()  # the buffer, for microseconds
        self._writing = threading.Lock()  # one write at a time
        self._facts: dict[K, V] = {}
        self._dropped = 0
        self._pid = 0
        self._wake = threading.Event()

    def add(self, key: K, fact: V) -> None:
        """Note a fact. Starts the writing thread of this process when it is the first."""
        with self._lock:
            self._put(key, fact)
        if self._pid != os.getpid():
            self._start()

    def flush(self) -> int:
        """Write what was gathered, in this thread; how many things that were. Raises what `write` raises."""
        with self._writing:
            with self._lock:
                facts, self._facts = self._facts, {}
                dropped, self._dropped = self._dropped, 0
            if dropped:
                logger.error("write_behind.dropped", buffer=self._name, facts=dropped)
            if facts:
                try:
                    self._write(facts)
                except BaseException:
                    self._put_back(facts)
                    raise
            return len(facts)

    def forget(self) -> None:
        """Drop what was gathered (tests)."""
        with self._lock:
            self._facts.clear()
            self._dropped = 0

    def __len__(self) -> int:
        return len(self._facts)

    def _put(self, key: K, fact: V) -> None:
        old = self._facts.get(key)
        if old is not None:
            self._facts[key] = self._merge(old, fact)
        elif len(self._facts) < self._most:
            self._facts[key] = fact
        else:
            self._dropped += 1

    def _put_back(self, facts: dict[K, V]) -> None:
        """What could not be written is older than what has come since."""
        with self._lock:
            newer, self._facts = self._facts, facts
            for key, fact in newer.items():
                self._put(key, fact)

    # The thread that writes -----------------------------------------------------------------------------------------

    def _start(self) -> None:
        seconds = self._seconds()
        with self._lock:
            if seconds <= 0 or self._pid == os.getpid():
                return
            self._pid = os.getpid()
        # Runs at the end of the main process (atexit) and of a multiprocessing child, which knows no atexit.
        Finalize(None, self._finish, exitpriority=10)
        threading.Thread(target=self._run, args=(seconds,), name=f"{self._name}-writer", daemon=True).start()

    def _run(self, seconds: float) -> None:
        while not self._wake.wait(seconds):
            self._try_to_flush()
            connections.close_all()

    def _finish(self) -> None:
        self._wake.set()
        self._try_to_flush()

    def _try_to_flush(self) -> None:
        try:
            self.flush()
        except Exception:
            # The facts are still here, and the next write takes them along.
            logger.exception("write_behind.not_written", buffer=self._name, waiting=len(self))
