"""The Celery application: its queues, the transport that they have without Redis, and the beat schedule.

Tasks live in `<app>/tasks.py`; what runs by the clock, in its `BEAT_SCHEDULE`. Each queue has workers of its own, so
that mails, SMS, webhooks and everything else never wait for each other. Workers are processes (`--pool prefork`):
there the time limits of tasks hold, and a task that hangs is ended.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
import uuid
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import structlog
from celery import Celery, signals
from celery.beat import PersistentScheduler
from django.conf import settings
from django.core.cache import cache
from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

from kaizala_console.lib import clock

APPS_WITH_TASKS = ("accounts", "connectors", "groups")
QUEUES: Final = ("celery", "mail", "sms", "webhooks")
logger = structlog.get_logger(__name__)
_SENT: Final = "beat:sent:"  # keys in the cache
_SEEN: Final = "worker:seen:"

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaizala_console.settings")


PART = ".part"


class Channel(filesystem.Channel):
    """Makes a message appear whole or not at all: writes under a name that no reader looks for, then renames.

    kombu 5.6 opens a message's file under its final name and writes into it afterwards. A worker that looked in between
    took an empty file, and ended with "Unrecoverable error: JSONDecodeError" (seen under load).
    """

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:  # type: ignore[override]
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        file = Path(self.data_folder_out, name)
        part = Path(f"{file}{PART}")
        try:
            part.write_text(dumps(message), encoding="utf-8")
            part.replace(file)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise ChannelError(f"Cannot add {os.fspath(file)!r} to the queue") from error


class Transport(filesystem.Transport):
    """`filesystem://`, the queue in a folder, for a console without Redis."""

    Channel = Channel


TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"

app = Celery("kaizala_console")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_finalize.connect
def collect_beat_schedule(sender: Celery, **kwargs: Any) -> None:
    """Joins the `BEAT_SCHEDULE` of every app into one, with a heartbeat for each queue.

    An app writes `BEAT_SCHEDULE = {"connectors-sweep": {"task": "connectors.tasks.sweep", "schedule": 60.0}}` in its
    `tasks.py`. Names must differ: a clash is a mistake, and raises.
    """
    beat_schedule: dict[str, Any] = {
        f"heartbeat-{queue}": {
            "task": heartbeat.name,
            "schedule": 60.0,
            "kwargs": {"queue": queue},
            "options": {"queue": queue, "expires": 60},
        }
        for queue in QUEUES
    }
    for package in APPS_WITH_TASKS:
        module = import_module(f"{package}.tasks")
        for name, entry in getattr(module, "BEAT_SCHEDULE", {}).items():
            if name in beat_schedule:
                raise RuntimeError(f"Two apps schedule a task under the name {name!r}.")
            beat_schedule[name] = entry
    sender.conf.beat_schedule = beat_schedule


@app.task(name="kaizala_console.heartbeat", soft_time_limit=15, time_limit=20)
def heartbeat(*, queue: str = "celery", **kwargs: Any) -> None:
    cache.set(_SEEN + queue, clock.now().timestamp(), timeout=None)


@signals.worker_ready.connect
def note_worker(sender: Any, **kwargs: Any) -> None:
    """A worker that has just started is alive, also before the first heartbeat reaches it."""
    for queue in sender.app.amqp.queues.consume_from:
        cache.set(_SEEN + queue, clock.now().timestamp(), timeout=None)


@signals.worker_init.connect
@signals.beat_init.connect
def log_start(signal: Any, **kwargs: Any) -> None:
    part = "worker" if signal is signals.worker_init else "beat"
    logger.info("console.started", part=part, version=settings.VERSION)


@signals.setup_logging.connect
def keep_the_log_as_it_is(**kwargs: Any) -> None:
    """Celery leaves the log to Django's settings: one line of JSON for each event, at LOG_LEVEL.

    What ends the process is logged like everything else, and not line by line.
    """
    sys.excepthook = _log_crash


def _log_crash(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    logger.critical("process.crashed", exc_info=(kind, error, traceback))


class Scheduler(PersistentScheduler):
    """Celery's own, which also survives a clock that was ahead, and notes when it last sent what."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Sends the next entry if it is due; returns how many seconds to wait."""
        ahead = [entry for entry in self.schedule.values() if entry.last_run_at > entry.default_now()]
        for entry in ahead:
            # The clock went back. Celery would wait until it is again as late as it was.
            entry.last_run_at = entry.default_now()
        if ahead:
            self.populate_heap()
        seconds: float = super().tick(*args, **kwargs)
        return seconds

    def apply_async(self, entry: Any, *args: Any, **kwargs: Any) -> Any:
        """Sends an entry's task to its queue, and notes that it did."""
        sent = super().apply_async(entry, *args, **kwargs)
        cache.set(_SENT + entry.name, clock.now().timestamp(), timeout=None)
        return sent


def get_last_sent(names: list[str]) -> dict[str, dt.datetime]:
    """Returns when each of these entries was last sent; those that never were are left out."""
    found = cache.get_many([_SENT + name for name in names])
    return {name.removeprefix(_SENT): _moment(at) for name, at in found.items()}


def get_worker_heartbeat(queue: str) -> dt.datetime | None:
    """Returns when a worker last took a heartbeat from this queue; None for never."""
    at = cache.get(_SEEN + queue)
    return None if at is None else _moment(at)


def _moment(at: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(at, dt.UTC)
