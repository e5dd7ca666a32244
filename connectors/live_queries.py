"""What open pages ask again and again (kaizala_console.lib.live): one statement each, for what is compared."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from connectors.models import AccessRequest, Handoff
from kaizala_console.lib import clock

Sign = tuple[Any, ...]
MOST = 40

_LINE = (
    "pk", "sealed_to", "revealed_at",
    "claimed_at", "refused_at", "expired_at", "withdrawn_at",
    "notice__sent_at", "notice__gave_up_at",
    "refresh_token__first_used_at", "refresh_token__revoked_at", "refresh_token__reported_at",
    "grant__suspended_at", "grant__revoked_at", "connector__suspended_at",
)  # fmt: skip


def of_handoff(handoff_id: UUID) -> list[Sign]:
    """Everything by which the handoff line, and what can be done beside it, may change."""
    return _lines(Handoff.objects.filter(pk=handoff_id))


def of_grant(grant_id: UUID) -> list[Sign]:
    """The same of the newest handoff of a grant."""
    return _lines(Handoff.objects.filter(grant_id=grant_id))


def of_target(target: str) -> list[Sign]:
    """Who has access to `target`, and how far each handoff is, as a list of them shows it; the latest first."""
    now = clock.now()
    rows = (
        Handoff.objects.filter(grant__target=target, grant__revoked_at=None)
        .order_by("-made_at", "-id")
        .values_list("grant_id", *_LINE[3:7], "grant__suspended_at", "connector__suspended_at", "expires_at")
    )
    return [("grant", *row[:-1], row[-1] <= now) for row in rows[:MOST]]


def of_request(request_id: UUID) -> list[Sign]:
    """By what a developer sees that a request was answered, or ended."""
    found = AccessRequest.objects.filter(pk=request_id).values_list(
        "approved_at", "refused_at", "withdrawn_at", "expired_at", "expires_at", "permissions"
    )
    return [(*row[:4], row[4] <= clock.now(), row[5]) for row in found]


def _lines(handoffs: QuerySet[Handoff]) -> list[Sign]:
    now: dt.datetime = clock.now()
    newest = handoffs.order_by("-made_at", "-id").values_list(*_LINE, "expires_at")[:1]
    return [(*row[:-1], row[-1] <= now) for row in newest]
