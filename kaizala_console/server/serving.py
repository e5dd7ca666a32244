"""What the connections of one web process share: the application, its threads, how much and how long."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from enum import Enum
from queue import SimpleQueue
from typing import Any, Final

import structlog
from django.conf import settings

from kaizala_console.server.exchange import Exchange, File

logger = structlog.get_logger(__name__)

BODIES_MOST: Final = 8  # of the longest that are taken, in one process at once
AROUND_FILES: Final = 4 * 1_048_576
MEBIBYTE: Final = 1_048_576


class Phase(Enum):
    """What is waited for, and for how many seconds at the most."""

    IDLE = 75  # a request: longer than proxies keep their connections
    HEAD = 60  # from its first byte to its end
    BODY = 61  # the next bytes of it
    ANSWER = 0  # the application: it ends by itself


class Threads:
    """So many threads take what is put, in its order. As daemons: the end of the process waits for none of them."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._waiting: SimpleQueue[Exchange] = SimpleQueue()
        self._started = False

    def put(self, exchange: Exchange) -> None:
        """Have `exchange.run()` called by the next thread that is free. The first call starts the threads."""
        if not self._started:
            self._started = True
            for number in range(self._number):
                threading.Thread(target=self._work, name=f"request-{number}", daemon=True).start()
        self._waiting.put(exchange)

    def _work(self) -> None:
        while True:
            exchange = self._waiting.get()
            try:
                exchange.run()
            except BaseException:
                logger.exception("server.thread_failed")
            del exchange


class Worker:
    """What the connections of one process share."""

    def __init__(self, application: Callable[..., Any], server: tuple[str, int], connections_most: int) -> None:
        self.application = application
        self.threads = Threads(settings.CONSOLE_THREADS)
        self.body_most = max(settings.MEDIA_MAX_REQUEST_MB, settings.BULK_MAX_MB) * MEBIBYTE + AROUND_FILES
        self.arriving = 0  # bytes of bodies that are not complete
        self.arriving_most = BODIES_MOST * self.body_most
        self.connections_most = connections_most
        self.basis: dict[str, Any] = {
            "SCRIPT_NAME": "",
            "SERVER_NAME": server[0],
            "SERVER_PORT": str(server[1]),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": File,
        }
