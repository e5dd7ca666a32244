"""One command for the whole console, with its real processes."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from kaizala_console.tests import malformed, migrated, old_stacks
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


def spelled_otherwise(port: int, folder: Path) -> str:
    """Has a program exchange and call, its headers in other capitals; returns the connector's ID."""
    made = subprocess.run(
        [sys.executable, "manage.py", "demo", "--json"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "CONSOLE_DATA_DIR": str(folder / "data"), "CONSOLE_PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    demo = json.loads(made.stdout)
    call = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        credentials = (demo["connectorId"], demo["connectorSecret"], demo["refreshToken"])
        for names in (
            ("applicationId", "applicationSecret", "refreshToken"),
            ("applicationid", "applicationsecret", "refreshtoken"),  # as a proxy may have made them
            ("APPLICATIONID", "ApplicationSecret", "refreshToken"),
        ):
            call.request("GET", "/v1/accessToken", headers=dict(zip(names, credentials, strict=True)))
            token = json.load(call.getresponse())["accessToken"]
        call.request("GET", "/v1/users/me", headers={"ACCESSTOKEN": token})
        assert call.getresponse().status == 200
    finally:
        call.close()
    return str(demo["connectorId"])


def habits_after(connector_id: str, folder: Path) -> dict[str, int]:
    """What has been counted, once the web process has written it."""

    def counted() -> dict[str, int]:
        with closing(sqlite3.connect(folder / "data" / "console.sqlite3", timeout=10)) as database:
            rows = database.execute(
                # Of both days, when it is midnight.
                "SELECT habit, sum(times) FROM connectors_habitday WHERE connector_id = ? GROUP BY habit",
                [UUID(connector_id).hex],
            )
            return dict(rows.fetchall())

    assert eventually(lambda: sum(counted().values()) >= 3, seconds=15)
    return counted()


def has_read(port: int, client: socket.socket) -> bool:
    """Whether the server has taken all that came to it from this client: Linux."""
    mine = client.getsockname()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _number, local, remote, _state, queues, *_rest = line.split()
        if (int(local.split(":")[1], 16), int(remote.split(":")[1], 16)) == (port, mine):
            return int(queues.split(":")[1], 16) == 0
    return False


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_it_starts_answers_keeps_a_second_one_away_and_leaves_nothing_behind(up: Up, port: int, tmp_path: Path) -> None:
    process = up(USAGE_FLUSH_SECONDS="1")
    welcome = says(process, "Ctrl-C stops everything.")
    assert f"http://127.0.0.1:{port}/" in welcome
    assert "/sandbox/sms" in welcome
    assert "Devika Rao" in welcome
    assert status_of(port, "/readyz") == 200
    assert status_of(port, "/v1/users/me") == 401
    assert old_stacks.not_understood(port) == {}
    assert malformed.answered_otherwise(port) == {}
    assert habits_after(spelled_otherwise(port, tmp_path), tmp_path) == {"other_case_header": 2, "token_header": 1}

    second = up(CONSOLE_PORT=str(port))
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"127.0.0.1:{port} cannot be used: address already in use" in output

    second = up(CONSOLE_PORT=str(free_port()))
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "A console already runs on" in output

    web = subprocess.run(
        [sys.executable, "-m", "kaizala_console.server", "--port", str(port)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    assert web.returncode == 1
    assert f"127.0.0.1:{port} cannot be used: address already in use" in web.stderr

    family = family_of(process.pid)
    assert len(family) >= 5  # itself, web with a worker process, Celery's worker, the timetable
    with socket.create_connection(("127.0.0.1", port), timeout=10) as in_flight:
        in_flight.sendall(old_stacks.request()[:-5])
        assert eventually(lambda: has_read(port, in_flight))
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        in_flight.sendall(old_stacks.request()[-5:])
        assert old_stacks.WORDS in old_stacks.rest_of(in_flight)
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

    (serving,) = [pid for pid in family if b"\0--worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(serving, signal.SIGKILL)  # one of several web processes: another takes its place
    assert says(process, "it is started again")
    assert eventually(lambda: answers(port), seconds=30)

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
