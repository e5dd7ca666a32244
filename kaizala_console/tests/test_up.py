"""One command for the whole console, with its real processes."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kaizala_console.tests import migrated
from kaizala_console.tests.family import children_of, family_of
from kaizala_console.tests.ports import free_port
from kaizala_console.tests.test_processes import eventually, is_alive

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.once
Up = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def up(tmp_path: Path, port: int) -> Iterator[Up]:
    """Starts `manage.py up` in an environment of nothing but what is given."""
    started: list[subprocess.Popen[str]] = []

    def start(**variables: str) -> subprocess.Popen[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "CONSOLE_DATA_DIR": str(tmp_path / "data"),
            "CONSOLE_PORT": str(port),
            "CONSOLE_WORKERS": "1",
        }
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=40)


def says(process: subprocess.Popen[str], words: str, seconds: float = 90) -> str:
    """Reads what the process prints until the words come; fails when it ends before."""
    assert process.stdout is not None
    seen = ""
    deadline = time.monotonic() + seconds
    while words not in seen:
        line = process.stdout.readline()
        assert line, f"it ended without saying {words!r}:\n{seen}"
        assert time.monotonic() < deadline, seen
        seen += line
    return seen


def status_of(port: int, path: str) -> int:
    call = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        call.request("GET", path)
        return call.getresponse().status
    finally:
        call.close()


def answers(port: int) -> bool:
    try:
        return status_of(port, "/healthz") == 200
    except (OSError, http.client.HTTPException):
        return False


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_it_starts_answers_keeps_a_second_one_away_and_leaves_nothing_behind(up: Up, port: int, tmp_path: Path) -> None:
    process = up()
    welcome = says(process, "Ctrl-C stops everything.")
    assert f"http://127.0.0.1:{port}/" in welcome
    assert "/sandbox/sms" in welcome
    assert "Devika Rao" in welcome
    assert eventually(lambda: status_of(port, "/readyz") == 200, seconds=60), "worker and beat are at work too"
    assert status_of(port, "/v1/users/me") == 401

    second = up(CONSOLE_PORT=str(port))
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"127.0.0.1:{port} cannot be used: address already in use" in output

    second = up(CONSOLE_PORT=str(free_port()))
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "A console already runs on" in output

    family = family_of(process.pid)
    assert len(family) >= 5  # itself, web with a worker process, Celery's worker, the timetable
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=40)
    assert process.returncode == 0, output
    assert "by force" not in output
    assert "Stopped." in output
    assert [pid for pid in family if is_alive(pid)] == []
    assert is_free(port)


@pytest.mark.usefixtures("django_db_setup")
def test_when_one_dies_all_stop_and_the_exit_says_so(up: Up, port: int, tmp_path: Path) -> None:
    migrated.put_into(tmp_path / "data")
    process = up()
    says(process, "Ctrl-C stops everything.")
    family = family_of(process.pid)

    (worker,) = [pid for pid in children_of(process.pid) if b"\0worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(worker, signal.SIGKILL)
    output, _ = process.communicate(timeout=40)
    assert process.returncode == 1
    assert "The worker process ended by itself, so everything was stopped." in output
    assert eventually(lambda: not any(is_alive(pid) for pid in family))
    assert is_free(port)


def test_a_sandbox_is_not_started_for_others_to_reach(up: Up, port: int) -> None:
    process = up(CONSOLE_HOST="0.0.0.0")  # noqa: S104 - the refusal is what is tested
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "CONSOLE_HOST is not a loopback address" in output
    assert "Traceback" not in output
    assert is_free(port)
