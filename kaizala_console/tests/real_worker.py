"""A real worker on PostgreSQL and Redis, with a mail server of the test's own, that tests start and kill.

The root conftest.py loads this as a pytest plugin.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from aiosmtpd.controller import Controller
from django.conf import settings
from django.db import connection

from accounts.models import Notice
from kaizala_console.celery import QUEUES, app
from kaizala_console.tests.ports import free_port
from kaizala_console.tests.test_processes import eventually

ROOT = Path(__file__).resolve().parent.parent.parent
StartWorker = Callable[[], "subprocess.Popen[bytes]"]


class MailServer:
    """Takes mail; while `holds`, it leaves the sender waiting in the middle of the message."""

    def __init__(self) -> None:
        self.holds = False
        self.begun = 0
        self.taken: list[str] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        self.begun += 1
        held = self.holds
        while self.holds:
            await asyncio.sleep(0.05)
        if held:
            return "451 The sender is gone by now"
        self.taken.append(envelope.content.decode())
        return "250 Taken"


@pytest.fixture
def mail_server() -> Iterator[tuple[MailServer, int]]:
    """A mail server on a free port of this machine, and that port."""
    handler = MailServer()
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    handler.holds = False
    controller.stop()


@pytest.fixture
def start_worker(mail_server: tuple[MailServer, int]) -> Iterator[StartWorker]:
    """Starts a worker that takes what this test's requests queue; all are gone at the end."""
    app.conf.task_always_eager = False
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        variables = {
            "DJANGO_SETTINGS_MODULE": "kaizala_console.tests.worker",
            "CONSOLE_TEST_DATABASE": str(connection.settings_dict["NAME"]),
            "CONSOLE_TEST_SMTP_PORT": str(mail_server[1]),
        }
        celery = [sys.executable, "-m", "celery", "-A", "kaizala_console"]
        worker = subprocess.Popen(
            [*celery, "worker", "-Q", ",".join(QUEUES), "-c", "2"],
            cwd=ROOT,
            env=os.environ | variables,
            start_new_session=True,
        )
        started.append(worker)
        assert eventually(lambda: bool(app.control.ping(timeout=0.5)), seconds=60)
        return worker

    yield start
    app.conf.task_always_eager = True
    for worker in started:
        kill(worker)
    forget_messages()


def forget_messages() -> None:
    """What the dead have told the broker, and nobody took."""
    queue = redis.Redis.from_url(settings.REDIS_URL)
    for key in queue.scan_iter(match=f"{settings.CELERY_BROKER_TRANSPORT_OPTIONS['global_keyprefix']}*"):
        queue.delete(key)


def told_once(server: MailServer) -> bool:
    """Whether one mail was taken, and its worker has noted so: until then, the end of its lease has it sent again."""
    return len(server.taken) == 1 and not Notice.objects.filter(next_attempt_at__isnull=False).exists()


def kill(worker: subprocess.Popen[bytes]) -> None:
    """SIGKILL, for the whole session of the worker."""
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(timeout=10)
