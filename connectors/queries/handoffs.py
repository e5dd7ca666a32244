"""What the pages about handoffs read. Scoped to who asks; no query is repeated for each row."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from connectors import policies
from connectors.models import Handoff
from connectors.queries.connectors import PAGE_SIZE, filter_own
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.pagination import Page, paginate
from kaizala_console.lib.text_search import cleaned


def get_handoff_page(
    user: User,
    *,
    waiting: bool = True,
    search: str = "",
    cursor: str | None = None,
    size: int = PAGE_SIZE,
) -> Page[Handoff]:
    """The developer's inbox: handoffs to the account's own connectors that wait, or those that ended; newest first.

    `search` is part of the name of the connector, or of what it was given access to. Raises `BadCursor`.
    """
    found = Handoff.objects.waiting() if waiting else Handoff.objects.ended()
    found = found.filter(filter_own(user))
    if words := cleaned(search):
        called = found.filter(connector__name__icontains=words).order_by().values("pk")
        let_into = found.filter(grant__target_name__icontains=words).order_by().values("pk")
        found = Handoff.objects.filter(pk__in=called.union(let_into))
    page = paginate(found.defer("sealed"), ("-made_at", "-id"), cursor, size)
    # They join more tables than PostgreSQL puts in the best order (`join_collapse_limit`): so they are found first.
    rows = with_both_sides(Handoff.objects.all()).in_bulk([handoff.pk for handoff in page.items])
    return replace(page, items=[rows[handoff.pk] for handoff in page.items])


def list_waiting_handoffs(user: User, *, at: Any = None) -> QuerySet[Handoff]:
    """What can be claimed now, or at `at`, of own connectors, the one that expires first in front."""
    found = Handoff.objects.waiting().filter(filter_own(user), expires_at__gt=at or clock.now())
    return with_both_sides(found).order_by("expires_at", "id")


def get_handoff(user: User, handoff_id: UUID) -> Handoff:
    """A handoff for one of its two sides. Raises NotFound, the same for "not yours" and "not there"."""
    handoff = with_both_sides(Handoff.objects.filter(pk=handoff_id)).first()
    if handoff is None or not policies.can_see_handoff(user, handoff):
        raise NotFound
    return handoff


def with_both_sides(handoffs: QuerySet[Handoff]) -> QuerySet[Handoff]:
    """With everybody whom a line or a card about a handoff names, and without the ciphertext."""
    return (
        handoffs.select_related(
            "connector__organisation",
            "connector__owner",
            "grant__person",
            "grant__granted_by",
            "refresh_token",
            "notice",
            "made_by",
            "claimed_by",
            "revealed_to",
        )
        .defer("sealed")
        .order_by("-made_at", "-id")
    )


def get_own_handoff(user: User, handoff_id: UUID) -> Handoff:
    """A handoff to a connector that the account owns: the developer's side alone. Raises NotFound."""
    handoff = get_handoff(user, handoff_id)
    policies.require_owner(user, handoff.connector)
    return handoff


Sign = tuple[Any, ...]
MOST = 40

_LINE = (
    "pk", "sealed_to", "revealed_at",
    "claimed_at", "refused_at", "expired_at", "withdrawn_at",
    "notice__sent_at", "notice__gave_up_at",
    "refresh_token__first_used_at", "refresh_token__revoked_at", "refresh_token__reported_at",
    "grant__suspended_at", "grant__revoked_at", "connector__suspended_at",
)  # fmt: skip


def get_handoff_version(handoff_id: UUID) -> list[Sign]:
    """Everything by which the handoff line, and what can be done beside it, may change."""
    return _get_versions(Handoff.objects.filter(pk=handoff_id))


def get_grant_version(grant_id: UUID) -> list[Sign]:
    """The same of the newest handoff of a grant."""
    return _get_versions(Handoff.objects.filter(grant_id=grant_id))


def get_target_version(target: str) -> list[Sign]:
    """Who has access to `target`, and how far each handoff is, as a list of them shows it; the latest first."""
    now = clock.now()
    rows = (
        Handoff.objects.filter(grant__target=target, grant__revoked_at=None)
        .order_by("-made_at", "-id")
        .values_list("grant_id", *_LINE[3:7], "grant__suspended_at", "connector__suspended_at", "expires_at")
    )
    return [("grant", *row[:-1], row[-1] <= now) for row in rows[:MOST]]


def _get_versions(handoffs: QuerySet[Handoff]) -> list[Sign]:
    now: dt.datetime = clock.now()
    newest = handoffs.order_by("-made_at", "-id").values_list(*_LINE, "expires_at")[:1]
    return [(*row[:-1], row[-1] <= now) for row in newest]
