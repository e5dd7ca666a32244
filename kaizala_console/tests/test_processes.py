"""Several programs as one, with real processes."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kaizala_console.processes import ManagedProgram, Processes

pytestmark = pytest.mark.once
SLEEPS = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)
WITH_A_CHILD = (
    "import pathlib, signal, subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "pathlib.Path(sys.argv[1]).write_text(str(child.pid))\n"
    "time.sleep(60)\n"
)


def program(name: str, code: str, *arguments: str) -> ManagedProgram:
    return ManagedProgram(name, (sys.executable, "-c", code, *arguments))


def eventually(holds: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the second when it ends between the opening and the reading
        return False


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def processes(said: list[str]) -> Iterator[Processes]:
    running = Processes(say=said.append)
    yield running
    running.stop()


def test_the_death_of_one_ends_the_wait_and_is_named(processes: Processes) -> None:
    processes.start(program("sleeper", SLEEPS))
    processes.start(program("mortal", "raise SystemExit(3)"))
    assert processes.wait(timeout=10) is False
    assert processes.dead() == "mortal"


def test_stop_leaves_nothing_running_and_uses_no_force_when_none_is_needed(
    processes: Processes, said: list[str]
) -> None:
    processes.start(program("one", SLEEPS))
    processes.start(program("two", SLEEPS))
    pids = processes.pids()
    processes.stop()
    assert not [pid for pid in pids if is_alive(pid)]
    assert said == []


def test_who_does_not_finish_in_time_is_ended_by_force_and_named(
    processes: Processes, said: list[str], tmp_path: Path
) -> None:
    code = STUBBORN.replace("print('ready', flush=True)", f"open({str(tmp_path / 'ready')!r}, 'w').close()")
    processes.grace_seconds = 0.5
    processes.start(program("stubborn", code))
    assert eventually((tmp_path / "ready").exists)
    pids = processes.pids()
    processes.stop()
    assert not [pid for pid in pids if is_alive(pid)]
    assert said == ["Not finished in time, ended by force: stubborn."]


def test_what_a_program_left_behind_in_its_session_is_ended_too(processes: Processes, tmp_path: Path) -> None:
    processes.start(program("parent", WITH_A_CHILD, str(tmp_path / "child")))
    assert eventually(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text() != "")
    child = int((tmp_path / "child").read_text())
    processes.stop()
    assert eventually(lambda: not is_alive(child))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_killing_the_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\n"
        "from kaizala_console.processes import ManagedProgram, Processes\n"
        "processes = Processes(say=print)\n"
        f"processes.start(ManagedProgram('sleeper', (sys.executable, '-c', {SLEEPS!r})))\n"
        "pathlib.Path(sys.argv[1]).write_text(str(processes.pids()[0]))\n"
        "processes.wait()\n"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "pid")])
    assert eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
    pid = int((tmp_path / "pid").read_text())
    assert is_alive(pid)
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    assert eventually(lambda: not is_alive(pid))
