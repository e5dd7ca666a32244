"""Beat and the workers: a clock that was ahead stops nothing, a task that hangs is ended, and health checks say so."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command

from accounts.models import User
from accounts.services import notifications
from accounts.tasks import sweep_notices
from kaizala_console import celery
from kaizala_console.celery import QUEUES, app, heartbeat
from kaizala_console.tests.hanging import hang
from kaizala_console.tests.production import PRODUCTION
from kaizala_console.tests.real_worker import MailServer, StartWorker, told_once
from kaizala_console.tests.test_processes import eventually

Travel = Callable[..., dt.datetime]


@pytest.fixture
def scheduler(db: None, tmp_path: Path) -> Any:
    """Beat with one task a minute."""
    cache.delete_many([f"beat:sent:heartbeat-{queue}" for queue in QUEUES])
    cache.delete_many([f"worker:seen:{queue}" for queue in QUEUES])
    app.finalize()
    entry = {"task": heartbeat.name, "schedule": 60.0, "kwargs": {"queue": "mail"}}
    app.conf.beat_schedule, before = {"heartbeat-mail": entry}, app.conf.beat_schedule
    scheduler = celery.Scheduler(app, schedule_filename=str(tmp_path / "schedule"))
    yield scheduler
    scheduler.close()
    app.conf.beat_schedule = before


def test_after_the_clock_was_an_hour_ahead_beat_sends_again_within_a_minute(scheduler: Any, travel: Travel) -> None:
    travel(minutes=60)
    scheduler.tick()
    scheduler.tick()
    assert celery.get_worker_heartbeat("mail")
    travel(minutes=-60)
    assert scheduler.tick() <= 60
    cache.delete("worker:seen:mail")
    travel(seconds=61)
    scheduler.tick()
    assert celery.get_worker_heartbeat("mail"), "sent, and taken by a worker"


def test_health_checks_fail_for_a_beat_and_a_worker_that_are_silent(scheduler: Any, travel: Travel) -> None:
    for command in (["check_beat"], ["check_worker", "mail"]):
        with pytest.raises(CommandError, match="yet"):
            call_command(*command)
    travel(seconds=61)
    scheduler.tick()
    for command in (["check_beat"], ["check_worker", "mail"]):
        call_command(*command)
    with pytest.raises(CommandError, match="yet"):
        call_command("check_worker", "sms")
    travel(minutes=10)
    for command in (["check_beat"], ["check_worker", "mail"]):
        with pytest.raises(CommandError, match="since"):
            call_command(*command)


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_tasks_that_hang_are_ended_and_the_worker_goes_on(
    start_worker: StartWorker, mail_server: tuple[MailServer, int], developer: User
) -> None:
    start_worker()
    for _ in range(4):
        hang.apply_async()
    notice = notifications.queue(user=developer, template="accounts/phone_claimed", key="x", context={"number": "+91…"})
    sweep_notices.apply_async()
    assert eventually(lambda: told_once(mail_server[0]), seconds=40), notice.last_error


@pytest.mark.once
def test_a_beat_that_cannot_start_says_so_in_lines_of_json(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "CONSOLE_DATA_DIR": str(tmp_path), **PRODUCTION}
    command = [sys.executable, "-m", "celery", "-A", "kaizala_console", "beat", "--pidfile="]
    schedule = ["--schedule", str(tmp_path / "nowhere" / "schedule")]
    beaten = subprocess.run([*command, *schedule], env=environment, check=False, capture_output=True, text=True)
    assert beaten.returncode != 0
    lines = [json.loads(line) for line in beaten.stderr.splitlines()]
    assert "FileNotFoundError" in lines[-1]["exception"]


def test_mails_sms_webhooks_and_the_rest_have_queues_of_their_own() -> None:
    app.finalize()
    tasks = ("accounts.tasks.deliver_notice", "accounts.tasks.deliver_pin", "connectors.tasks.deliver_webhooks")
    found = [app.amqp.router.route({}, task)["queue"].name for task in (*tasks, "groups.tasks.work_at_bulk_job")]
    assert found == ["mail", "sms", "webhooks", "celery"]
