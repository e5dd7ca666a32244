"""A real worker is killed at every step of a rotation: the successor is made and handed over all the same, once."""

from __future__ import annotations

import datetime as dt
import os
import signal
import time

import pytest
from django.db import connection, transaction

from accounts.models import AuditEvent, Notice, User
from accounts.tasks import sweep_notices
from connectors.models import Handoff, RefreshToken
from connectors.services import handoffs
from connectors.services.one_time_secrets import new_form_key
from connectors.tasks import rotate_tokens
from connectors.tests.factories import Program, make_connector, make_program
from connectors.tests.test_successors import exchange
from kaizala_console.lib import clock
from kaizala_console.tests.real_worker import MailServer, StartWorker, kill, told_once
from kaizala_console.tests.test_processes import eventually

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

# What a rotation writes, in this order.
STEPS = [
    "connectors_refreshtoken",
    "accounts_auditevent",
    "connectors_handoff",
    "accounts_notice",
]


@pytest.fixture
def program(developer: User, group_admin: User) -> Program:
    """Its token was claimed, and has lived 330 of its 365 days. Its own mails were sent."""
    program = make_program(make_connector(developer, "Shift Planner"), group_admin)
    handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=new_form_key(), address=None)
    now = clock.now()
    RefreshToken.objects.update(issued_at=now - dt.timedelta(days=330), expires_at=now + dt.timedelta(days=35))
    Notice.objects.update(sent_at=now, next_attempt_at=None)
    return program


def worker_waits() -> bool:
    """Somebody is held up by the lock of this test."""
    with connection.cursor() as cursor:
        # Within a transaction pg_stat_activity stands still, and would never list a worker that connected later.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE NOT granted AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])


def the_timetable_goes_on() -> None:
    """The killed worker's lease on a mail runs out, and all that is due is called again."""
    Notice.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=clock.now())
    rotate_tokens.apply_async()
    sweep_notices.apply_async()


def assert_rotated_once(program: Program, developer: User, server: MailServer) -> None:
    """One successor, handed over once, told once; it is what the Token Service gives, and it works."""
    the_timetable_goes_on()
    assert eventually(lambda: told_once(server), seconds=30)
    the_timetable_goes_on()
    time.sleep(1.5)
    (mail,) = server.taken
    assert "The next refresh token of Shift Planner" in mail
    assert RefreshToken.objects.count() == 2
    assert AuditEvent.objects.filter(tag="grant:token:succeeded").count() == 1
    handoff = Handoff.objects.waiting().get()
    successor = handoffs.claim(handoff=handoff, by=developer, idempotency_key=new_form_key(), address=None)
    assert successor == exchange(program).successor
    assert exchange(program, successor).access_token


@pytest.mark.parametrize("table", STEPS)
def test_killed_within_the_transaction_it_leaves_nothing_half_done(
    start_worker: StartWorker,
    mail_server: tuple[MailServer, int],
    program: Program,
    developer: User,
    table: str,
) -> None:
    worker = start_worker()
    with transaction.atomic():
        connection.cursor().execute(f"LOCK TABLE {table} IN SHARE MODE")  # it may read, and waits when it writes
        rotate_tokens.apply_async()
        assert eventually(worker_waits, seconds=30)
        kill(worker)
    assert eventually(lambda: not worker_waits(), seconds=30)
    assert RefreshToken.objects.count() == 1
    assert not Handoff.objects.waiting().exists()

    start_worker()
    assert_rotated_once(program, developer, mail_server[0])


def test_killed_with_the_message_in_its_hands_it_loses_nothing(
    start_worker: StartWorker, mail_server: tuple[MailServer, int], program: Program, developer: User
) -> None:
    worker = start_worker()
    os.killpg(worker.pid, signal.SIGSTOP)  # it may still be handed the message, and do nothing with it
    rotate_tokens.apply_async()
    kill(worker)
    assert RefreshToken.objects.count() == 1
    start_worker()
    assert_rotated_once(program, developer, mail_server[0])


def test_killed_in_the_middle_of_the_mail_it_doubles_nothing(
    start_worker: StartWorker, mail_server: tuple[MailServer, int], program: Program, developer: User
) -> None:
    server, _port = mail_server
    server.holds = True
    worker = start_worker()
    rotate_tokens.apply_async()
    assert eventually(lambda: server.begun == 1, seconds=30)
    kill(worker)
    assert RefreshToken.objects.count() == 2
    server.holds = False
    start_worker()
    assert_rotated_once(program, developer, server)
