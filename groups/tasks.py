"""What the worker does for this app. A task may run twice, and does nothing the second time."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from groups.services import orphans

BEAT_SCHEDULE = {
    "groups-watch-orphans": {"task": "groups.tasks.watch_orphans", "schedule": 3600.0},
}


@shared_task(name="groups.tasks.watch_orphans", acks_late=True, soft_time_limit=240, time_limit=300)
def watch_orphans(**kwargs: Any) -> None:
    """Finds groups in which a connector acts and that nobody with an account runs."""
    orphans.watch()
