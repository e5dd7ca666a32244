"""What a process has started, by /proc: to see that nothing stays behind, and to end what does not end by itself."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def children_of(pid: int) -> list[int]:
    """Those that any of its threads has started."""
    with suppress(OSError):  # it may have ended by now
        threads = [each / "children" for each in Path(f"/proc/{pid}/task").iterdir()]
        return [int(child) for each in threads for child in each.read_text().split()]
    return []


def family_of(pid: int) -> list[int]:
    """The process and everything that descends from it."""
    return [pid, *(member for child in children_of(pid) for member in family_of(child))]


@contextmanager
def killed_when_late(word: str, *, seconds: float) -> Iterator[None]:
    """When the block takes longer, what this process has started with the word in its command line is killed.

    For what waits without a limit until another program has ended.
    """

    def kill() -> None:
        for pid in family_of(os.getpid())[1:]:
            with suppress(OSError):
                if word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)

    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
