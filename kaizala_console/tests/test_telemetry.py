"""Errors to Sentry and traces by OpenTelemetry: a real process reports to a server of the test, and tells no secret."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import brotli
import pytest

from kaizala_console.tests.serving import ROOT

pytestmark = pytest.mark.once
UNPACKED = {"gzip": gzip.decompress, "br": brotli.decompress}
SECRET = "Xq7hT2mWzA"
PROGRAM = f"""
from django.conf import settings
from django.test import Client
def breaks(request, name, password="{SECRET}"):
    typed = "{SECRET}"
    raise RuntimeError("the page broke, kzrt_{SECRET * 3}")
import kaizala_console.urls, django.urls
settings.STORAGES["staticfiles"] = {{"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
kaizala_console.urls.urlpatterns.insert(0, django.urls.path("breaks/<name>", breaks))
ask = Client(SERVER_NAME="localhost", raise_request_exception=False, headers={{"refreshToken": "{SECRET}"}})
print(ask.post("/breaks/{SECRET}?code={SECRET}", {{"pin": "{SECRET}"}}).status_code)
print(ask.get("/v1/groups/{SECRET}?accessToken={SECRET}").status_code)
"""


@pytest.fixture
def received() -> Iterator[tuple[int, list[bytes]]]:
    """A port, and the bodies that are sent to it."""
    bodies: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append(UNPACKED.get(self.headers.get("Content-Encoding", ""), bytes)(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, bodies
        server.shutdown()


def run(folder: Path, **variables: str) -> str:
    environment = {"PATH": os.environ["PATH"], "CONSOLE_DATA_DIR": str(folder), **variables}
    command = [sys.executable, "manage.py", "shell", "--no-imports", "--command", PROGRAM]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_errors_are_reported_without_secrets(received: tuple[int, list[bytes]], tmp_path: Path) -> None:
    port, bodies = received
    assert run(tmp_path, SENTRY_DSN=f"http://key@127.0.0.1:{port}/1").split() == ["500", "401"]
    (report,) = [body for body in bodies if b"the page broke" in body]
    assert b"kaizala-console@1" in report
    assert SECRET.encode() not in report, report[max(0, report.find(SECRET.encode()) - 200) :][:400]


def test_traces_are_sent_without_addresses(received: tuple[int, list[bytes]], tmp_path: Path) -> None:
    port, bodies = received
    run(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}")
    sent = b"".join(bodies)
    assert b"POST breaks/<name>" in sent
    assert b"GET v1/groups/<group_id>" in sent
    assert SECRET.encode() not in sent
