"""What waits for the workers, and when beat and the workers were last at work: for operators and their monitoring.

Every queue of the console is a table; the broker only carries the news that something is there.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from celery import schedules
from django.conf import settings
from django.db.models import Count, Max, Min, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe
from kombu.exceptions import KombuError, OperationalError

from accounts.audit.events import EventType
from accounts.models import AuditEvent, Notice, SmsMessage
from connectors.models import WebhookDelivery
from groups.models import BulkJob
from kaizala_console.celery import QUEUES, app, get_last_sent, get_worker_heartbeat
from kaizala_console.lib import clock

BEAT_SILENT_SECONDS: Final = 300
WORKER_SILENT_SECONDS: Final = 420  # as long as the longest task may take, and some more
LATELY: Final = dt.timedelta(hours=1)
# Why a PIN was not sent, when it was not for its number or its user.
_OUR_FAULT: Final = ("sms_down", "wrong_key")
_REVOCATIONS: Final = (
    EventType.SECRET_REVOKED,
    EventType.GRANT_REVOKED,
    EventType.CONNECTOR_SUSPENDED,
    EventType.LEAK_CONFIRMED,
    EventType.USER_DEACTIVATED,
)


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


@require_safe
def queues_page(request: HttpRequest) -> HttpResponse:
    """Each queue with what is late, and when beat last sent each task. For operators."""
    words = {
        "queues": list_queues(),
        "workers": list_workers(),
        "schedule": list_beat_schedule(),
        "messages": count_broker_messages(),
    }
    return render(request, "operators_queues.html", words)


def list_queues() -> list[Queue]:
    """Every queue; two statements each."""
    now = clock.now()
    notices, pins = Notice.objects.filter(next_attempt_at__isnull=False), SmsMessage.objects
    deliveries, jobs = WebhookDelivery.objects, BulkJob.objects
    events = AuditEvent.objects.filter(position__isnull=True)
    return [
        _queue("notices", _("Mails and SMS"), notices, Notice.objects.due(now), now),
        _queue("pins", _("PINs"), pins.waiting(), pins.due(now), now),
        _queue("webhooks", _("Webhook deliveries"), deliveries.waiting(), deliveries.due(now), now),
        _queue("bulk", _("Bulk uploads"), jobs.going(), jobs.due(now), now, since="created_at"),
        _queue("audit", _("Audit events to chain"), events, events, now, since="at"),
    ]


def _queue(
    name: str,
    label: str | Promise,
    rows: QuerySet[Any],
    due: QuerySet[Any],
    now: dt.datetime,
    *,
    since: str = "next_attempt_at",
) -> Queue:
    found = due.order_by().aggregate(number=Count("pk"), oldest=Min(since))
    late = (now - found["oldest"]).total_seconds() if found["oldest"] else 0.0
    return Queue(name, label, rows.count(), found["number"], max(0.0, late))


def list_beat_schedule() -> list[BeatEntry]:
    """What beat sends to the worker, by name."""
    app.finalize()
    entries = sorted(app.conf.beat_schedule.items())
    sent = get_last_sent([name for name, _entry in entries])
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


def list_workers() -> list[dict[str, Any]]:
    """Each queue of the broker, and when a worker last took a heartbeat from it; None for never."""
    return [{"queue": queue, "at": get_worker_heartbeat(queue)} for queue in QUEUES]


def beat_silent_seconds() -> float | None:
    """Since beat last sent anything; None for never."""
    sent = [task.last_run_at for task in list_beat_schedule() if task.last_run_at]
    return max(0.0, (clock.now() - max(sent)).total_seconds()) if sent else None


def worker_silent_seconds(queue: str) -> float | None:
    """Since a worker last took a heartbeat from this queue; None for never."""
    at = get_worker_heartbeat(queue)
    return None if at is None else max(0.0, (clock.now() - at).total_seconds())


def beat_is_alive() -> bool:
    silent = beat_silent_seconds()
    return silent is not None and silent <= BEAT_SILENT_SECONDS


def worker_is_alive(queue: str) -> bool:
    silent = worker_silent_seconds(queue)
    return silent is not None and silent <= WORKER_SILENT_SECONDS


def mails_leave() -> bool:
    """Whether no mail was given up lately after several tries, or one was sent since."""
    return _leave(Notice.objects.filter(number=""))


def sms_leave() -> bool:
    """The same of notices by SMS, and of PINs that failed by the gateway or by our keys."""
    lately = SmsMessage.objects.filter(created_at__gt=clock.now() - LATELY, status=SmsMessage.Status.FAILED)
    failed = lately.filter(error__in=_OUR_FAULT).aggregate(pk=Max("pk"))["pk"]
    sent_since = failed is None or SmsMessage.objects.filter(pk__gt=failed, status=SmsMessage.Status.SENT).exists()
    return sent_since and _leave(Notice.objects.exclude(number=""))


def _leave(notices: QuerySet[Notice]) -> bool:
    # What is refused for its receiver, who has no address any more, is given up at the first try.
    lately = notices.filter(gave_up_at__gt=clock.now() - LATELY, attempts__gt=1)
    failed = lately.aggregate(at=Max("gave_up_at"))["at"]
    return failed is None or notices.filter(sent_at__gt=failed).exists()


def count_failures() -> dict[str, int]:
    """What was given up within the last hour, whoever's fault it was."""
    since = clock.now() - LATELY
    notices = Notice.objects.filter(gave_up_at__gt=since)
    pins = SmsMessage.objects.filter(created_at__gt=since, status=SmsMessage.Status.FAILED)
    deliveries = WebhookDelivery.objects.filter(finished_at__gt=since, state=WebhookDelivery.State.FAILED)
    return {
        "mail": notices.filter(number="").count(),
        "sms": notices.exclude(number="").count() + pins.count(),
        "webhook": deliveries.count(),
    }


def count_revocations() -> dict[str, int]:
    """How often access was ended by hand within the last hour, by the kind of audit event."""
    lately = AuditEvent.objects.filter(at__gt=clock.now() - LATELY, tag__in=_REVOCATIONS).order_by()
    found = dict(lately.values_list("tag").annotate(number=Count("pk")))
    return {tag.value: found.get(tag.value, 0) for tag in _REVOCATIONS}


def count_broker_messages() -> int | None:
    """How many messages no worker has taken yet; None when the broker cannot be asked."""
    if not settings.REDIS_URL:
        folder = settings.DATA_DIR / "queue" / "messages"
        return sum(1 for _message in folder.iterdir()) if folder.is_dir() else None
    try:
        with app.connection_for_read(connect_timeout=2) as broker:
            return sum(_count_messages(broker, queue) for queue in QUEUES)
    except (OperationalError, KombuError, OSError):
        return None


def _count_messages(broker: Any, queue: str) -> int:
    try:
        return int(broker.default_channel.queue_declare(queue, passive=True).message_count)
    except broker.channel_errors:  # empty: no message has been sent to it yet
        return 0
