"""How much a connector is used, and when a credential was used last. Noted in memory, written every few seconds.

The hot path pays some microseconds and no statement. What a killed process had not yet written is lost: at most
`settings.USAGE_FLUSH_SECONDS` of counts; nothing is decided by them. A process that ends in order writes them first.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import TruncDate

from accounts.models import Organisation
from connectors.models import (
    CompatibilityQuirkDay,
    Connector,
    ConnectorSecret,
    ConnectorUsage,
    Grant,
    RefreshToken,
    UsageDay,
    UsageHour,
)
from connectors.services import compatibility
from connectors.services.compatibility import QuirkCount, QuirkKey
from kaizala_console.api.compatibility import get_quirks
from kaizala_console.api.endpoint import Call, Operation
from kaizala_console.api.errors import Throttled
from kaizala_console.lib import clock, rate_limit, request_context
from kaizala_console.lib.batches import delete_in_batches
from kaizala_console.lib.rate_limit import Limit, Refusal
from kaizala_console.lib.upsert import Upsert
from kaizala_console.lib.write_behind import WriteBehind

EXCHANGE: Final = "GET v1/accessToken"
FORGOTTEN_AT_ONCE: Final = 10_000
ROLLED_UP_AT_ONCE: Final = 2_000


class Hour(NamedTuple):
    """What is counted: calls of one operation under one grant, in one hour."""

    grant_id: UUID
    hour: dt.datetime
    operation: str
    scope: str


class Counted(NamedTuple):
    """How many calls, and how many of these were refused (4xx), throttled (429) or failed through our fault (5xx)."""

    calls: int = 1
    refused: int = 0
    throttled: int = 0
    failed: int = 0


class Used(NamedTuple):
    """A credential that was used: a secret or a refresh token."""

    model: type[ConnectorSecret | RefreshToken]
    pk: int


class Seen(NamedTuple):
    """When and from where."""

    at: dt.datetime
    address: str


def observe(operation: Operation, call: Call, status: int) -> None:
    """Note one call of the Platform Service (`api.endpoint`, ``observe``); nothing is counted without a caller."""
    caller = call.caller
    if caller is None:
        return
    now = clock.now()
    count(caller.grant.pk, f"{call.request.method} {call.route}", status=status, scope=operation.scope or "", at=now)
    note_token_used(caller.refresh_token_id, at=now)
    note_compatibility_quirks(call, caller.connector.pk, at=now)


def note_compatibility_quirks(call: Call, connector_id: UUID, *, at: dt.datetime) -> None:
    """Note which old habits this call of a connector's program showed."""
    for habit in get_quirks(call.request):
        example = f"{call.request.method} {call.route}"
        _buffer.add(QuirkKey(connector_id, habit, at.date()), QuirkCount(1, at, example))


def count(grant_id: UUID, operation: str, *, status: int, at: dt.datetime, scope: str = "") -> None:
    """Count one call of `operation` ("GET v1/accessToken") under a grant, answered with `status`."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    _buffer.add(Hour(grant_id, hour, operation, scope), _outcome(status))


def note_secret_used(secret_id: int, *, at: dt.datetime, address: str | None = None) -> None:
    """Note that a secret has just proven its connector, and from where: the request's address unless one is given."""
    _note_used(Used(ConnectorSecret, secret_id), at, address)


def note_token_used(refresh_token_id: int, *, at: dt.datetime, address: str | None = None) -> None:
    """As `note_secret_used`, of a refresh token, or an access token of it."""
    _note_used(Used(RefreshToken, refresh_token_id), at, address)


def _note_used(used: Used, at: dt.datetime, address: str | None) -> None:
    _buffer.add(used, Seen(at, request_context.current().client_address if address is None else address))


def flush() -> int:
    """Write what this process has noted; how many rows that touched. Tests and commands call it, else a thread does."""
    return _buffer.flush()


def forget() -> None:
    """Drop what this process has noted, as a killed one does (tests)."""
    _buffer.forget()


def list_expired() -> list[models.QuerySet[Any]]:
    """Counts older than `settings.USAGE_DAYS`."""
    before = clock.now() - dt.timedelta(days=settings.USAGE_DAYS)
    midnight = before.replace(hour=0, minute=0, second=0, microsecond=0)
    hours, days = ConnectorUsage.Bucket.HOUR, ConnectorUsage.Bucket.DAY
    of_connectors = models.Q(bucket=hours, at__lt=before) | models.Q(bucket=days, at__lt=midnight)
    return [
        CompatibilityQuirkDay.objects.filter(day__lt=before.date()),
        UsageDay.objects.filter(day__lt=before.date()),
        UsageHour.objects.filter(hour__lt=before),
        ConnectorUsage.objects.filter(of_connectors),
    ]


def sweep() -> int:
    """Delete what is expired; how many rows."""
    return sum(delete_in_batches(rows, FORGOTTEN_AT_ONCE) for rows in list_expired())


def roll_up() -> int:
    """Sum up the hours of days that were counted before days were: those before the first; how many rows.

    An installation does so once, after an update (ADR 0023). Calls counted during it belong to later days.
    """
    first = UsageDay.objects.order_by("day").values_list("day", flat=True).first()
    before = dt.datetime.combine(first, dt.time(), dt.UTC) if first else clock.now()
    hours = UsageHour.objects.filter(hour__lt=before).order_by()
    sums = hours.annotate(day=TruncDate("hour", tzinfo=dt.UTC)).values("grant_id", "day", "operation")
    sums = sums.annotate(**{f"all_{name}": models.Sum(name) for name in _OUTCOMES})
    every = sums.iterator(chunk_size=ROLLED_UP_AT_ONCE)
    rows = 0
    while some := list(itertools.islice(every, ROLLED_UP_AT_ONCE)):
        rows += len(UsageDay.objects.bulk_create(map(_get_day, some), ignore_conflicts=True))
    return rows


# Pieces ---------------------------------------------------------------------------------------------------------------


def _get_day(row: Mapping[str, Any]) -> UsageDay:
    sums = {name: row[f"all_{name}"] for name in _OUTCOMES}
    return UsageDay(grant_id=row["grant_id"], day=row["day"], operation=row["operation"], **sums)


def _outcome(status: int) -> Counted:
    if status < 400:
        return _ANSWERED
    if status == 429:
        return _THROTTLED
    return _REFUSED if status < 500 else _FAILED


_ANSWERED, _REFUSED = Counted(), Counted(refused=1)
_THROTTLED, _FAILED = Counted(throttled=1), Counted(failed=1)


def _merge(old: Counted | Seen | QuirkCount, new: Counted | Seen | QuirkCount) -> Counted | Seen | QuirkCount:
    if isinstance(old, QuirkCount) and isinstance(new, QuirkCount):
        return compatibility.merge(old, new)
    if isinstance(old, Counted) and isinstance(new, Counted):
        return _add(old, new)
    return new if not isinstance(old, Seen) or not isinstance(new, Seen) or new.at >= old.at else old


def _add(one: Counted, other: Counted) -> Counted:
    return Counted(*map(sum, zip(one, other, strict=True)))


def _write(facts: Mapping[Hour | Used | QuirkKey, Counted | Seen | QuirkCount]) -> None:
    """One transaction, rows in one order: two processes that write at once wait for each other, and never both."""
    hours = {key: value for key, value in facts.items() if isinstance(key, Hour) and isinstance(value, Counted)}
    used = {key: value for key, value in facts.items() if isinstance(key, Used) and isinstance(value, Seen)}
    shown = {key: value for key, value in facts.items() if isinstance(key, QuirkKey) and isinstance(value, QuirkCount)}
    with transaction.atomic():
        _write_hours(hours)
        compatibility.write(shown)
        for key, seen in sorted(used.items(), key=lambda item: (item[0].model.__name__, item[0].pk)):
            # Another process may have seen it later, and written first.
            earlier = models.Q(last_used_at=None) | models.Q(last_used_at__lt=seen.at)
            found = key.model.objects.filter(earlier, pk=key.pk)
            found.update(last_used_at=seen.at, last_used_from=seen.address or None)


def _write_hours(hours: dict[Hour, Counted]) -> None:
    """Adds to the rows that are there, and makes the others; the same for their days, and for their connectors'. What
    belongs to no grant any more is dropped.
    """
    grants = Grant.objects.filter(pk__in={key.grant_id for key in hours}).values_list("pk", "connector_id")
    connectors = dict(grants) if hours else {}
    kept = {key: value for key, value in hours.items() if key.grant_id in connectors}
    _UPSERT_HOUR.write([(*key, *value) for key, value in _sort(kept)])
    _UPSERT_DAY.write(_rows(((key.grant_id, key.hour.date(), key.operation), kept[key]) for key in kept))
    together: list[tuple[tuple[Any, ...], Counted]] = []
    for key, value in kept.items():
        connector, day = connectors[key.grant_id], key.hour.replace(hour=0)
        together.append(((connector, ConnectorUsage.Bucket.HOUR, key.hour, key.operation, key.scope), value))
        together.append(((connector, ConnectorUsage.Bucket.DAY, day, key.operation, ""), value))
    _UPSERT_CONNECTOR.write(_rows(together))


def _sort(rows: Mapping[Any, Counted]) -> list[tuple[Any, Counted]]:
    """As everybody writes them: so two that write the same rows wait for each other, and never both."""
    return sorted(rows.items(), key=lambda item: item[0])


def _rows(counted: Iterable[tuple[tuple[Any, ...], Counted]]) -> list[tuple[Any, ...]]:
    """One row a key, with the sums."""
    found: dict[tuple[Any, ...], Counted] = {}
    for key, value in counted:
        found[key] = _add(found[key], value) if key in found else value
    return [(*key, *value) for key, value in _sort(found)]


_OUTCOMES: Final = ("calls", "refused", "throttled", "failed")


_UPSERT_HOUR: Final = Upsert(UsageHour, ("grant", "hour", "operation"), other=("scope",), adds=_OUTCOMES)
_UPSERT_DAY: Final = Upsert(UsageDay, ("grant", "day", "operation"), adds=_OUTCOMES)
_UPSERT_CONNECTOR: Final = Upsert(
    ConnectorUsage, ("connector", "bucket", "at", "operation"), other=("scope",), adds=_OUTCOMES
)


_buffer: WriteBehind[Hour | Used | QuirkKey, Counted | Seen | QuirkCount] = WriteBehind(
    "usage", write=_write, merge=_merge, seconds=lambda: settings.USAGE_FLUSH_SECONDS
)


_OF_CONNECTOR: Final = "Too many requests: this connector may make {most} calls a minute."
_OF_TENANT: Final = "Too many requests: all connectors of this organisation together may make {most} calls a minute."
_OF_EXCHANGES: Final = (
    "Too many requests: this connector may fetch {most} access tokens a minute, and one is enough for {hours} hours."
)


@dataclass(frozen=True, slots=True)
class RateLimitUsage:
    """What of the limits a minute is used. A limit of 0 is none."""

    connector_used: int
    connector_most: int
    tenant_used: int
    tenant_most: int


def check_rate_limit(connector: Connector) -> None:
    """Count a call of the Platform Service. Raises Throttled."""
    own, shared = _connector_limit(connector), _organisation_limit(connector.organisation_id)
    refusal = rate_limit.hit(*(limit for limit in (own, shared) if limit.most))
    if refusal is not None:
        message = _OF_CONNECTOR if refusal.limit == own else _OF_TENANT
        raise Throttled(message.format(most=refusal.limit.most), retry_after=refusal.retry_after)


def check_exchange_rate_limit(connector: Connector) -> None:
    """Count an exchange by a connector that has proven itself. Raises Throttled.

    Exchanges have their own counter: a program that has spent the minute's calls can still renew a token, and one that
    fetches a token for every call is refused before it affects the others of its organisation.
    """
    refusal = count_exchange(connector.pk)
    if refusal is not None:
        message = _OF_EXCHANGES.format(most=refusal.limit.most, hours=settings.ACCESS_TOKEN_HOURS)
        raise Throttled(message, retry_after=refusal.retry_after)


def count_exchange(connector_id: UUID) -> Refusal | None:
    """Count an exchange, unless it is one too many; what is refused does not count."""
    most = settings.THROTTLE_CONNECTOR_PER_MINUTE
    return rate_limit.hit(Limit(f"exchange:{connector_id}", most)) if most else None


def get_rate_limit_usage(connector: Connector) -> RateLimitUsage:
    """What of the limits is used, for a page."""
    own, shared = _connector_limit(connector), _organisation_limit(connector.organisation_id)
    used, by_all = rate_limit.count(own, shared)
    return RateLimitUsage(used, own.most, by_all, shared.most)


def get_organisation_rate_limit_usage(organisation: Organisation) -> tuple[int, int]:
    """How much all connectors of an organisation have used, and how much they may; 0 is no limit."""
    limit = _organisation_limit(organisation.pk)
    return rate_limit.count(limit)[0], limit.most


def _connector_limit(connector: Connector) -> Limit:
    return Limit(f"connector:{connector.pk}", settings.THROTTLE_CONNECTOR_PER_MINUTE)


def _organisation_limit(organisation_id: UUID) -> Limit:
    return Limit(f"tenant:{organisation_id}", settings.THROTTLE_TENANT_PER_MINUTE)
