"""The Celery application. Tasks live in `<app>/tasks.py`; what runs by the clock, in its `BEAT_SCHEDULE`."""

import os
from importlib import import_module
from typing import Any

from celery import Celery

from kaizala_console import file_queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaizala_console.settings")

file_queue.install()
app = Celery("kaizala_console")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

APPS_WITH_TASKS = ("accounts", "connectors", "groups")


@app.on_after_finalize.connect
def collect_the_timetable(sender: Celery, **kwargs: Any) -> None:
    """Joins the `BEAT_SCHEDULE` of every app into one timetable.

    An app writes `BEAT_SCHEDULE = {"connectors-sweep": {"task": "connectors.tasks.sweep", "schedule": 60.0}}` in its
    `tasks.py`. Names must differ: a clash is a mistake, and raises.
    """
    timetable: dict[str, Any] = {}
    for package in APPS_WITH_TASKS:
        module = import_module(f"{package}.tasks")
        for name, entry in getattr(module, "BEAT_SCHEDULE", {}).items():
            if name in timetable:
                raise RuntimeError(f"Two apps schedule a task under the name {name!r}.")
            timetable[name] = entry
    sender.conf.beat_schedule = timetable
