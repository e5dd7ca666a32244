"""A bucket on this machine that speaks as much of the S3 protocol as media needs, and believes no request unsigned.

Signatures are checked as the documentation of AWS Signature Version 4 says, not with the client's own library.
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
    """Its address, what lies in it, and what was asked of it. `down` makes it answer 503."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    down: bool = False


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
        if self._believes(content):
            self.what.objects[self.path] = content
            self._send(200, ETag=f'"{hashlib.md5(content).hexdigest()}"')  # noqa: S324 (what the protocol says)

    def do_GET(self) -> None:
        if not self._believes():
            return
        parts = urlsplit(self.path)
        if parts.path not in self.what.objects:
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        query = dict(parse_qsl(parts.query))
        headers = {
            "Content-Type": query.get("response-content-type", "application/octet-stream"),
            "Content-Disposition": query.get("response-content-disposition", "inline"),
        }
        self._send(200, self.what.objects[parts.path], **headers)

    def do_DELETE(self) -> None:
        if self._believes():
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

    def _believes(self, content: bytes = b"") -> bool:
        self.what.asked.append((self.command, urlsplit(self.path).path))
        if self.what.down:
            self._send(503, b"<Error><Code>SlowDown</Code></Error>")
        elif not (self._is_signed_in_address() or self._is_signed_in_header(content)):
            self._send(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        else:
            return True
        return False

    def _is_signed_in_header(self, content: bytes) -> bool:
        kind, _space, rest = self.headers.get("Authorization", "").partition(" ")
        fields = dict(each.strip().split("=", 1) for each in rest.split(",") if "=" in each)
        digest = self.headers.get("X-Amz-Content-SHA256", "")
        if kind != "AWS4-HMAC-SHA256" or digest not in ("UNSIGNED-PAYLOAD", hashlib.sha256(content).hexdigest()):
            return False
        parts = urlsplit(self.path)
        made = self._signature(
            parts.query, fields["SignedHeaders"], digest, self.headers["X-Amz-Date"], fields["Credential"]
        )
        return hmac.compare_digest(made, fields["Signature"])

    def _is_signed_in_address(self) -> bool:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        if "X-Amz-Signature" not in query:
            return False
        began = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if clock.now() > began + timedelta(seconds=int(query["X-Amz-Expires"])):
            return False
        rest = "&".join(each for each in parts.query.split("&") if not each.startswith("X-Amz-Signature="))
        made = self._signature(
            rest,
            query["X-Amz-SignedHeaders"],
            "UNSIGNED-PAYLOAD",
            query["X-Amz-Date"],
            query["X-Amz-Credential"],
        )
        return hmac.compare_digest(made, query["X-Amz-Signature"])

    def _signature(self, query: str, signed: str, digest: str, moment: str, credential: str) -> str:
        pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parse_qsl(query, True))
        request = [
            self.command,
            urlsplit(self.path).path,
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(self.headers[name].split())}" for name in signed.split(";")),
            "",
            signed,
            digest,
        ]
        access_key, scope = credential.split("/", 1)
        if access_key != ACCESS_KEY:
            return ""
        to_sign = "\n".join(
            ["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256("\n".join(request).encode()).hexdigest()]
        )
        key = f"AWS4{SECRET_KEY}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, to_sign.encode(), "sha256").hex()
