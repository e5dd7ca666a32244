"""The Celery application. Tasks live in `<app>/tasks.py`; what runs by the clock, in its `BEAT_SCHEDULE`.

Each queue has workers of its own, so that mails, SMS, webhooks and everything else never wait for each other. Workers
are processes (`--pool prefork`): there the time limits of tasks hold, and a task that hangs is ended.
"""

import os
import sys
from importlib import import_module
from types import TracebackType
from typing import Any, Final

import structlog
from celery import Celery, signals
from django.conf import settings

from kaizala_console import file_queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaizala_console.settings")

file_queue.install()
app = Celery("kaizala_console")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

APPS_WITH_TASKS = ("accounts", "connectors", "groups")
QUEUES: Final = ("celery", "mail", "sms", "webhooks")
logger = structlog.get_logger(__name__)


@app.on_after_finalize.connect
def collect_the_timetable(sender: Celery, **kwargs: Any) -> None:
    """Joins the `BEAT_SCHEDULE` of every app into one, with a heartbeat for each queue.

    An app writes `BEAT_SCHEDULE = {"connectors-sweep": {"task": "connectors.tasks.sweep", "schedule": 60.0}}` in its
    `tasks.py`. Names must differ: a clash is a mistake, and raises.
    """
    timetable: dict[str, Any] = {
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
            if name in timetable:
                raise RuntimeError(f"Two apps schedule a task under the name {name!r}.")
            timetable[name] = entry
    sender.conf.beat_schedule = timetable


@app.task(name="kaizala_console.heartbeat", soft_time_limit=15, time_limit=20)
def heartbeat(*, queue: str = "celery", **kwargs: Any) -> None:
    """Notes that a worker takes tasks from this queue."""
    from kaizala_console import beat

    beat.note_worker(queue)


@signals.worker_init.connect
def connect_without_a_pool(**kwargs: Any) -> None:
    """A process of the worker does one task at a time, so it needs one connection and no pool."""
    settings.DATABASES["default"]["OPTIONS"].pop("pool", None)


@signals.worker_init.connect
@signals.after_setup_logger.connect  # of beat, before it opens its schedule
def log_crashes_in_one_line(**kwargs: Any) -> None:
    """What ends the process is logged like everything else, as one line of JSON, and not line by line."""
    sys.excepthook = _log_crash


def _log_crash(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    logger.critical("process.crashed", exc_info=(kind, error, traceback))
