"""What the worker does for this app. A task takes ids, may run twice, and does nothing the second time."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from connectors.services import claims, handoffs, rotation, shown_secrets, usage

BEAT_SCHEDULE = {
    "connectors-expire-handoffs": {"task": "connectors.tasks.expire_handoffs", "schedule": 300.0},
    "connectors-rotate-tokens": {"task": "connectors.tasks.rotate_tokens", "schedule": 900.0},
    "connectors-sweep-shown-secrets": {"task": "connectors.tasks.sweep_shown_secrets", "schedule": 60.0},
    "connectors-sweep-usage": {"task": "connectors.tasks.sweep_usage", "schedule": 6 * 3600.0},
}


@shared_task(name="connectors.tasks.expire_handoffs", acks_late=True, soft_time_limit=240, time_limit=300)
def expire_handoffs(**kwargs: Any) -> None:
    """Wipes what nobody claimed in time. The row is the queue: what a lost message left out, the next one finds."""
    handoffs.expire_overdue()


@shared_task(name="connectors.tasks.rotate_tokens", acks_late=True, soft_time_limit=240, time_limit=300)
def rotate_tokens(**kwargs: Any) -> None:
    """Hands over the successors of refresh tokens that near their end."""
    rotation.rotate_due()


@shared_task(name="connectors.tasks.sweep_shown_secrets", acks_late=True, soft_time_limit=45, time_limit=60)
def sweep_shown_secrets(**kwargs: Any) -> None:
    """Deletes what stands on a screen, or is kept for a program that asks again, for longer than it may."""
    shown_secrets.sweep()
    claims.sweep()


@shared_task(name="connectors.tasks.sweep_usage", acks_late=True, soft_time_limit=240, time_limit=300)
def sweep_usage(**kwargs: Any) -> None:
    """Deletes counts of calls that nobody asks about any more."""
    usage.sweep()
