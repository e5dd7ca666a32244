"""Notices before a credential ends: 90, 30, 14, 7, 3 and 1 days ahead, each once, to developer and group admin.

What was not told in time is not told late: after a pause of the worker people hear of the nearest of these days only.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.models import User
from accounts.services import notifications
from connectors import policies
from connectors.models import Connector, ConnectorSecret, Grant, RefreshToken, Webhook
from connectors.token_format import CredentialKind
from kaizala_console.lib import clock, outbox

DAYS: Final = (90, 30, 14, 7, 3, 1)
NAMED_IN_A_MAIL: Final = 20
CONNECTORS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class _CredentialKind:
    """One kind of credential: its rows that can end, and the columns that say from when to when they live."""

    name: str
    rows: Callable[[], QuerySet[Any]]
    starts: str
    ends: str
    connector: str
    grant_of: Callable[[Any], Grant | None]


def _tokens() -> QuerySet[RefreshToken]:
    """Those without a successor in use, unless their grant ends with them: then the grant is what is told."""
    return (
        RefreshToken.objects.unfollowed()
        .filter(
            Q(grant__ends_at__isnull=True) | Q(grant__ends_at__gt=F("expires_at")),
            revoked_at__isnull=True,
            reported_at__isnull=True,
            grant__revoked_at__isnull=True,
        )
        .select_related("grant__connector__organisation", "grant__connector__owner", "grant__granted_by")
    )


def _webhooks() -> QuerySet[Webhook]:
    """Those that end by themselves, and not sooner with what they stand on."""
    return (
        Webhook.objects.present()
        .filter(
            Q(grant__ends_at__isnull=True) | Q(grant__ends_at__gt=F("expires_at")),
            inactive_because__in=["", *Webhook.BUFFERING_STATES],
            grant__isnull=False,  # the address of a connector's handoffs ends with the connector
            grant__revoked_at__isnull=True,
            connector__deleted_at__isnull=True,
        )
        .select_related("connector__owner", "grant__connector__organisation", "grant__granted_by")
    )


_KINDS: Final = (
    _CredentialKind(
        "secret",
        lambda: ConnectorSecret.objects.filter(
            revoked_at__isnull=True, connector__deleted_at__isnull=True
        ).select_related("connector__owner"),
        "created_at",
        "expires_at",
        "connector_id",
        lambda _row: None,
    ),
    _CredentialKind("token", _tokens, "issued_at", "expires_at", "grant__connector_id", lambda row: row.grant),
    _CredentialKind(
        "grant",
        lambda: Grant.objects.present().select_related("connector__organisation", "connector__owner", "granted_by"),
        "granted_at",
        "ends_at",
        "connector_id",
        lambda row: row,
    ),
    _CredentialKind("webhook", _webhooks, "created_at", "expires_at", "connector_id", lambda row: row.grant),
)


def remind() -> int:
    """Announce every credential that ends soon, once for each distance; return how many mails were queued.

    A person gets one mail for each connector and distance. Each connector in a transaction of its own.
    """
    now = clock.now()
    found: list[tuple[_CredentialKind, UUID]] = []
    for kind in _KINDS:
        due = kind.rows().filter(_due(kind, now)).order_by().values_list(kind.connector, flat=True).distinct()
        found += [(kind, connector_id) for connector_id in due[:CONNECTORS_AT_ONCE]]
    return outbox.run_each(found, lambda each: _remind(*each, now), problem="ends that could not be told")


def days_ahead(ends_at: dt.datetime, at: dt.datetime) -> int | None:
    """The nearest of the days within which `ends_at` lies at `at`; None when it is farther away, or over."""
    left = ends_at - at
    if left <= dt.timedelta(0):
        return None
    return min((days for days in DAYS if left <= dt.timedelta(days=days)), default=None)


def _due(kind: _CredentialKind, at: dt.datetime) -> Q:
    """Within a distance, entered after the credential began, and not told of it, nor of a nearer one, yet.

    `reminded_for` is the moment at which the distance was entered. So an end that is moved on is announced again.
    """
    found = Q()
    for days, nearer in pairwise((*DAYS, 0)):
        entered = F(kind.ends) - dt.timedelta(days=days)
        found |= Q(
            Q(reminded_for__isnull=True) | Q(reminded_for__lt=entered),
            **{
                f"{kind.ends}__lte": at + dt.timedelta(days=days),
                f"{kind.ends}__gt": at + dt.timedelta(days=nearer),
                f"{kind.starts}__lt": entered,
            },
        )
    return found


@transaction.atomic
def _remind(kind: _CredentialKind, connector_id: UUID, at: dt.datetime) -> int:
    rows = list(kind.rows().filter(_due(kind, at), **{kind.connector: connector_id}).order_by(kind.ends, "pk"))
    mails: dict[tuple[User, int, bool], list[Any]] = defaultdict(list)
    developers = _get_connector(rows[0]).list_active_owners() if rows else []
    administrators: dict[UUID, list[User]] = {}
    for row in rows:
        days = days_ahead(getattr(row, kind.ends), at)
        if days is None or not _claim(kind, row, days):
            continue
        grant = kind.grant_of(row)
        if grant is not None and grant.pk not in administrators:
            administrators[grant.pk] = policies.list_administrators(grant)
        admins = [] if grant is None else administrators[grant.pk]
        for user in developers:
            mails[user, days, True].append(row)
        for user in admins:
            if user not in developers:
                mails[user, days, False].append(row)
    for (user, days, is_developer), found in mails.items():
        notifications.queue(
            user=user,
            template=f"connectors/{kind.name}_ends",
            # Only the worker that claimed the first row writes this mail.
            key=f"ends:{kind.name}:{found[0].pk}:{getattr(found[0], kind.ends).isoformat()}:{days}:{user.pk}",
            context=_get_mail_context(kind, found, days, is_developer),
        )
    return len(mails)


def _claim(kind: _CredentialKind, row: Any, days: int) -> bool:
    """Of two workers at once one moves the column on, and writes the mail."""
    entered = getattr(row, kind.ends) - dt.timedelta(days=days)
    mine = type(row).objects.filter(Q(reminded_for__isnull=True) | Q(reminded_for__lt=entered), pk=row.pk)
    return bool(mine.update(reminded_for=entered))


def _get_mail_context(kind: _CredentialKind, rows: Iterable[Any], days: int, is_developer: bool) -> dict[str, Any]:
    rows = list(rows)
    connector = _get_connector(rows[0])
    ends = [_to_line(kind, row) for row in rows[:NAMED_IN_A_MAIL]]
    return {
        **connector.mail_facts,
        "days": days,
        "count": len(rows),
        "ends": ends,
        "more": len(rows) - len(ends),
        "for_developer": is_developer,
    }


def _to_line(kind: _CredentialKind, row: Any) -> dict[str, str]:
    """One credential in a mail: what it reaches, or which slot it fills; with the keys of the pages about it."""
    grant = kind.grant_of(row)
    webhook = {"host": row.host, "webhook_id": str(row.pk)} if isinstance(row, Webhook) else {}
    return webhook | {
        "ends_at": getattr(row, kind.ends).isoformat(),
        "begins": f"{CredentialKind.SECRET.value}{row.public_part}" if grant is None else "",
        "target_name": "" if grant is None else grant.target_name,
        "grant_id": "" if grant is None else str(grant.pk),
        "group_id": str(grant.audit_scope["group_id"] or "") if grant is not None else "",
    }


def _get_connector(row: Any) -> Connector:
    connector: Connector = row.grant.connector if isinstance(row, RefreshToken) else row.connector
    return connector
