"""The web server in this process, in front of an application of a few lines, for requests over raw sockets."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from kaizala_console.server.connection import Connection
from kaizala_console.server.serving import Threads, Worker
from kaizala_console.server.worker import bound, configured

TEXT = [("Content-Type", "text/plain")]
StartResponse = Callable[..., Callable[[bytes], object]]


class Application:
    """Answers by path; counts what it was asked and which answers were closed."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.closed: list[str] = []
        self.arrived = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        self.asked.append(environ["PATH_INFO"])
        name = environ["PATH_INFO"].strip("/").partition("/")[0]
        answer: Iterable[bytes] = getattr(self, name)(environ, start_response)
        return answer

    def echo(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"]
        size = sum(len(part) for part in iter(lambda: body.read(65_536), b""))
        said = {key: value for key, value in environ.items() if isinstance(value, str | list)}
        start_response("200 OK", TEXT)
        return [json.dumps(said | {"size": size, "in_a_file": body._rolled}).encode()]

    def empty(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("204 No Content", [])
        return []

    def large(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return [b"x" * 500_000]

    def medium(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return [b"w" * 200_000]

    def parts(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return self._parts()

    def _parts(self) -> Iterator[bytes]:
        try:
            for _number in range(200):
                yield b"z" * 100_000
        finally:
            self.closed.append("parts")

    def waits(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        self.arrived.set()
        assert self.go_on.wait(10)
        start_response("200 OK", TEXT)
        return [b"here"]

    def sets(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Set-Cookie", " a=kzat_this_must_not_be_logged"), ("Set-Cookie", " b=2")])
        return [b""]

    def splits(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("X-Name", "kzat_this_must_not_be_logged\r\nX-Other: 1")])
        return [b""]

    def raises(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        raise RuntimeError("kzat_this_must_not_leave")

    def raises_late(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        yield b"x" * 300_000
        raise RuntimeError("too late for another answer")

    def says_too_much(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "1")])
        return [b"two"]


class Here:
    """A server that listens."""

    def __init__(self, port: int, worker: Worker, application: Application, server: uvicorn.Server) -> None:
        self.port, self.worker, self.application, self.server = port, worker, application, server

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def said_to(self, sent: bytes, *, ends: bool = False) -> bytes:
        """All that comes back until the server closes."""
        with self.connect() as connection:
            connection.sendall(sent)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            return rest_of(connection)


def rest_of(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(262_144), b""))


def request(path: str, *headers: str, method: str = "GET", version: str = "1.1", last: bool = True) -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: h", *headers, *(["Connection: close"] if last else []), "", ""]
    return "\r\n".join(lines).encode()


def fields_of(answer: bytes) -> dict[str, Any]:
    """The JSON of an answer's body."""
    found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


@contextmanager
def serving_here(threads: int = 2) -> Iterator[Here]:
    application = Application()

    class OfThisTest(Connection):
        worker = Worker(application, ("127.0.0.1", 0), connections_most=400)

    OfThisTest.worker.threads = Threads(threads)
    listener = bound("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = uvicorn.Server(configured(OfThisTest))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield Here(port, OfThisTest.worker, application, server)
    finally:
        application.go_on.set()
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
