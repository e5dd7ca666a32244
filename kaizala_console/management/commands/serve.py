"""The web processes, by granian. In production a reverse proxy that buffers stands in front (docs/operating)."""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from kaizala_console import metrics, static_files
from kaizala_console.processes import follow_parent

logger = structlog.get_logger(__name__)
STOP_SECONDS = 15  # requests in flight have so long when the end is asked for
IDLE_SECONDS = 600  # a thread that ends takes its connection to the database along
HEAD_SECONDS = 60  # for the head of a request to arrive


class Command(BaseCommand):
    help = "Start the web processes (CONSOLE_HOST, _PORT, _WORKERS, _THREADS). SIGTERM lets them finish."

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_a_busy_port(settings.CONSOLE_HOST, settings.CONSOLE_PORT)
        if settings.METRICS_PORT:
            refuse_a_busy_port(settings.CONSOLE_HOST, settings.METRICS_PORT, "METRICS_PORT")
        static_files.collect_if_missing()
        if not settings.REDIS_URL:
            call_command("createcachetable", verbosity=0)
        connections.close_all()  # the web processes are forked, and open their own
        gc.freeze()  # the collector would write to what they share with this one, and so copy it
        logger.info("console.started", part="web", version=settings.VERSION)
        server = Granian(
            "kaizala_console.wsgi:application",
            address=settings.CONSOLE_HOST,
            port=settings.CONSOLE_PORT,
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=HEAD_SECONDS * 1000),
            websockets=False,
            workers=settings.CONSOLE_WORKERS,
            blocking_threads=settings.CONSOLE_THREADS,
            blocking_threads_idle_timeout=IDLE_SECONDS,
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_SECONDS,
            log_level=LogLevels.error,
            log_dictconfig=settings.LOGGING | {"loggers": settings.LOGGING["loggers"] | {"_granian": {}}},
        )
        with metrics.listening(settings.CONSOLE_HOST, settings.METRICS_PORT):
            server.serve(target_loader=load, wrap_loader=False)


def load() -> Callable[..., Any]:
    """The application, in a web process, which ends with the main one however that ends."""
    if sys.platform == "linux":
        follow_parent()
    from kaizala_console.wsgi import application

    gc.freeze()  # what lives as long as the process is not looked through again
    return application


def refuse_a_busy_port(host: str, port: int, name: str = "CONSOLE_PORT") -> None:
    """Raise CommandError when the address cannot be had: servers of one user would share the port without a word."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"{host}:{port} cannot be used: {os.strerror(error.errno or 0).lower()}. "
                f"Stop what uses it, or choose another: {name}={port + 1}"
            ) from error
