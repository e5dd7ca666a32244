"""What open pages ask again and again (kaizala_console.lib.live): one statement each, for what is compared.

Of own connectors one more, for how many these are.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import User
from connectors import owning
from connectors.models import AccessRequest, Handoff
from kaizala_console.lib import clock, keyset
from kaizala_console.lib.live import MOST

Sign = tuple[Any, ...]

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


def waiting_for(own: owning.Own) -> list[UUID]:
    """The handoffs of own connectors that can be claimed now, the newest first."""
    found = Handoff.objects.waiting().filter(own.rows("connector"), expires_at__gt=clock.now())
    return list(found.order_by("-made_at", "-id").values_list("pk", flat=True)[:MOST])


def arrived_for(user: User) -> list[tuple[str, UUID]]:
    """What a developer waits for: ("handoff", id) of those to claim, ("works", id) of those whose token was used."""
    own = owning.of(user)
    if own.are_none:
        return []
    now = clock.now()
    waits = Q(claimed_at=None, expires_at__gt=now)
    told = Handoff.objects.filter(refused_at=None, expired_at=None, withdrawn_at=None)
    told = told.filter(waits | Q(refresh_token__first_used_at__isnull=False))
    near: QuerySet[Handoff]
    if own.are_many:
        near = told.filter(own.rows("connector"))
    else:
        near = keyset.nearest(told, ("-made_at", "-id"), MOST, ("connector", own.connectors()))
    rows = near.order_by("-made_at", "-id").values_list(
        "pk", "claimed_at", "expires_at", "refresh_token__first_used_at"
    )
    found: list[tuple[str, UUID]] = []
    for key, claimed_at, expires_at, used_at in rows[:MOST]:
        if claimed_at is None and expires_at > now:
            found.append(("handoff", key))
        if used_at is not None:
            found.append(("works", key))
    return found


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
