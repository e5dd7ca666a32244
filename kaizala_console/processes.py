"""Runs the console's processes as one: all start together, all stop together, and when one dies the others follow.

Each gets a session of its own, so that Ctrl-C in the terminal reaches nobody but us, and SIGTERM goes to the main
process of each: a signal to the whole group would take the hands off tasks that a worker is finishing.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType

POLL_SECONDS = 0.1
PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True)
class ManagedProgram:
    """A name for messages, and the command line."""

    name: str
    command: Sequence[str]


@dataclass
class Processes:
    """`start`, then `wait`, and `stop` whatever happens. `say` gets the messages for people."""

    say: Callable[[str], None]
    grace_seconds: float = 20.0
    environment: dict[str, str] | None = None
    stop_asked: int = 0
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def listen(self) -> None:
        """From now on SIGTERM and SIGINT ask for the end instead of killing this process; asking twice hurries it."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stop_asked += 1

    def start(self, program: ManagedProgram) -> None:
        self._running[program.name] = subprocess.Popen(  # noqa: S603 - our own command lines, no shell
            list(program.command),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=follow_parent if sys.platform == "linux" else None,
            env=self.environment,
        )

    def pids(self) -> list[int]:
        """The main process of each program, in the order of their start."""
        return [process.pid for process in self._running.values()]

    def dead(self) -> str | None:
        """The name of a program that has ended, or None."""
        return next((name for name, process in self._running.items() if process.poll() is not None), None)

    def wait(self, until: Callable[[], bool] | None = None, timeout: float | None = None) -> bool:
        """True once `until()` holds; False when the end is asked for, a program has died or time (seconds) is up."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.stop_asked and self.dead() is None:
            if until is not None and until():
                return True
            if deadline is not None and time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return False

    def stop(self) -> None:
        """Ends everything: SIGTERM to each main process, and after the grace SIGKILL to what is left of its session."""
        asked_before = self.stop_asked
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + self.grace_seconds
        while any(process.poll() is None for process in self._running.values()):
            if time.monotonic() > deadline or self.stop_asked > max(asked_before, 1):
                late = [name for name, process in self._running.items() if process.poll() is None]
                self.say(f"Not finished in time, ended by force: {', '.join(late)}.")
                break
            time.sleep(POLL_SECONDS)
        for process in self._running.values():
            with suppress(ProcessLookupError, PermissionError):  # nobody is left in that session
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def follow_parent() -> None:
    """Linux: this process gets SIGTERM when its parent dies, so that `kill -9` of the parent leaves no orphan."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
