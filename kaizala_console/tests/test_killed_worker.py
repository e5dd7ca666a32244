"""A real worker on PostgreSQL and Redis is killed in the midst of a mail or a delivery, and the queue itself is killed.

Every handoff is told all the same, and every event arrives: once, and in order.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator

import kombu.pools
import pytest
import redis
from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts.models import Notice, User
from accounts.tasks import sweep_notices
from connectors.models import Connector, Handoff, WebhookAttempt, WebhookDelivery
from connectors.permissions import PERMISSIONS
from connectors.tasks import deliver_webhooks
from connectors.tests.factories import make_connector, make_program
from connectors.tests.receiver import Receiver, receiving
from connectors.tests.webhook_cast import happen, make_webhook, time_passes
from groups.models import Group
from groups.tests.factories import let_in, make_group
from kaizala_console.celery import app
from kaizala_console.lib import clock
from kaizala_console.lib.tests.cast import BrowserOf
from kaizala_console.tests.ports import free_port
from kaizala_console.tests.real_worker import MailServer, StartWorker, kill
from kaizala_console.tests.test_processes import eventually

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def connector(developer: User) -> Connector:
    return make_connector(developer, "Shift Planner")


def grant(browser: Client, group: Group, connector: Connector) -> float:
    """ "Add Connector"; the seconds that it took."""
    began = time.monotonic()
    answer = browser.post(reverse("groups:connector_add", args=[group.pk]), {"connector": str(connector.pk)})
    assert answer.status_code == 302
    return time.monotonic() - began


def minutes_pass() -> None:
    """The leases of the killed run out, and the timetable wakes the sweeper."""
    Notice.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=clock.now())
    sweep_notices.apply_async()


def test_killed_in_the_middle_of_the_mail_the_worker_loses_nothing_and_doubles_nothing(
    browser_of: BrowserOf,
    start_worker: StartWorker,
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
    time.sleep(1)
    assert [f"<{notice.pk}@" in mail for mail in server.taken] == [True]

    handoff = Handoff.objects.select_related("notice").get()
    assert handoff.state == "waiting"
    assert handoff.notice is not None
    assert handoff.notice.sent_at is not None
    claimed = browser_of(developer).post(
        reverse("connectors:handoff_claim", args=[handoff.pk]), {"idempotency_key": "k" * 32}
    )
    assert "kzrt_" in claimed.text


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as what:
        yield what


def test_killed_in_the_middle_of_a_delivery_the_worker_loses_nothing(
    start_worker: StartWorker, receiver: Receiver, developer: User, group_admin: User
) -> None:
    group = make_group(organisation=group_admin.organisation, admins=[group_admin])
    program = let_in(make_connector(developer, "Shift Planner", permissions=PERMISSIONS), group, group_admin)
    webhook = make_webhook(program.grant, receiver.url("/held"), group.pk)

    receiver.hold.clear()
    worker = start_worker()
    happen(group.pk, "a", "b")
    assert eventually(lambda: receiver.count() == 1, seconds=30)
    kill(worker)
    assert list(webhook.deliveries.order_by("pk").values_list("state", "tries")) == [("waiting", 1), ("waiting", 0)]
    assert not WebhookAttempt.objects.exists()

    receiver.hold.set()
    start_worker()
    # The lease of the killed worker runs out, and the timetable wakes the next one.
    time_passes()
    deliver_webhooks.apply_async()
    assert eventually(lambda: not WebhookDelivery.objects.waiting().exists(), seconds=30)
    bodies = receiver.bodies("/held")
    assert [body["data"]["text"] for body in bodies] == ["a", "a", "b"]
    assert bodies[0]["eventId"] == bodies[1]["eventId"]


# The broker ----------------------------------------------------------------------------------------------------------


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


def test_killed_with_the_message_in_it_and_started_empty_the_broker_loses_no_handoff(
    broker: Broker,
    start_worker: StartWorker,
    mail_server: tuple[MailServer, int],
    browser_of: BrowserOf,
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
    time.sleep(1)
    assert len(server.taken) == 1


def test_neither_a_grant_nor_a_claim_waits_for_a_broker_that_is_down(
    broker: Broker,
    start_worker: StartWorker,
    mail_server: tuple[MailServer, int],
    browser_of: BrowserOf,
    developer: User,
    group_admin: User,
    group: Group,
    connector: Connector,
) -> None:
    server, _port = mail_server
    program = make_program(make_connector(developer, "Depot Stock"), group_admin)
    Notice.objects.update(sent_at=clock.now(), next_attempt_at=None)
    start_worker()
    broker.kill()
    assert grant(browser_of(group_admin), group, connector) < 10
    assert Handoff.objects.get(connector=connector).sealed is not None
    began = time.monotonic()
    answer = Client().post("/v1/handoffs/claim", content_type="application/json", headers=program.headers())
    assert time.monotonic() - began < 10
    assert answer.json()["refreshToken"] == program.refresh_token
    broker.start()
    _forget_connections()
    assert eventually(lambda: bool(app.control.ping(timeout=0.5)), seconds=60), "the worker came back by itself"
    minutes_pass()
    assert eventually(lambda: len(server.taken) == 3, seconds=30), "of the grant, and of the claim to each side"
