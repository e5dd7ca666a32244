"""What the worker does for this app. A task takes ids, may run twice, and does nothing the second time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task

from accounts.audit import chain, retention
from accounts.services import notifications, pins, sessions

BEAT_SCHEDULE = {
    "accounts-sweep-notices": {"task": "accounts.tasks.sweep_notices", "schedule": 60.0},
    "accounts-sweep-pins": {"task": "accounts.tasks.sweep_pins", "schedule": 60.0},
    "accounts-chain-audit": {"task": "accounts.tasks.chain_audit", "schedule": 1.0, "options": {"expires": 60}},
    "accounts-prune-audit": {"task": "accounts.tasks.prune_audit", "schedule": 6 * 3600.0},
    "accounts-forget-old-pins": {"task": "accounts.tasks.forget_old_pins", "schedule": 3600.0},
    "accounts-forget-old-sessions": {"task": "accounts.tasks.forget_old_sessions", "schedule": 3600.0},
}


@shared_task(name=notifications.DELIVER, acks_late=True, soft_time_limit=45, time_limit=60)
def deliver_notice(*, notice_id: str, **kwargs: Any) -> None:
    notifications.deliver(notice_id=UUID(notice_id))


@shared_task(name="accounts.tasks.sweep_notices", acks_late=True, soft_time_limit=240, time_limit=300)
def sweep_notices(**kwargs: Any) -> None:
    """Finds what was lost or is to be tried again, and gives up what is too old."""
    notifications.sweep()


@shared_task(name=pins.DELIVER, acks_late=True, soft_time_limit=30, time_limit=40)
def deliver_pin(*, sms_id: int, **kwargs: Any) -> None:
    pins.deliver(sms_id=sms_id)


@shared_task(name="accounts.tasks.sweep_pins", acks_late=True, soft_time_limit=45, time_limit=60)
def sweep_pins(**kwargs: Any) -> None:
    """Finds the PINs that are still to be sent, and wipes those that are too old."""
    pins.sweep()


@shared_task(name="accounts.tasks.forget_old_pins", acks_late=True, soft_time_limit=240, time_limit=300)
def forget_old_pins(**kwargs: Any) -> None:
    """Deletes PINs, and with them the numbers that nobody proved to hold."""
    pins.forget_old()


@shared_task(name="accounts.tasks.forget_old_sessions", acks_late=True, soft_time_limit=240, time_limit=300)
def forget_old_sessions(**kwargs: Any) -> None:
    sessions.forget_old()


@shared_task(name="accounts.tasks.chain_audit", acks_late=True, soft_time_limit=240, time_limit=300)
def chain_audit(**kwargs: Any) -> None:
    """Chains the audit events of the last second, and signs how far the chain goes."""
    chain.chain()


@shared_task(name="accounts.tasks.prune_audit", acks_late=True, soft_time_limit=240, time_limit=300)
def prune_audit(**kwargs: Any) -> None:
    """Deletes audit events that are too old to be kept."""
    retention.prune()
