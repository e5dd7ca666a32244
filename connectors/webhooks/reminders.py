"""Notices before a webhook's time is over: as far ahead as those of credentials, each once, to the same people.

A program makes many webhooks at once, so those of a connector that end on one day stand in one mail. What was told is
known by the keys of the notices themselves.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Min, Q
from django.db.models.functions import TruncDate

from accounts.models import Notice, User
from accounts.services import notifications
from connectors import policies
from connectors.models import Webhook
from connectors.models.webhook import WebhookQuerySet
from connectors.services.reminders import DAYS, NAMED_IN_A_MAIL, days_ahead
from kaizala_console.lib import clock

KEY: Final = "webhook-ends:"
_FARTHEST: Final = dt.timedelta(days=max(DAYS))


def remind() -> int:
    """Tell of every webhook that ends soon and that nobody was told of at this distance; the mails queued.

    Each connector and day in a transaction of its own: one that fails keeps no other. What failed is raised at the
    end, as a group.
    """
    now, told, problems = clock.now(), 0, []
    days_of_ends = (
        _going(now)
        .order_by()
        .annotate(day=TruncDate("expires_at", tzinfo=dt.UTC))
        .values_list("connector_id", "day")
        .annotate(first=Min("expires_at"))
    )
    known = Notice.objects.filter(key__startswith=KEY, created_at__gt=now - _FARTHEST).values_list("key", flat=True)
    done = {key.rpartition(":")[0] for key in known}
    for connector_id, day, first in list(days_of_ends):
        days = days_ahead(first, now)
        if days is None or _key(connector_id, day, days) in done:
            continue
        try:
            told += _remind(connector_id, day, days, now)
        except Exception as problem:  # noqa: BLE001 (raised below, once the others had their turn)
            problems.append(problem)
    if problems:
        raise ExceptionGroup("ends of webhooks that could not be told", problems)
    return told


def _going(at: dt.datetime) -> WebhookQuerySet:
    """Those that end within the farthest distance by themselves, and not sooner with what they stand on."""
    return (
        Webhook.objects.present()
        .filter(inactive_because__in=["", *Webhook.BUFFERING_STATES], expires_at__gt=at, expires_at__lte=at + _FARTHEST)
        .filter(
            Q(grant__ends_at__isnull=True) | Q(grant__ends_at__gt=F("expires_at")),
            grant__isnull=False,  # the address of a connector's handoffs ends with the connector
            grant__revoked_at__isnull=True,
            connector__deleted_at__isnull=True,
        )
    )


def _key(connector_id: UUID, day: dt.date, days: int) -> str:
    return f"{KEY}{connector_id}:{day.isoformat()}:{days}"


@transaction.atomic
def _remind(connector_id: UUID, day: dt.date, days: int, at: dt.datetime) -> int:
    midnight = dt.datetime.combine(day, dt.time.min, tzinfo=dt.UTC)
    found = (
        _going(at)
        .filter(connector_id=connector_id, expires_at__gte=midnight, expires_at__lt=midnight + dt.timedelta(days=1))
        # One that was made for less is not announced on its first day.
        .filter(created_at__lt=F("expires_at") - dt.timedelta(days=days))
        .select_related("connector__owner", "grant__connector__organisation", "grant__granted_by")
        .order_by("expires_at", "pk")
    )
    developers: list[User] = []
    admins: dict[UUID, list[User]] = {}
    mails: dict[User, list[Webhook]] = defaultdict(list)
    for webhook in found:
        developers = developers or webhook.connector.list_active_owners()
        for user in {*developers, *_admins_of(webhook, admins)}:
            mails[user].append(webhook)
    for user, webhooks in mails.items():
        notifications.queue(
            user=user,
            template="connectors/webhook_ends",
            key=f"{_key(connector_id, day, days)}:{user.pk}",
            context=_facts(webhooks, days, is_developer=user in developers),
        )
    return len(mails)


def _admins_of(webhook: Webhook, known: dict[UUID, list[User]]) -> list[User]:
    grant = webhook.grant
    if grant is None:
        return []
    if grant.pk not in known:
        known[grant.pk] = policies.administrators_of(grant)
    return known[grant.pk]


def _facts(webhooks: list[Webhook], days: int, *, is_developer: bool) -> dict[str, Any]:
    connector = webhooks[0].connector
    return {
        "connector_name": connector.name,
        "connector_id": str(connector.pk),
        "days": days,
        "count": len(webhooks),
        "ends": [
            {
                "ends_at": webhook.expires_at.isoformat(),
                "host": webhook.host,
                "webhook_id": str(webhook.pk),
                "target_name": webhook.target_name,
                "grant_id": str(webhook.grant_id),
                "group_id": str(webhook.audit_scope.get("group_id") or ""),
            }
            for webhook in webhooks[:NAMED_IN_A_MAIL]
        ],
        "more": max(0, len(webhooks) - NAMED_IN_A_MAIL),
        "for_developer": is_developer,
    }
