"""One of the web processes: its own socket on the shared port, its own loop, its own threads."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import sys
from typing import Any

import uvicorn

from kaizala_console.processes import follow_parent

STOP_SECONDS = 15  # requests in flight have so long when the process is asked to end
FILES_MOST = 8_192  # descriptors, and so connections, of a process
FILES_BESIDES = 128  # descriptors for databases, files and the loop itself


def bound(host: str, port: int) -> socket.socket:
    """A socket on the port that all processes share: the kernel spreads connections over those that listen."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    return listener


def run(host: str, port: int) -> None:
    """Serve until SIGTERM; what has been counted is written at the ordinary end of a process."""
    if sys.platform == "linux":
        follow_parent()
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal anew when it has stopped, and the default would end the process before `atexit`.
        signal.signal(number, lambda _number, _frame: sys.exit(0))
    listener = bound(host, port)
    from kaizala_console.server.connection import Connection
    from kaizala_console.server.serving import Worker
    from kaizala_console.wsgi import application

    Connection.worker = Worker(application, (host, port), connections_most=_descriptors() - FILES_BESIDES)
    uvicorn.Server(configured(Connection)).run(sockets=[listener])


def configured(protocol: type[asyncio.Protocol]) -> uvicorn.Config:
    """What of uvicorn is used: neither its parsers nor its logs nor what it believes of proxies."""
    return uvicorn.Config(
        _no_asgi,
        http=protocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


async def _no_asgi(scope: Any, receive: Any, send: Any) -> None:
    """uvicorn wants an application; `Connection` calls ours itself."""


def _descriptors() -> int:
    """How many files this process may have open, after asking for as many as it may ask for."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MOST if hard == resource.RLIM_INFINITY else min(hard, FILES_MOST)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
