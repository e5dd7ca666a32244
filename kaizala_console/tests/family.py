"""What a process has started, by /proc: to see that nothing stays behind, and to end what does not end by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def children_of(pid: int) -> list[int]:
    """Those that any of its threads has started."""
    with suppress(OSError):  # it may have ended by now
        threads = [each / "children" for each in Path(f"/proc/{pid}/task").iterdir()]
        return [int(child) for each in threads for child in each.read_text().split()]
    return []


def family_of(pid: int) -> list[int]:
    """The process and everything that descends from it."""
    return [pid, *(member for child in children_of(pid) for member in family_of(child))]


def run_within(seconds: float, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` with its output captured, but nothing of it outlives the limit, grandchildren included.

    `subprocess.run` kills the child alone, and then waits for it. Fails with what was said so far, and where each
    process stood.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors, start_new_session=True, **options)
        stood = ""
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            family = family_of(process.pid)
            stood = "\n".join(map(_where, family))
            for pid in family:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
        said = []
        for file in (output, errors):
            file.seek(0)
            said.append(file.read().decode(errors="replace"))
    assert not stood, f"{command} did not end within {seconds} seconds.\n{stood}\n{''.join(said)[-4000:]}"
    return subprocess.CompletedProcess(command, process.returncode, *said)


def _where(pid: int) -> str:
    """What a process is, and what in the kernel it waits for."""
    with suppress(OSError):
        folder = Path(f"/proc/{pid}")
        words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        return f"{pid} {state} {(folder / 'wchan').read_text() or '-'} {words[:150]}"
    return f"{pid} is gone"


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
