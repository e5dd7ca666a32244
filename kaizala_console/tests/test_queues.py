"""The queues: beat and its workers, messages in a folder, and rows that are their own queue.

A clock that was ahead stops nothing, a task that hangs is ended, nobody takes half a message, and of many workers one
has the row.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from celery import signals
from django.conf import settings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from kombu.connection import Connection
from kombu.exceptions import ChannelError

from accounts.models import Notice, User
from accounts.services import notifications
from accounts.tasks import sweep_notices
from groups.models.bulk_job import LEASE
from kaizala_console import celery
from kaizala_console.celery import QUEUES, app, heartbeat
from kaizala_console.lib import clock, outbox
from kaizala_console.lib.tests.cast import Together, Travel
from kaizala_console.tests.hanging import hang
from kaizala_console.tests.production import PRODUCTION
from kaizala_console.tests.real_worker import MailServer, StartWorker, told_once
from kaizala_console.tests.test_processes import eventually


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
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "kaizala_console", "beat", "--pidfile="]
    schedule = ["--schedule", str(tmp_path / "nowhere" / "schedule")]
    beaten = subprocess.run([*command, *schedule], env=environment, check=False, capture_output=True, text=True)
    assert beaten.returncode != 0
    lines = [json.loads(line) for line in beaten.stderr.splitlines()]
    assert "FileNotFoundError" in lines[-1]["exception"]
    assert beaten.stdout == ""


def test_worker_and_beat_log_their_version_and_a_worker_is_seen_at_once(scheduler: Any) -> None:
    with structlog.testing.capture_logs() as lines:
        for signal in (signals.worker_init, signals.beat_init):
            signal.send(sender=None)
    found = [(line["event"], line["part"], line["version"]) for line in lines]
    assert found == [("console.started", part, settings.VERSION) for part in ("worker", "beat")]
    assert celery.get_worker_heartbeat("mail") is None
    queues = SimpleNamespace(consume_from=["mail"])
    celery.note_worker(sender=SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(queues=queues))))
    assert celery.get_worker_heartbeat("mail")


def test_mails_sms_webhooks_and_the_rest_have_queues_of_their_own() -> None:
    app.finalize()
    tasks = ("accounts.tasks.deliver_notice", "accounts.tasks.deliver_pin", "connectors.tasks.deliver_webhooks")
    found = [app.amqp.router.route({}, task)["queue"].name for task in (*tasks, "groups.tasks.work_at_bulk_job")]
    assert found == ["mail", "sms", "webhooks", "celery"]


def test_everything_on_the_timetable_is_a_task_that_a_worker_knows() -> None:
    app.finalize()
    timetable = app.conf.beat_schedule
    assert timetable
    for name, entry in timetable.items():
        assert entry["task"] in app.tasks, name


# In a folder --------------------------------------------------------------------------------------------------------

Open = Callable[[], Any]


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[Open]:
    """`channel()`: a channel of a connection of its own, as each process has."""
    opened: list[Connection] = []
    options = {"data_folder_in": str(tmp_path), "data_folder_out": str(tmp_path)}

    def channel() -> Any:
        connection = Connection("filesystem://localhost", transport_options=options)
        opened.append(connection)
        return connection.channel()

    yield channel
    for connection in opened:
        connection.release()


def test_a_message_comes_out_as_it_went_in_and_once(channel: Open) -> None:
    channel()._put("celery", {"body": "für"})
    other = channel()
    assert isinstance(other, celery.Channel), "the console uses it"
    assert other._get("celery") == {"body": "für"}
    with pytest.raises(Empty):
        other._get("celery")


def test_a_message_that_is_still_being_written_is_not_seen(
    channel: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reader = channel()
    seen: list[bool] = []

    def look_first(part: Path, message: Path) -> None:
        with pytest.raises(Empty):
            reader._get("celery")
        assert reader._size("celery") == 0
        seen.append(True)
        part.rename(message)

    monkeypatch.setattr(Path, "replace", look_first)
    channel()._put("celery", {"body": 1})
    assert seen
    assert reader._get("celery") == {"body": 1}


def test_a_message_that_cannot_be_written_leaves_nothing_behind(channel: Open, tmp_path: Path) -> None:
    with pytest.raises(ChannelError):
        channel()._put("no/such/folder", {})
    assert list(tmp_path.iterdir()) == []


def test_writers_and_a_reader_at_once_lose_nothing(channel: Open) -> None:
    reader, taken = channel(), []

    def write(mine: Any) -> None:
        for n in range(200):
            mine._put("celery", {"body": n})

    writers = [Thread(target=write, args=[channel()]) for _ in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers) or reader._size("celery"):
        try:
            taken.append(reader._get("celery")["body"])
        except Empty:
            continue
    assert sorted(taken) == sorted([*range(200), *range(200)])


# In rows ------------------------------------------------------------------------------------------------------------


def notice(user: User, key: str = "x") -> Notice:
    return notifications.queue(user=user, template="accounts/phone_claimed", key=key, context={"number": "+91…"})


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_has_the_row(developer: User, together: Together) -> None:
    row = Notice.objects.create(user=developer, template="accounts/phone_claimed", key="x")
    rows = Notice.objects.filter(pk=row.pk)
    now = clock.now()
    won = together(8, lambda: outbox.claim(rows, now=now, lease=dt.timedelta(minutes=2)))
    assert [end for end in won if end is not None] == [now + dt.timedelta(minutes=2)]
    later = now + dt.timedelta(minutes=2)
    assert outbox.claim(rows, now=later, lease=dt.timedelta(minutes=2)), "a killed worker had it"


@pytest.mark.django_db
def test_what_a_clock_scheduled_that_was_an_hour_ahead_is_due_at_the_next_sweep(
    developer: User, travel: Travel
) -> None:
    waits = notice(developer, "waits")
    Notice.objects.update(attempts=4, next_attempt_at=clock.now() + dt.timedelta(minutes=60))
    travel(minutes=60, seconds=-1)
    new = notice(developer, "new")
    travel(minutes=-60)
    assert notifications.sweep() == 1
    assert notifications.deliver(notice_id=new.pk)
    assert not notifications.deliver(notice_id=waits.pk), "what waits by a clock that was right goes on waiting"


def test_a_lease_further_away_than_its_length_is_over() -> None:
    now = clock.now()
    for until, is_free in ((None, True), (now, True), (now + LEASE, False), (now + dt.timedelta(hours=1), True)):
        assert outbox.is_free(until, now, LEASE) is is_free
