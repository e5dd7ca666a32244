"""The queue itself is killed, with the messages that it held: the handoff is told all the same, once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import kombu.pools
import pytest
import redis
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from accounts.models import Notice, User
from accounts.tasks import sweep_notices
from connectors.models import Connector, Handoff, RefreshToken
from connectors.services import handoffs
from connectors.services.one_time_secrets import new_form_key
from connectors.tasks import rotate_tokens
from connectors.tests.factories import Program, make_connector, make_program
from connectors.tests.test_successors import exchange
from groups.models import Group
from groups.tests.factories import make_group
from kaizala_console.celery import app
from kaizala_console.lib import clock
from kaizala_console.tests.ports import free_port
from kaizala_console.tests.real_worker import MailServer, StartWorker, told_once
from kaizala_console.tests.test_killed_rotation import program as old_program
from kaizala_console.tests.test_killed_rotation import worker_waits
from kaizala_console.tests.test_processes import eventually

__all__ = ["old_program"]
pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


class Broker:
    """A Redis of the test's own, which keeps nothing on disk."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self._server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        assert eventually(self._answers, seconds=20)

    def kill(self) -> None:
        assert self._server is not None
        self._server.kill()
        self._server.wait(timeout=10)

    def _answers(self) -> bool:
        try:
            return bool(redis.Redis(port=self.port).ping())
        except redis.ConnectionError:
            return False


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """Stands in for the broker of the settings, here and in the workers that are started after it."""
    if shutil.which("redis-server") is None:
        pytest.skip("needs redis-server, to kill one of its own")
    own = Broker()
    own.start()
    monkeypatch.setenv("REDIS_URL", own.url)
    app.conf.broker_url = own.url
    _forget_connections()
    yield own
    app.conf.broker_url = settings.REDIS_URL
    _forget_connections()
    own.kill()


def _forget_connections() -> None:
    """Celery keeps a pool of the connections to the broker that it first met."""
    kombu.pools.reset()
    app._pool = None
    app.amqp._producer_pool = None


@pytest.fixture
def connector(developer: User) -> Connector:
    return make_connector(developer, "Shift Planner")


@pytest.fixture
def group(group_admin: User) -> Group:
    return make_group("Night Shift", organisation=group_admin.organisation, admins=[group_admin])


def grant(browser: Client, group: Group, connector: Connector) -> float:
    """ "Add Connector"; the seconds that it took."""
    began = time.monotonic()
    answer = browser.post(reverse("groups:connector_add", args=[group.pk]), {"connector": str(connector.pk)})
    assert answer.status_code == 302
    return time.monotonic() - began


def minutes_pass() -> None:
    """The timetable wakes the sweeper, and leases run out."""
    Notice.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=clock.now())
    sweep_notices.apply_async()


def test_killed_with_the_message_in_it_and_started_empty_the_broker_loses_no_handoff(
    broker: Broker,
    start_worker: StartWorker,
    mail_server: tuple[MailServer, int],
    browser_of: Callable[..., Client],
    group_admin: User,
    group: Group,
    connector: Connector,
) -> None:
    server, _port = mail_server
    worker = start_worker()
    os.killpg(worker.pid, signal.SIGSTOP)
    grant(browser_of(group_admin), group, connector)
    broker.kill()
    broker.start()
    os.killpg(worker.pid, signal.SIGCONT)
    _forget_connections()
    assert eventually(lambda: bool(app.control.ping(timeout=0.5)), seconds=60), "the worker came back by itself"
    minutes_pass()
    assert eventually(lambda: Notice.objects.filter(sent_at__isnull=False).exists(), seconds=30)
    minutes_pass()
    time.sleep(2)
    assert len(server.taken) == 1


def test_a_grant_does_not_wait_for_a_broker_that_is_down(
    broker: Broker,
    start_worker: StartWorker,
    mail_server: tuple[MailServer, int],
    browser_of: Callable[..., Client],
    group_admin: User,
    group: Group,
    connector: Connector,
) -> None:
    server, _port = mail_server
    start_worker()
    broker.kill()
    assert grant(browser_of(group_admin), group, connector) < 10
    assert Handoff.objects.get().sealed is not None
    broker.start()
    _forget_connections()
    assert eventually(lambda: bool(app.control.ping(timeout=0.5)), seconds=60), "the worker came back by itself"
    minutes_pass()
    assert eventually(lambda: len(server.taken) == 1, seconds=30)


def test_killed_in_the_middle_of_a_rotation_the_broker_loses_nothing(
    broker: Broker,
    start_worker: StartWorker,
    mail_server: tuple[MailServer, int],
    old_program: Program,
    developer: User,
) -> None:
    server, _port = mail_server
    start_worker()
    with transaction.atomic():
        connection.cursor().execute("LOCK TABLE connectors_handoff IN SHARE MODE")  # it may read, and waits to write
        rotate_tokens.apply_async()
        assert eventually(worker_waits, seconds=30)
        broker.kill()
    assert eventually(lambda: Handoff.objects.waiting().exists(), seconds=30), "the rotation needs no broker"
    broker.start()
    _forget_connections()
    start_worker()  # it may have ended with the connection of its task: its container starts it again
    rotate_tokens.apply_async()  # the timetable; what was not acknowledged may come again besides
    minutes_pass()
    assert eventually(lambda: told_once(server), seconds=30)
    minutes_pass()
    time.sleep(1)
    assert (len(server.taken), RefreshToken.objects.count()) == (1, 2)
    handoff = Handoff.objects.waiting().get()
    successor = handoffs.claim(handoff=handoff, by=developer, idempotency_key=new_form_key(), address=None)
    assert successor == exchange(old_program).successor


def test_a_program_claims_while_the_broker_is_down_and_the_receipts_come_later(
    broker: Broker,
    start_worker: StartWorker,
    mail_server: tuple[MailServer, int],
    developer: User,
    group_admin: User,
) -> None:
    server, _port = mail_server
    program = make_program(make_connector(developer, "Shift Planner"), group_admin)
    Notice.objects.update(sent_at=clock.now(), next_attempt_at=None)
    start_worker()
    broker.kill()
    began = time.monotonic()
    answer = Client().post("/v1/handoffs/claim", content_type="application/json", headers=program.headers())
    assert time.monotonic() - began < 10
    assert answer.json()["refreshToken"] == program.refresh_token
    broker.start()
    _forget_connections()
    assert eventually(lambda: bool(app.control.ping(timeout=0.5)), seconds=60), "the worker came back by itself"
    minutes_pass()
    assert eventually(lambda: len(server.taken) == 2, seconds=30), "one to each side"
