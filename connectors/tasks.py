"""What the worker does for this app. A task takes ids, may run twice, and does nothing the second time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import Task, shared_task

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
from connectors.webhooks import delivery, management

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {}


def _periodic(name: str, seconds: float, *acts: Callable[[], Any], soft_limit: int = 240, limit: int = 300) -> Task:
    """A task that runs every so many seconds and does these acts. The row is the queue: what was lost is found then."""
    BEAT_SCHEDULE[f"connectors-{name.replace('_', '-')}"] = {"task": f"connectors.tasks.{name}", "schedule": seconds}

    @shared_task(name=f"connectors.tasks.{name}", acks_late=True, soft_time_limit=soft_limit, time_limit=limit)
    def run(**kwargs: Any) -> None:
        for act in acts:
            act()

    return run


expire_requests = _periodic("expire_requests", 300, access_requests.expire_overdue)
tend_user_tokens = _periodic("tend_user_tokens", 300, user_tokens.expire_overdue, oauth.delete_expired)
expire_handoffs = _periodic("expire_handoffs", 300, handoffs.expire_overdue)
end_grants = _periodic("end_grants", 300, grants.end_overdue)
remind = _periodic("remind", 3600, reminders.remind)
rotate_tokens = _periodic("rotate_tokens", 900, refresh_tokens.rotate_due)
sweep_one_time_secrets = _periodic("sweep_one_time_secrets", 60, one_time_secrets.sweep, soft_limit=45, limit=60)
sweep_token_cache = _periodic("sweep_token_cache", 60, token_cache.sweep, soft_limit=45, limit=60)
watch_orphans = _periodic("watch_orphans", 3600, owners.find_orphans)
deliver_webhooks = _periodic("deliver_webhooks", 30, delivery.deliver_due)
tend_webhooks = _periodic("tend_webhooks", 300, management.expire_due)
sweep_webhooks = _periodic("sweep_webhooks", 6 * 3600, management.sweep)
sweep_usage = _periodic("sweep_usage", 6 * 3600, usage.roll_up, usage.sweep)


@shared_task(name=token_cache.FETCH, acks_late=True, soft_time_limit=60, time_limit=90)
def fetch_cached_token(*, cached_token_id: int, **kwargs: Any) -> None:
    """Fetches one access token that is kept warm, if it is due and no other worker has it."""
    token_cache.fetch(cached_token_id=cached_token_id)
