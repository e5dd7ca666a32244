"""What waits for the worker, and whether worker and beat are at it: for operators and their monitoring.

Every queue of the console is a table; the broker only carries the news that something is there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from celery import schedules
from django.conf import settings
from django.db.models import Count, Min, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from kombu.exceptions import KombuError, OperationalError

from accounts.models import Notice, SmsMessage
from connectors.models import WebhookDelivery
from groups.models import BulkJob
from kaizala_console import celery
from kaizala_console.celery import QUEUES, app
from kaizala_console.lib import clock


@dataclass(frozen=True, slots=True)
class Queue:
    """`waiting` rows, of which `due` ones could be done now, the oldest of them since so many seconds."""

    name: str
    label: str | Promise
    waiting: int
    due: int
    late_seconds: float


@dataclass(frozen=True, slots=True)
class BeatEntry:
    """A task that beat sends. `last_run_at` is when it was last sent to the worker; None for never."""

    name: str
    every: str
    last_run_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """When a worker last took a heartbeat from a queue; None for never."""

    queue: str
    at: dt.datetime | None


def queues() -> list[Queue]:
    """Every queue; two statements each."""
    now = clock.now()
    return [read(now) for read in _READERS]


def beat_schedule() -> list[BeatEntry]:
    """What beat sends to the worker, by name."""
    app.finalize()
    entries = sorted(app.conf.beat_schedule.items())
    sent = celery.last_sent([name for name, _entry in entries])
    return [
        BeatEntry(name, _interval(schedules.maybe_schedule(entry["schedule"])), sent.get(name))
        for name, entry in entries
    ]


def _interval(schedule: schedules.schedule) -> str:
    seconds = int(schedule.run_every.total_seconds())
    if seconds % 3600 == 0:
        return ngettext("every hour", "every %(count)d hours", seconds // 3600) % {"count": seconds // 3600}
    if seconds % 60 == 0:
        return ngettext("every minute", "every %(count)d minutes", seconds // 60) % {"count": seconds // 60}
    return ngettext("every second", "every %(count)d seconds", seconds) % {"count": seconds}


def workers_seen() -> list[WorkerSeen]:
    """When a worker was last seen at each queue of the broker."""
    return [WorkerSeen(queue, celery.worker_seen_at(queue)) for queue in QUEUES]


def messages_in_the_broker() -> int | None:
    """How many messages no worker has taken yet; None when the broker cannot be asked."""
    if not settings.REDIS_URL:
        folder = settings.DATA_DIR / "queue" / "messages"
        return sum(1 for _message in folder.iterdir()) if folder.is_dir() else None
    try:
        with app.connection_for_read(connect_timeout=2) as broker:
            return sum(_messages_in(broker, queue) for queue in QUEUES)
    except (OperationalError, KombuError, OSError):
        return None


def _messages_in(broker: Any, queue: str) -> int:
    try:
        return int(broker.default_channel.queue_declare(queue, passive=True).message_count)
    except broker.channel_errors:  # empty: no message has been sent to it yet
        return 0


def _of(name: str, label: str | Promise, rows: QuerySet, due: QuerySet, since: str, now: dt.datetime) -> Queue:
    found = due.order_by().aggregate(number=Count("pk"), oldest=Min(since))
    late = (now - found["oldest"]).total_seconds() if found["oldest"] else 0.0
    return Queue(name, label, rows.count(), found["number"], max(0.0, late))


def _notices(now: dt.datetime) -> Queue:
    rows = Notice.objects.filter(next_attempt_at__isnull=False)
    return _of("notices", _("Mails and SMS"), rows, Notice.objects.due(now), "next_attempt_at", now)


def _pins(now: dt.datetime) -> Queue:
    return _of("pins", _("PINs"), SmsMessage.objects.waiting(), SmsMessage.objects.due(now), "next_attempt_at", now)


def _deliveries(now: dt.datetime) -> Queue:
    rows = WebhookDelivery.objects.waiting()
    return _of("webhooks", _("Webhook deliveries"), rows, WebhookDelivery.objects.due(now), "next_attempt_at", now)


def _jobs(now: dt.datetime) -> Queue:
    return _of("bulk", _("Bulk uploads"), BulkJob.objects.going(), BulkJob.objects.due(now), "created_at", now)


_READERS: Final[tuple[Callable[[dt.datetime], Queue], ...]] = (_notices, _pins, _deliveries, _jobs)
