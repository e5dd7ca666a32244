"""What the worker does for this app. A task may run twice, and does nothing the second time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task

from groups.services import connectors, hierarchy, media, messages
from groups.services.bulk import jobs

BEAT_SCHEDULE = {
    "groups-watch-orphans": {"task": "groups.tasks.watch_orphans", "schedule": 3600.0},
    "groups-sweep-media": {"task": "groups.tasks.sweep_media", "schedule": 3600.0},
    "groups-sweep-bulk-jobs": {"task": "groups.tasks.sweep_bulk_jobs", "schedule": 60.0},
    "groups-delete-bulk-files": {"task": "groups.tasks.delete_bulk_files", "schedule": 6 * 3600.0},
    "groups-prune-messages": {"task": "groups.tasks.prune_messages", "schedule": 6 * 3600.0},
    "groups-recount": {"task": "groups.tasks.recount", "schedule": 30.0},
}


@shared_task(name="groups.tasks.watch_orphans", acks_late=True, soft_time_limit=240, time_limit=300)
def watch_orphans(**kwargs: Any) -> None:
    """Finds groups in which a connector acts and that nobody with an account runs."""
    connectors.watch()


@shared_task(name="groups.tasks.recount", acks_late=True, soft_time_limit=240, time_limit=300)
def recount(**kwargs: Any) -> None:
    """Counts the groups anew whose members, or what stands under them, have changed."""
    hierarchy.recount()


@shared_task(name="groups.tasks.sweep_media", acks_late=True, soft_time_limit=240, time_limit=300)
def sweep_media(**kwargs: Any) -> None:
    """Deletes media that nothing was posted with, and what broke off while it was stored."""
    media.sweep()


@shared_task(name=jobs.WORK, acks_late=True, soft_time_limit=240, time_limit=300)
def work_at_bulk_job(*, job_id: str, **kwargs: Any) -> None:
    """Checks or does the lines of one file, if there is something to do and nobody else is at it."""
    jobs.work(job_id=UUID(job_id))


@shared_task(name="groups.tasks.sweep_bulk_jobs", acks_late=True, soft_time_limit=45, time_limit=60)
def sweep_bulk_jobs(**kwargs: Any) -> None:
    """Finds the files that wait for a worker, those of workers that were killed included."""
    jobs.sweep()


@shared_task(name="groups.tasks.delete_bulk_files", acks_late=True, soft_time_limit=240, time_limit=300)
def delete_bulk_files(**kwargs: Any) -> None:
    """Deletes uploaded files whose days are over."""
    jobs.delete_old_files()


@shared_task(name="groups.tasks.prune_messages", acks_late=True, soft_time_limit=240, time_limit=300)
def prune_messages(**kwargs: Any) -> None:
    """Deletes messages and actions that are too old to be kept."""
    messages.prune()
