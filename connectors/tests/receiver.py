"""A receiver of webhooks on a port of this machine, as well or as badly behaved as its path says."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Receiver:
    """What arrived, in order; `broken` paths answer 500 until they are taken out."""

    def __init__(self) -> None:
        self.arrived: list[tuple[str, dict[str, str], bytes]] = []
        self.asked: list[str] = []
        self.broken: set[str] = set()
        self.echo = "{token}"
        self.hold = threading.Event()
        self.hold.set()
        self.under_way = 0
        self.most_under_way = 0
        self.lock = threading.Lock()
        self.base = ""
        self.slow_seconds = 0.05
        self.says: tuple[int, bytes, dict[str, str]] = (200, b"thanks", {})

    def url(self, path: str = "/take") -> str:
        return self.base + path

    def count(self, path: str = "") -> int:
        """How many arrived, at a path or in all."""
        return sum(not path or at == path for at, _headers, _body in list(self.arrived))

    def bodies(self, path: str = "/take") -> list[dict[str, Any]]:
        """What was posted to a path."""
        return [json.loads(body) for at, _headers, body in self.arrived if at == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def do_GET(self) -> None:
        """The handshake."""
        self.receiver.asked.append(self.path)
        token = parse_qs(urlsplit(self.path).query).get("validationToken", [""])[0]
        if self.path.startswith("/hang"):
            self.receiver.hold.wait(10)
            return
        if self.path.startswith("/moved"):
            self._say(302, b"", Location="https://elsewhere.example/")
            return
        self._say(500 if self.path.startswith("/500") else 200, self.receiver.echo.format(token=token).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        what = self.receiver
        with what.lock:
            what.arrived.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            what.under_way += 1
            what.most_under_way = max(what.most_under_way, what.under_way)
        try:
            with suppress(OSError):
                getattr(self, "post_" + self.path.strip("/").split("/")[0], self.post_take)()
        finally:
            with what.lock:
                what.under_way -= 1

    def post_take(self) -> None:
        self._say(500 if self.path in self.receiver.broken else 200, b"thanks")

    def post_says(self) -> None:
        status, body, headers = self.receiver.says
        self._say(status, body, **headers)

    def post_echo(self) -> None:
        """As tools for trials do: the whole request, in the body and in a header."""
        name, value = "kz-callback-token", self.headers.get("kz-callback-token", "")
        self._say(200, f"{name}: {value}".encode(), **{"X-Request-Id": value})

    def post_bomb(self) -> None:
        self._say(200, gzip.compress(b"\0" * 10_000_000), **{"Content-Encoding": "gzip"})

    def post_body_drip(self) -> None:
        self.send_response(503)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(200):
            self.wfile.write(b"x")
            time.sleep(0.02)

    def post_hang(self) -> None:
        self.receiver.hold.clear()
        self.receiver.hold.wait(10)
        self.close_connection = True

    def post_held(self) -> None:
        self.receiver.hold.wait(10)
        self._say(200, b"")

    def post_slow(self) -> None:
        time.sleep(self.receiver.slow_seconds)
        self._say(200, b"")

    def post_reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def post_500(self) -> None:
        self._say(500, b"no")

    def post_moved(self) -> None:
        self._say(307, b"", Location="https://elsewhere.example/")

    def post_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 65_536)

    def post_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            self.wfile.write(b"x" * 65_536)

    def post_drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(200):
            self.wfile.write(b"x")
            time.sleep(0.05)

    def post_cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"only this")
        self.close_connection = True

    def post_nonsense(self) -> None:
        self.wfile.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        self.close_connection = True

    def _say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: callers hang up here on purpose."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """The receiver, listening."""
    receiver = Receiver()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"receiver": receiver}))
    receiver.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
