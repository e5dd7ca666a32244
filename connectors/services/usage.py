"""How much a connector is used, and when a credential was used last. Noted in memory, written every few seconds.

The hot path pays some microseconds and no statement. What a killed process had not yet written is lost: at most
`settings.USAGE_FLUSH_SECONDS` of counts; nothing is decided by them. A process that ends in order writes them first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, models, transaction

from connectors.models import ConnectorSecret, Grant, RefreshToken, UsageHour
from kaizala_console.lib import clock, context
from kaizala_console.lib.write_behind import WriteBehind
from kaizala_console.wire.endpoint import Call, Operation

logger = structlog.get_logger(__name__)

EXCHANGE: Final = "GET v1/accessToken"
FORGOTTEN_AT_ONCE: Final = 10_000


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
    """Note one call of the Platform Service (`wire.endpoint`, ``observe``); without a caller, nobody is counted."""
    caller = call.caller
    if caller is None:
        return
    now = clock.now()
    count(caller.grant.pk, f"{call.request.method} {call.route}", status=status, scope=operation.scope or "", at=now)
    token_used(caller.refresh_token_id, at=now)


def count(grant_id: UUID, operation: str, *, status: int, at: dt.datetime, scope: str = "") -> None:
    """Count one call of `operation` ("GET v1/accessToken") under a grant, answered with `status`."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    _buffer.add(Hour(grant_id, hour, operation, scope), _outcome(status))


def secret_used(secret_id: int, *, at: dt.datetime) -> None:
    """Note that a secret has just proven its connector, and from where."""
    _buffer.add(Used(ConnectorSecret, secret_id), Seen(at, context.current().client_address))


def token_used(refresh_token_id: int, *, at: dt.datetime) -> None:
    """Note that a refresh token, or an access token that stands on it, was used, and from where."""
    _buffer.add(Used(RefreshToken, refresh_token_id), Seen(at, context.current().client_address))


def flush() -> int:
    """Write what this process has noted; how many rows that touched. Tests and commands call it, else a thread does."""
    return _buffer.flush()


def forget() -> None:
    """Drop what this process has noted, as a killed one does (tests)."""
    _buffer.forget()


def sweep() -> int:
    """Delete counts older than `settings.USAGE_DAYS`; how many rows."""
    before = clock.now() - dt.timedelta(days=settings.USAGE_DAYS)
    deleted = 0
    while ids := list(UsageHour.objects.filter(hour__lt=before).values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE]):
        deleted += UsageHour.objects.filter(pk__in=ids).delete()[0]
    return deleted


# Pieces ---------------------------------------------------------------------------------------------------------------


def _outcome(status: int) -> Counted:
    if status < 400:
        return _ANSWERED
    if status == 429:
        return _THROTTLED
    return _REFUSED if status < 500 else _FAILED


_ANSWERED, _REFUSED = Counted(), Counted(refused=1)
_THROTTLED, _FAILED = Counted(throttled=1), Counted(failed=1)


def _merged(old: Counted | Seen, new: Counted | Seen) -> Counted | Seen:
    if isinstance(old, Counted) and isinstance(new, Counted):
        return Counted(
            old.calls + new.calls,
            old.refused + new.refused,
            old.throttled + new.throttled,
            old.failed + new.failed,
        )
    return new if not isinstance(old, Seen) or not isinstance(new, Seen) or new.at >= old.at else old


def _write(facts: Mapping[Hour | Used, Counted | Seen]) -> None:
    """One transaction, rows in one order: two processes that write at once wait for each other, and never both."""
    hours = {key: value for key, value in facts.items() if isinstance(key, Hour) and isinstance(value, Counted)}
    used = {key: value for key, value in facts.items() if isinstance(key, Used) and isinstance(value, Seen)}
    with transaction.atomic():
        _write_hours(hours)
        for key, seen in sorted(used.items(), key=lambda item: (item[0].model.__name__, item[0].pk)):
            # Another process may have seen it later, and written first.
            earlier = models.Q(last_used_at=None) | models.Q(last_used_at__lt=seen.at)
            found = key.model.objects.filter(earlier, pk=key.pk)
            found.update(last_used_at=seen.at, last_used_from=seen.address or None)


def _write_hours(hours: dict[Hour, Counted]) -> None:
    """Adds to the rows that are there, and makes the others. What belongs to no grant any more is dropped."""
    grants = set(Grant.objects.filter(pk__in={key.grant_id for key in hours}).values_list("pk", flat=True))
    ordered = sorted(hours.items(), key=lambda item: (item[0].grant_id.bytes, item[0].hour, item[0].operation))
    rows = [_row(key, value) for key, value in ordered if key.grant_id in grants]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_UPSERT, rows)


_COLUMNS: Final = ("grant", "hour", "operation", "scope", "calls", "refused", "throttled", "failed")  # as in the model
_FIELDS: Final = [field for field in UsageHour._meta.concrete_fields if field.name in _COLUMNS]
_TABLE: Final = UsageHour._meta.db_table
# The ORM's own upsert can only overwrite; SQLite and PostgreSQL both know this one. No value stands in the text.
_UPSERT: Final = (
    f"INSERT INTO {_TABLE} ({', '.join(str(field.column) for field in _FIELDS)})"  # noqa: S608
    f" VALUES ({', '.join(['%s'] * len(_FIELDS))})"
    " ON CONFLICT (grant_id, hour, operation) DO UPDATE SET "
    + ", ".join(f"{name} = {_TABLE}.{name} + EXCLUDED.{name}" for name in _COLUMNS[4:])
)


def _row(key: Hour, value: Counted) -> list[Any]:
    values = [key.grant_id, key.hour, key.operation, key.scope]
    values += [value.calls, value.refused, value.throttled, value.failed]
    return [field.get_db_prep_save(item, connection) for field, item in zip(_FIELDS, values, strict=True)]


_buffer: WriteBehind[Hour | Used, Counted | Seen] = WriteBehind(
    "usage", write=_write, merge=_merged, seconds=lambda: settings.USAGE_FLUSH_SECONDS
)
