"""A bucket on this machine that speaks as much of the S3 protocol as media needs, and takes no request unsigned.

Of an address, the signature is computed as the documentation of AWS Signature Version 4 says, not with the client's
own library: nobody may change one. That a header's is right is for that library and for S3.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from kaizala_console.lib import clock

ACCESS_KEY, SECRET_KEY, REGION, NAME = "console", "a-secret-of-the-bucket", "eu-west-1", "media-of-console"


@dataclass
class Bucket:
    """Its address, what lies in it, and what was asked of it. `refuses` is the status of every answer from then on."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    refuses: int = 0


@contextmanager
def serving_bucket() -> Iterator[Bucket]:
    """Run the server inside the ``with`` block."""
    bucket = Bucket()

    class Handler(_Handler):
        what = bucket

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    bucket.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    what: Bucket

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self._takes():
            self.what.objects[self.path] = content
            self._send(200, ETag=f'"{hashlib.md5(content).hexdigest()}"')  # noqa: S324 (what the protocol says)

    def do_GET(self) -> None:
        if not self._takes():
            return
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        headers = {
            "Content-Type": query.get("response-content-type", "application/octet-stream"),
            "Content-Disposition": query.get("response-content-disposition", "inline"),
        }
        self._send(200, self.what.objects[parts.path], **headers)

    def do_DELETE(self) -> None:
        if self._takes():
            self.what.objects.pop(self.path, None)
            self._send(204)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""

    def _send(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _takes(self) -> bool:
        self.what.asked.append((self.command, urlsplit(self.path).path))
        refusal = self.what.refuses or (0 if self._is_signed() else 403)
        if refusal:
            self._send(refusal, b"<Error><Code>Refused</Code></Error>")
        return not refusal

    def _is_signed(self) -> bool:
        query = dict(parse_qsl(urlsplit(self.path).query))
        if "X-Amz-Signature" not in query:
            return f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/" in self.headers.get("Authorization", "")
        began = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        ends = began + timedelta(seconds=int(query["X-Amz-Expires"]))
        return clock.now() <= ends and hmac.compare_digest(self._sign(query), query["X-Amz-Signature"])

    def _sign(self, query: dict[str, str]) -> str:
        pairs = sorted((quote(name, "-_.~"), quote(value, "-_.~")) for name, value in query.items())
        request = [
            self.command,
            urlsplit(self.path).path,
            "&".join(f"{name}={value}" for name, value in pairs if name != "X-Amz-Signature"),
            f"host:{self.headers['Host']}",
            "",
            "host",
            "UNSIGNED-PAYLOAD",
        ]
        scope = query["X-Amz-Credential"].partition("/")[2]
        digest = hashlib.sha256("\n".join(request).encode()).hexdigest()
        key = f"AWS4{SECRET_KEY}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(
            key, "\n".join(["AWS4-HMAC-SHA256", query["X-Amz-Date"], scope, digest]).encode(), "sha256"
        ).hex()
