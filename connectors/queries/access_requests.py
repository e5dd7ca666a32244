"""What the pages about requests read."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import User
from connectors import policies
from connectors.models import AccessRequest, Connector, Grant, Handoff, RequestState
from connectors.models.access_request import UNANSWERED
from connectors.permissions import Permission
from connectors.queries.connectors import PAGE_SIZE
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.pagination import Page, paginate


def get_request_page(
    connector: Connector, *, show: str = "", search: str = "", cursor: str | None = None, size: int = PAGE_SIZE
) -> Page[AccessRequest]:
    """A connector's requests, the newest first.

    `show` is a state, "earlier" for all but those that wait, "all", or "" for those that wait; `search` a part of the
    name of what was asked for, or of who asked or answered, or a whole group ID. Raises `BadCursor`.
    """
    found = AccessRequest.objects.filter(_filter_shown(show, clock.now()), connector=connector)
    words = search.replace("\0", "").strip()  # PostgreSQL takes no NUL in a text
    if words:
        found = found.filter(_filter_name(words))
    return paginate(with_people(found), ("-made_at", "-id"), cursor, size)


def _filter_shown(show: str, now: dt.datetime) -> Q:
    waiting = UNANSWERED & Q(expires_at__gt=now)
    return {
        "all": Q(),
        "earlier": ~UNANSWERED | Q(expires_at__lte=now),
        RequestState.APPROVED: Q(approved_at__isnull=False),
        RequestState.REFUSED: Q(refused_at__isnull=False),
        RequestState.WITHDRAWN: Q(withdrawn_at__isnull=False),
        RequestState.EXPIRED: Q(expired_at__isnull=False) | (UNANSWERED & Q(expires_at__lte=now)),
    }.get(show, waiting)


def _filter_name(words: str) -> Q:
    key = ids.parse_guid(words)
    if key is not None:
        return Q(target=f"group:{key}")
    names = ("target_name", "made_by__name", "decided_by__name")
    return reduce(or_, (Q((f"{name}__icontains", words)) for name in names))


def get_own_request(user: User, connector: Connector, request_id: UUID) -> AccessRequest:
    """A request of a connector that the account owns. Raises NotFound."""
    policies.require_owner(user, connector)
    found = with_people(AccessRequest.objects.filter(pk=request_id, connector=connector)).first()
    if found is None:
        raise NotFound
    return found


def get_request(user: User, request_id: UUID) -> AccessRequest:
    """A request for one of its two sides, or for who was given its link. Raises NotFound, the same for all others."""
    found = with_people(AccessRequest.objects.filter(pk=request_id)).first()
    if found is None or found.connector.deleted_at or not policies.can_see_request(user, found):
        raise NotFound
    return found


def get_handoff_to_claim(asked: AccessRequest) -> UUID | None:
    """The handoff that an approved request for access led to, while its refresh token waits for the developer."""
    if asked.grant_id is None or asked.kind != AccessRequest.Kind.ACCESS:
        return None
    waiting = Handoff.objects.waiting().filter(grant=asked.grant_id, expires_at__gt=clock.now())
    return waiting.order_by("-made_at").values_list("pk", flat=True).first()


@dataclass(frozen=True, slots=True)
class Concerned:
    """Which grants a change of permissions would concern: how many are asked for more, and those that are cut."""

    asked: int
    cut: list[Grant]


def get_concerned(connector: Connector, *, added: frozenset[Permission], removed: frozenset[Permission]) -> Concerned:
    """What changing the connector's permissions would mean for its grants. One statement."""
    now = clock.now()
    grants = list(Grant.objects.present().filter(connector=connector).select_related("granted_by"))
    return Concerned(
        asked=sum(
            1
            for grant in grants
            if added - grant.permissions
            and (grant.ends_at is None or grant.ends_at > now)
            and policies.takes_requests(grant)
        ),
        cut=[grant for grant in grants if grant.permissions & removed],
    )


def with_people(found: QuerySet[AccessRequest]) -> QuerySet[AccessRequest]:
    """With everybody and everything that a line about a request names."""
    return found.select_related(
        "connector__owner", "connector__organisation", "grant__connector", "made_by", "decided_by"
    )


def get_request_version(request_id: UUID) -> list[tuple[Any, ...]]:
    """By what a developer sees that a request was answered, or ended."""
    found = AccessRequest.objects.filter(pk=request_id).values_list(
        "approved_at", "refused_at", "withdrawn_at", "expired_at", "expires_at", "permissions"
    )
    return [(*row[:4], row[4] <= clock.now(), row[5]) for row in found]
