"""What the worker does for this app. A task takes ids, may run twice, and does nothing the second time."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from connectors.services import (
    access_requests,
    grants,
    handoffs,
    oauth,
    one_time_secrets,
    owners,
    refresh_tokens,
    reminders,
    token_cache,
    usage,
    user_tokens,
)
from connectors.services import reminders as reminding
from connectors.webhooks import delivery, management, publish

BEAT_SCHEDULE = {
    "connectors-expire-requests": {"task": "connectors.tasks.expire_requests", "schedule": 300.0},
    "connectors-tend-user-tokens": {"task": "connectors.tasks.tend_user_tokens", "schedule": 300.0},
    "connectors-expire-handoffs": {"task": "connectors.tasks.expire_handoffs", "schedule": 300.0},
    "connectors-end-grants": {"task": "connectors.tasks.end_grants", "schedule": 300.0},
    "connectors-remind": {"task": "connectors.tasks.remind", "schedule": 3600.0},
    "connectors-remind-of-webhooks": {"task": "connectors.tasks.remind_of_webhooks", "schedule": 3600.0},
    "connectors-rotate-tokens": {"task": "connectors.tasks.rotate_tokens", "schedule": 900.0},
    "connectors-sweep-one-time-secrets": {"task": "connectors.tasks.sweep_one_time_secrets", "schedule": 60.0},
    "connectors-sweep-token-cache": {"task": "connectors.tasks.sweep_token_cache", "schedule": 60.0},
    "connectors-watch-orphans": {"task": "connectors.tasks.watch_orphans", "schedule": 3600.0},
    "connectors-deliver-webhooks": {"task": publish.DELIVER, "schedule": 30.0},
    "connectors-tend-webhooks": {"task": "connectors.tasks.tend_webhooks", "schedule": 300.0},
    "connectors-sweep-webhooks": {"task": "connectors.tasks.sweep_webhooks", "schedule": 6 * 3600.0},
    "connectors-sweep-usage": {"task": "connectors.tasks.sweep_usage", "schedule": 6 * 3600.0},
}


@shared_task(name="connectors.tasks.expire_handoffs", acks_late=True, soft_time_limit=240, time_limit=300)
def expire_handoffs(**kwargs: Any) -> None:
    """Expires unclaimed handoffs. The row is the queue: what a lost message left out, the next one finds."""
    handoffs.expire_overdue()


@shared_task(name="connectors.tasks.rotate_tokens", acks_late=True, soft_time_limit=240, time_limit=300)
def rotate_tokens(**kwargs: Any) -> None:
    """Hands over the successors of refresh tokens that near their end."""
    refresh_tokens.rotate_due()


@shared_task(name="connectors.tasks.end_grants", acks_late=True, soft_time_limit=240, time_limit=300)
def end_grants(**kwargs: Any) -> None:
    """Withdraws what still waits for grants past their end date, and tells both sides."""
    grants.end_overdue()


@shared_task(name="connectors.tasks.remind", acks_late=True, soft_time_limit=240, time_limit=300)
def remind(**kwargs: Any) -> None:
    """Announces credentials that end soon."""
    reminders.remind()


@shared_task(name="connectors.tasks.remind_of_webhooks", acks_late=True, soft_time_limit=240, time_limit=300)
def remind_of_webhooks(**kwargs: Any) -> None:
    """Announces webhooks that end soon."""
    reminding.remind_of_webhooks()


@shared_task(name="connectors.tasks.watch_orphans", acks_late=True, soft_time_limit=240, time_limit=300)
def watch_orphans(**kwargs: Any) -> None:
    """Finds connectors and grants without an owner."""
    owners.find_orphans()


@shared_task(name="connectors.tasks.expire_requests", acks_late=True, soft_time_limit=240, time_limit=300)
def expire_requests(**kwargs: Any) -> None:
    """Ends what no admin answered in time, pending sets of permissions as well."""
    access_requests.expire_overdue()


@shared_task(name="connectors.tasks.sweep_one_time_secrets", acks_late=True, soft_time_limit=45, time_limit=60)
def sweep_one_time_secrets(**kwargs: Any) -> None:
    """Deletes what stands on a screen, or is kept for a program that asks again, for longer than it may."""
    one_time_secrets.sweep()
    handoffs.sweep()


@shared_task(name="connectors.tasks.sweep_usage", acks_late=True, soft_time_limit=240, time_limit=300)
def sweep_usage(**kwargs: Any) -> None:
    """Deletes counts of calls that are too old to be shown; sums up days from before days were counted."""
    usage.roll_up()
    usage.sweep()


@shared_task(name=token_cache.FETCH, acks_late=True, soft_time_limit=60, time_limit=90)
def fetch_cached_token(*, cached_token_id: int, **kwargs: Any) -> None:
    """Fetches one access token that is kept warm, if it is due and no other worker has it."""
    token_cache.fetch(cached_token_id=cached_token_id)


@shared_task(name="connectors.tasks.sweep_token_cache", acks_late=True, soft_time_limit=45, time_limit=60)
def sweep_token_cache(**kwargs: Any) -> None:
    """Finds the access tokens that are to be fetched now."""
    token_cache.sweep()


@shared_task(name="connectors.tasks.tend_user_tokens", acks_late=True, soft_time_limit=240, time_limit=300)
def tend_user_tokens(**kwargs: Any) -> None:
    """Ends what no second admin confirmed in time, and forgets sign-in codes whose day is over."""
    user_tokens.expire_overdue()
    oauth.delete_expired()


@shared_task(name=publish.DELIVER, acks_late=True, soft_time_limit=240, time_limit=300)
def deliver_webhooks(**kwargs: Any) -> None:
    """Sends what is due to webhooks; does nothing while another worker does."""
    delivery.deliver_due()


@shared_task(name="connectors.tasks.tend_webhooks", acks_late=True, soft_time_limit=240, time_limit=300)
def tend_webhooks(**kwargs: Any) -> None:
    """Ends webhooks whose time or right is over, and finds what was left behind."""
    management.expire_due()


@shared_task(name="connectors.tasks.sweep_webhooks", acks_late=True, soft_time_limit=240, time_limit=300)
def sweep_webhooks(**kwargs: Any) -> None:
    """Deletes deliveries, their payloads and removed webhooks that are too old to be shown."""
    management.sweep()
