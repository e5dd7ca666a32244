"""A Token Service that answers what a test tells it to, on a port of this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Answering:
    """What the next requests get, and what was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 200, "{}", dict[str, str]()
        self.asked: list[dict[str, str]] = []

    def says(self, status: int, body: Any = None, **headers: str) -> None:
        """Answer so from now on; a body that is text goes out as it is."""
        self.status, self.headers = status, {name.replace("_", "-"): value for name, value in headers.items()}
        self.body = body if isinstance(body, str) else json.dumps(body)


@contextmanager
def answering() -> Iterator[tuple[Answering, str]]:
    """The server, and its address."""
    what = Answering()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            what.asked.append({"path": self.path, **self.headers})
            body = what.body.encode()
            self.send_response(what.status)
            for name, value in what.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield what, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
