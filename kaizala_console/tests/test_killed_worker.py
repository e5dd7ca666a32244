"""A real worker on PostgreSQL and Redis is killed between the grant and the mail: the handoff still arrives, once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Notice, User
from accounts.tasks import sweep_notices
from connectors.models import Connector, Handoff
from connectors.tests.factories import make_connector
from groups.models import Group
from groups.tests.factories import make_group
from kaizala_console.lib import clock
from kaizala_console.tests.real_worker import MailServer, StartWorker, kill, told_once
from kaizala_console.tests.test_processes import eventually

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


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
    time.sleep(2)
    assert [f"<{notice.pk}@" in mail for mail in server.taken] == [True]

    handoff = Handoff.objects.select_related("notice").get()
    assert handoff.state == "waiting"
    assert handoff.notice is not None
    assert handoff.notice.sent_at is not None
    claimed = browser_of(developer).post(
        reverse("connectors:handoff_claim", args=[handoff.pk]), {"idempotency_key": "k" * 32}
    )
    assert "kzrt_" in claimed.text


def test_killed_with_the_message_in_its_hands_the_worker_loses_nothing(
    browser_of: Callable[..., Client],
    start_worker: StartWorker,
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
    assert eventually(lambda: told_once(server), seconds=30)
    minutes_pass()
    time.sleep(2)
    assert len(server.taken) == 1
