"""A real sandbox behind granian, started by `manage.py serve` on a database of its own; requests over raw sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kaizala_console.tests import migrated
from kaizala_console.tests.ports import free_port
from kaizala_console.tests.test_processes import eventually

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Served:
    """A console that listens, and its main process."""

    port: int
    process: subprocess.Popen[str]
    folder: Path


@contextmanager
def serving(folder: Path, **variables: str) -> Iterator[Served]:
    """`manage.py serve` with nothing but the given variables; ready when the block begins, gone when it ends."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "CONSOLE_DATA_DIR": str(folder),
        "CONSOLE_PORT": str(port),
        "CONSOLE_WORKERS": "1",
    }
    if not (database := folder / "console.sqlite3").exists():
        migrated.put_into(folder)
    if not database.exists() and "DATABASE_URL" not in variables:  # the tests are on PostgreSQL
        subprocess.run([sys.executable, "manage.py", "migrate"], cwd=ROOT, env=environment, check=True, timeout=240)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve"],
        cwd=ROOT,
        env=environment | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert eventually(lambda: process.poll() is not None or answers(port), seconds=90)
        assert process.poll() is None, process.communicate()[0]
        yield Served(port, process, folder)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def answers(port: int) -> bool:
    """Whether it is alive."""
    try:
        return said_to(port, request("GET /healthz")).startswith("HTTP/1.1 200 ")
    except OSError:
        return False


def request(first: str, *headers: str, body: str = "", host: str = "localhost") -> str:
    """One request, after whose answer the server closes."""
    lines = [f"{first} HTTP/1.1", f"Host: {host}", *headers, "Connection: close"]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", body])


def said_to(port: int, text: str, seconds: float = 20) -> str:
    """All that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(text.encode("latin-1"))
        return rest_of(connection)


def rest_of(connection: socket.socket) -> str:
    """What arrives until the server closes."""
    return b"".join(iter(lambda: connection.recv(65_536), b"")).decode("latin-1")
