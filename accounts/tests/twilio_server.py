"""A local HTTP server that speaks Twilio's JSON: Messages (2010-04-01) and Verify (v2). It fails when told to.

Answers and error bodies follow Twilio's API reference. It is the network side of the tests: the console talks to it
through the official SDK, over a real socket.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

ACCOUNT_SID = "AC" + "1" * 32
AUTH_TOKEN = "a-token-of-the-tests-only-0123456"
SERVICE_SID = "VA" + "2" * 32
FROM = "+15005550006"
MAX_CHECKS = 5


@dataclass
class Verification:
    """One verification as Verify keeps it, until it is approved or tried too often."""

    number: str
    pin: str
    tries: int = 0


@dataclass
class FakeTwilio:
    """What arrived on phones, what was asked, and how the next requests are to fail."""

    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    verifications: dict[str, Verification] = field(default_factory=dict)
    failures: list[tuple[int, dict[str, Any] | str]] = field(default_factory=list)
    hanging: threading.Event = field(default_factory=threading.Event)
    hang: bool = False
    seconds_to_think: float = 0
    base_url: str = ""

    def fail(self, status: int, code: int | None = None, *, times: int = 1, text: str | None = None) -> None:
        """Answers the next `times` requests with an error of Twilio's, or with `text` that is no JSON at all."""
        body: dict[str, Any] | str = text if text is not None else error_body(status, code)
        self.failures += [(status, body)] * times

    def pin(self, number: str) -> str:
        """The PIN in the newest text to a number."""
        found = re.search(r"\b\d{6}\b", self.texts[number][-1])
        assert found is not None
        return found.group()

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any] | str]:
        """What Twilio would say."""
        self.requests.append((path, form))
        if self.failures:
            return self.failures.pop(0)
        if path == f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json":
            return self._message(form)
        if path == f"/v2/Services/{SERVICE_SID}/Verifications":
            return self._verification(form)
        if path == f"/v2/Services/{SERVICE_SID}/VerificationCheck":
            return self._check(form)
        return 404, error_body(404, 20404)

    def _message(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if not form.get("From") and not form.get("MessagingServiceSid"):
            return 400, error_body(400, 21603)
        self.texts[form["To"]].append(form["Body"])
        return 201, {
            "sid": "SM" + secrets.token_hex(16),
            "account_sid": ACCOUNT_SID,
            "to": form["To"],
            "from": form.get("From"),
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "body": form["Body"],
            "status": "queued",
            "num_segments": "1",
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "date_created": "Tue, 24 Nov 2026 10:00:00 +0000",
        }

    def _verification(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        number = form["To"]
        pending = {known.number: sid for sid, known in self.verifications.items()}
        sid = pending.get(number) or "VE" + secrets.token_hex(16)
        known = self.verifications.setdefault(sid, Verification(number, f"{secrets.randbelow(10**6):06d}"))
        self.texts[number].append(f"Your Kaizala Console verification code is: {known.pin}")
        return 201, {**self._described(sid, known), "channel": form["Channel"], "status": "pending", "valid": False}

    def _check(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        sid = form["VerificationSid"]
        known = self.verifications.get(sid)
        if known is None:
            return 404, error_body(404, 20404)
        known.tries += 1
        if known.tries > MAX_CHECKS:
            return 429, error_body(429, 60202)
        right = secrets.compare_digest(known.pin, form["Code"])
        if right:
            del self.verifications[sid]
        status = "approved" if right else "pending"
        return 200, {**self._described(sid, known), "channel": "sms", "status": status, "valid": right}

    def _described(self, sid: str, known: Verification) -> dict[str, Any]:
        return {
            "sid": sid,
            "service_sid": SERVICE_SID,
            "account_sid": ACCOUNT_SID,
            "to": known.number,
            "date_created": "2026-11-24T10:00:00Z",
            "date_updated": "2026-11-24T10:00:00Z",
        }


def error_body(status: int, code: int | None) -> dict[str, Any]:
    """Twilio's error shape; `code` is left out as its gateways do when they fail themselves."""
    body: dict[str, Any] = {"message": "An error of the test", "status": status}
    if code is not None:
        body |= {"code": code, "more_info": f"https://www.twilio.com/docs/errors/{code}"}
    return body


@contextmanager
def running() -> Iterator[FakeTwilio]:
    """Serves on a free loopback port until the block ends."""
    twilio = FakeTwilio()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
            if twilio.hang:
                twilio.hanging.wait(30)
                return
            time.sleep(twilio.seconds_to_think)
            expected = base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {expected}":
                self._say(401, error_body(401, 20003))
                return
            self._say(*twilio.answer(self.path, form))

        def _say(self, status: int, body: dict[str, Any] | str) -> None:
            raw = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if isinstance(body, dict) else "text/html")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    twilio.base_url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield twilio
    finally:
        twilio.hanging.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
