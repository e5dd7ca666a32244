"""deploy/nginx.conf, in a real nginx before a real console: what is slow, too large or no HTTP stops there."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from kaizala_console.tests import old_stacks
from kaizala_console.tests.ports import free_port
from kaizala_console.tests.serving import ROOT, request, rest_of, said_to, serving
from kaizala_console.tests.test_processes import eventually

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
pytestmark = [
    pytest.mark.once,
    pytest.mark.django_db,  # or there is no database to begin with (migrated.py)
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed here"),
]
SECRET = "kzat-this-comes-back-to-nobody"
BODY_SECONDS = 2
MAIN = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 1;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/console.conf;
}}
"""
CHANGED = {
    "listen 80;": "listen 127.0.0.1:{port};",
    "listen 443 ssl;": "",
    "ssl_certificate /etc/ssl/console.pem;": "",
    "ssl_certificate_key /etc/ssl/console.key;": "",
    "server 127.0.0.1:8000;": "server 127.0.0.1:{upstream};",
    "/var/log/nginx/console.log": "{folder}/access.log",
    "client_body_timeout 60s;": f"client_body_timeout {BODY_SECONDS}s;",
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[int]:
    """The port of nginx, in front of a console that has two threads."""
    folder = tmp_path_factory.mktemp("nginx")
    with serving(folder / "data", CONSOLE_THREADS="2", TRUSTED_PROXIES="127.0.0.1/32") as console:
        number = free_port()
        text = (ROOT / "deploy" / "nginx.conf").read_text()
        for documented, here in CHANGED.items():
            assert text.count(documented) == 1, documented
            text = text.replace(documented, here.format(port=number, upstream=console.port, folder=folder))
        (folder / "console.conf").write_text(text)
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
        process = subprocess.Popen([str(NGINX), "-c", str(folder / "nginx.conf")], stderr=subprocess.PIPE, text=True)
        try:
            assert eventually(lambda: process.poll() is not None or listens(number), seconds=20)
            assert process.poll() is None, process.communicate()[1]
            yield number
        finally:
            process.terminate()
            process.communicate(timeout=20)


def listens(number: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", number)) == 0


def head(first: str, *headers: str, host: bool = True) -> str:
    lines = [first, *(["Host: localhost"] if host else []), *headers, f"accessToken: {SECRET}", "", ""]
    return "\r\n".join(lines)


REFUSED = {
    "no Host": (400, head("GET /v1/users/me HTTP/1.1", host=False)),
    "two Hosts": (400, head("GET /v1/users/me HTTP/1.1", "Host: other.example")),
    "a blank in the target": (400, head("GET /v1/users/ me HTTP/1.1")),
    "no target": (400, head("GET HTTP/1.1")),
    "a target that is no path": (400, head("OPTIONS * HTTP/1.1")),
    "a method in small letters": (400, head("get /v1/users/me HTTP/1.1")),
    "TLS where none is spoken": (400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "a version that does not exist": (505, head("GET / HTTP/3.7")),
    "a NUL in a header": (400, head("GET /v1/users/me HTTP/1.1", "X-Name: \x00")),
    "a negative length": (400, head("GET /v1/users/me HTTP/1.1", "Content-Length: -1")),
    "two lengths that differ": (400, head("GET / HTTP/1.1", "Content-Length: 1", "Content-Length: 2")),
    "a length and chunks": (400, head("POST / HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked")),
    "a transfer encoding that is none": (501, head("POST / HTTP/1.1", "Transfer-Encoding: gzip")),
    "a chunk's size in words": (
        400,
        head("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "four\r\nabcd\r\n0\r\n\r\n",
    ),
    "a target of 66,000 bytes": (414, head(f"GET /v1/{'x' * 66_000} HTTP/1.1")),
    "a header of 66,000 bytes": (431, head("GET /v1/users/me HTTP/1.1", f"X-Name: {'x' * 66_000}")),
    "headers without end": (431, head("GET / HTTP/1.1", *["X-Name: 1234567890"] * 30_000)[:-2]),
    "a body larger than any that is taken": (413, head("POST / HTTP/1.1", "Content-Length: 999999999999")),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_no_http_is_refused_with_the_three_fields(port: int, name: str) -> None:
    status, sent = REFUSED[name]
    answer = said_to(port, sent)
    headers, _end, body = answer.partition("\r\n\r\n")
    assert headers.startswith(f"HTTP/1.1 {status}"), headers
    assert "Content-Type: application/json; charset=utf-8" in headers
    fields = json.loads(body)
    assert set(fields) == {"message", "errorCode", "errorCategoryKey"}
    assert all(fields.values())
    assert SECRET not in answer


def test_requests_of_old_programs_arrive(port: int) -> None:
    # nginx takes no length that is sent twice, and no header of 300 kB.
    assert set(old_stacks.not_understood(port)) == {"the same length twice", "a very long token"}


def test_what_is_not_for_those_outside_is_not_there(port: int) -> None:
    answer = said_to(port, request("GET /.refused"))
    assert answer.startswith("HTTP/1.1 404 ")
    assert json.loads(answer.partition("\r\n\r\n")[2])["errorCode"] == "NotFound"


def test_a_body_that_never_ends_is_given_up(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(old_stacks.request()[:-5])
        began = time.monotonic()
        assert rest_of(connection) == ""
        assert BODY_SECONDS - 0.5 < time.monotonic() - began < BODY_SECONDS + 10


def test_half_sent_bodies_hold_nobody_up(port: int) -> None:
    half = [socket.create_connection(("127.0.0.1", port), timeout=30) for _number in range(20)]
    for connection in half:
        connection.sendall(old_stacks.request()[:-5])
    began = time.monotonic()
    assert old_stacks.WORDS in old_stacks.answer_to(port, old_stacks.request())
    assert time.monotonic() - began < BODY_SECONDS - 0.5
    for connection in half:
        with closing(connection):
            connection.sendall(old_stacks.request()[-5:])
            assert old_stacks.WORDS in rest_of(connection)


def test_the_access_log_holds_no_query(port: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    said_to(port, request(f"GET /v1/users/me?token={SECRET}"))
    log = tmp_path_factory.getbasetemp() / "nginx0" / "access.log"
    assert eventually(lambda: '"GET /v1/users/me HTTP/1.1"' in log.read_text())
    assert SECRET not in log.read_text()
