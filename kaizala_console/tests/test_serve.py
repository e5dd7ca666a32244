"""`manage.py serve`: the web processes as they run in earnest, without a proxy in front."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kaizala_console.tests import old_stacks
from kaizala_console.tests.family import children_of
from kaizala_console.tests.ports import free_port
from kaizala_console.tests.serving import ROOT, Served, answers, request, rest_of, said_to, serving
from kaizala_console.tests.test_processes import eventually, is_alive

pytestmark = [pytest.mark.once, pytest.mark.django_db]  # or there is no database to begin with (migrated.py)
TOKEN = "a-metrics-token-of-the-tests-only-0123456789"
METRICS_PORT = free_port()
REPORT = '{"credential": "nonsense"}'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Served]:
    """A sandbox that believes a proxy on this machine, and takes one report an hour from an address."""
    with serving(
        tmp_path_factory.mktemp("served") / "data",
        TRUSTED_PROXIES="127.0.0.1/32",
        CONSOLE_BASE_URL="https://localhost",
        LEAK_REPORTS_PER_ADDRESS_PER_HOUR="1",
        METRICS_PORT=str(METRICS_PORT),
        METRICS_TOKEN=TOKEN,
        USAGE_FLUSH_SECONDS="1",
    ) as server:
        yield server


BY_TLS = "X-Forwarded-Proto: https"


def status(answer: str) -> int:
    return int(answer.split(" ")[1])


def fields(answer: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(answer.partition("\r\n\r\n")[2])
    return found


def test_all_that_pages_need_is_there_after_migrate_and_serve(served: Served) -> None:
    ready = fields(said_to(served.port, request("GET /readyz/web")))
    assert set(ready.values()) == {"ok"}, ready
    page = said_to(served.port, request("GET /accounts/login/", BY_TLS))
    assert status(page) == 200
    style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert status(said_to(served.port, request(f"GET {style}", BY_TLS))) == 200


def test_files_are_for_their_owner_alone(served: Served) -> None:
    assert served.folder.stat().st_mode & 0o777 == 0o700
    open_to_others = [path for path in served.folder.rglob("*") if path.stat().st_mode & 0o077]
    assert open_to_others == []


def test_requests_of_old_programs_are_understood(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as plain:
        assert old_stacks.not_understood(plain.port) == {}


def test_a_proxy_that_is_trusted_says_where_a_call_comes_from(served: Served) -> None:
    def reported(address: str) -> int:
        headers = (BY_TLS, f"X-Forwarded-For: {address}", "Content-Type: application/json")
        return status(said_to(served.port, request("POST /v1/credentials/report", *headers, body=REPORT)))

    assert reported("127.0.0.2") != 429
    assert reported("127.0.0.2") == 429
    assert reported("127.0.0.3") != 429
    assert reported("127.0.0.2, 127.0.0.3") == 429  # the first is what the client says of itself


@pytest.mark.parametrize("headers", [(), ("X-Forwarded-Proto: http",), ("X-Forwarded-Proto: https, http",)])
def test_credentials_without_tls_are_refused(served: Served, headers: tuple[str, ...]) -> None:
    answer = said_to(served.port, request("GET /v1/accessToken", *headers, "applicationSecret: x"))
    assert status(answer) == 403
    assert fields(answer)["errorCode"] == "HttpsRequired"
    page = said_to(served.port, request("GET /accounts/login/", *headers))
    assert status(page) == 301
    assert "location: https://localhost/" in page.lower()


def test_metrics_have_a_port_of_their_own(served: Served) -> None:
    def counted() -> bool:
        text = said_to(METRICS_PORT, request("GET /metrics", f"Authorization: Bearer {TOKEN}"))
        return 'kaizala_requests_total{method="GET",route="v1/users/me",status="401"} ' in text

    assert status(said_to(METRICS_PORT, request("GET /metrics"))) == 401
    assert status(said_to(served.port, request("GET /metrics", BY_TLS))) == 404
    said_to(served.port, request("GET /v1/users/me", BY_TLS))
    assert eventually(counted, seconds=20)
    ended = started(served.folder, "serve", CONSOLE_PORT=str(free_port()), METRICS_PORT=str(METRICS_PORT))
    assert f"or choose another: METRICS_PORT={METRICS_PORT + 1}" in ended.stdout


def test_when_all_web_processes_hang_there_is_a_sign_of_life(served: Served) -> None:
    (worker,) = children_of(served.process.pid)
    os.kill(worker, signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            said_to(served.port, request("GET /healthz"), seconds=1)
        assert status(said_to(METRICS_PORT, request("GET /healthz"))) == 200
    finally:
        os.kill(worker, signal.SIGCONT)
    assert eventually(lambda: answers(served.port), seconds=20)


@pytest.mark.parametrize(
    "headers",
    [
        ("X-Forwarded-For: 203.0.113.9",),
        ("X-Forwarded-For: 203.0.113.9, 127.0.0.1",),
        ("X-Forwarded-Host: console.example.com",),
    ],
)
def test_a_sandbox_behind_a_proxy_answers_nobody_else(served: Served, headers: tuple[str, ...]) -> None:
    for path in ("/healthz", "/v1/users/me", "/sandbox/sms"):
        assert status(said_to(served.port, request(f"GET {path}", BY_TLS, *headers))) == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[2001:db8::1]:80"])
def test_a_sandbox_refuses_a_foreign_host(served: Served, host: str) -> None:
    for path in ("/healthz", "/v1/users/me", "/sandbox/sms"):
        assert status(said_to(served.port, request(f"GET {path}", BY_TLS, host=host))) == 403


@pytest.mark.parametrize("value", ["a\x00b", "a\x01b", "a\x1fb", "a\x7fb", "a\rb"])
def test_control_characters_in_a_header_are_refused(served: Served, value: str) -> None:
    assert status(said_to(served.port, request("GET /healthz", f"X-Name: {value}"))) == 400


@pytest.mark.parametrize("method", ["head", "Head"])
def test_head_in_small_letters_gets_a_whole_answer(served: Served, method: str) -> None:
    answer = said_to(served.port, request(f"{method} /healthz"))
    assert status(answer) == 200
    head, _end, body = answer.partition("\r\n\r\n")
    assert f"content-length: {len(body)}\r\n" in head.lower()


def test_what_smuggles_one_request_in_another_is_refused(served: Served) -> None:
    def answered(*headers: str) -> int:
        return status(said_to(served.port, request("POST /v1/generatePin", BY_TLS, *headers)))

    assert answered("Content-Length: 1", "Content-Length: 2") == 400
    assert answered("Content-Length: +1") == 400
    assert answered("X-Name: 1", "  2") == 400
    assert answered("X Name: 1") == 400


# The life of the processes ----------------------------------------------------------------------------------------


def test_what_has_begun_is_answered_before_the_end(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        (worker,) = children_of(server.process.pid)
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as in_flight:
            in_flight.sendall(old_stacks.request()[:-5])
            time.sleep(0.5)
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            in_flight.sendall(old_stacks.request()[-5:])
            assert old_stacks.WORDS in rest_of(in_flight)
        output, _ = server.process.communicate(timeout=20)
        assert time.monotonic() - began < 10
        assert server.process.returncode == 0, output
        assert not is_alive(worker)


def test_a_web_process_that_dies_is_replaced_and_none_outlives_the_main_one(tmp_path: Path) -> None:
    with serving(tmp_path / "data", METRICS_PORT=str(free_port())) as server:
        (worker,) = children_of(server.process.pid)
        os.kill(worker, signal.SIGKILL)
        assert eventually(lambda: children_of(server.process.pid) not in ([], [worker]), seconds=20)
        (worker,) = children_of(server.process.pid)
        assert eventually(lambda: answers(server.port), seconds=20)
        server.process.kill()
        assert eventually(lambda: not is_alive(worker), seconds=20)


def started(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`manage.py …`, which is expected to end by itself."""
    full = variables.pop("full", "")
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "CONSOLE_DATA_DIR": str(folder)} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
        # A file that may not grow fails as one on a full disk does.
        preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))) if full else None,
    )


@pytest.mark.parametrize("command", ["up", "serve", "migrate"])
@pytest.mark.parametrize("full", ["yes", ""], ids=["full", "not to be made"])
def test_a_data_folder_that_cannot_be_used_is_one_clear_line(tmp_path: Path, command: str, full: str) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / ("data" if full else "file/data")
    ended = started(folder, command, CONSOLE_PORT=str(free_port()), full=full)
    assert ended.returncode == 1
    (line,) = ended.stdout.strip().splitlines()
    assert line.startswith(f"The data folder cannot be used: {folder} (")
