"""A real worker on PostgreSQL and Redis is killed between the grant and the mail: the handoff still arrives, once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from aiosmtpd.controller import Controller
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import Notice, User
from accounts.tasks import sweep_notices
from connectors.models import Connector, Handoff
from connectors.tests.factories import make_connector
from groups.models import Group
from groups.tests.factories import make_group
from kaizala_console.celery import app
from kaizala_console.lib import clock
from kaizala_console.tests.test_processes import eventually

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
ROOT = Path(__file__).resolve().parent.parent.parent


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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    handler.holds = False
    controller.stop()


@pytest.fixture
def start_worker(mail_server: tuple[MailServer, int]) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
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
            [*celery, "worker", "-P", "threads", "-c", "2", "-O", "fair"],
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
    queue = redis.Redis.from_url(settings.REDIS_URL)
    for key in queue.scan_iter(match=f"{settings.CELERY_BROKER_TRANSPORT_OPTIONS['global_keyprefix']}*"):
        queue.delete(key)


def kill(worker: subprocess.Popen[bytes]) -> None:
    """SIGKILL, for the whole session of the worker."""
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(timeout=10)


@pytest.fixture
def connector(developer: User) -> Connector:
    return make_connector(developer, "Shift Planner")


@pytest.fixture
def group(group_admin: User) -> Group:
    return make_group("Night Shift", organisation=group_admin.organisation, admins=[group_admin])


def grant(browser: Client, group: Group, connector: Connector) -> None:
    """ "Add Connector", as the group's admin presses it."""
    answer = browser.post(reverse("groups:connector_add", args=[group.pk]), {"connector": str(connector.pk)})
    assert answer.status_code == 302


def minutes_pass() -> None:
    """The lease of the killed worker runs out, and the timetable wakes the sweeper."""
    Notice.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=clock.now())
    sweep_notices.apply_async()


def test_killed_in_the_middle_of_the_mail_the_worker_loses_nothing_and_doubles_nothing(
    browser_of: Callable[..., Client],
    start_worker: Callable[[], subprocess.Popen[bytes]],
    mail_server: tuple[MailServer, int],
    group_admin: User,
    developer: User,
    group: Group,
    connector: Connector,
) -> None:
    server, _port = mail_server
    server.holds = True
    worker = start_worker()
    grant(browser_of(group_admin), group, connector)
    assert eventually(lambda: server.begun == 1, seconds=30)
    kill(worker)
    assert server.taken == []
    notice = Notice.objects.get(user=developer)
    assert (notice.sent_at, notice.attempts) == (None, 1)

    server.holds = False
    start_worker()
    minutes_pass()
    assert eventually(lambda: Notice.objects.filter(sent_at__isnull=False).exists(), seconds=30)
    minutes_pass()
    minutes_pass()
    time.sleep(2)
    assert [f"<{notice.pk}@" in mail for mail in server.taken] == [True]

    handoff = Handoff.objects.select_related("notice").get()
    assert (handoff.state, handoff.notice.sent_at is not None) == ("waiting", True)
    claimed = browser_of(developer).post(reverse("connectors:handoff_claim", args=[handoff.pk]), {"form_key": "k" * 32})
    assert "kzrt_" in claimed.text


def test_killed_with_the_message_in_its_hands_the_worker_loses_nothing(
    browser_of: Callable[..., Client],
    start_worker: Callable[[], subprocess.Popen[bytes]],
    mail_server: tuple[MailServer, int],
    group_admin: User,
    group: Group,
    connector: Connector,
) -> None:
    server, _port = mail_server
    worker = start_worker()
    os.killpg(worker.pid, signal.SIGSTOP)  # it may still be handed the message, and do nothing with it
    grant(browser_of(group_admin), group, connector)
    kill(worker)
    assert server.taken == []

    start_worker()
    minutes_pass()
    assert eventually(lambda: len(server.taken) == 1, seconds=30)
    minutes_pass()
    time.sleep(2)
    assert len(server.taken) == 1
