"""The audit trail as a chain: whoever changes, removes, moves or adds a row breaks it, and `verify` says where.

Rows are written in the transaction of the act they tell (`record`), and chained right after its commit, by one
process at a time. Chaining them in the act itself would make every act wait for every other, and deadlock. The sweeper
chains what a killed process left behind. See docs/adr/0020-audit-chain.md.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction

from accounts.audit.canonical import FIELDS, GENESIS, hash_of
from accounts.models import AuditEvent, AuditSeal
from kaizala_console.lib import clock, crypto

logger = structlog.get_logger(__name__)

BLOCK = 1000
AT_ONCE = 1000
CHAINING = 0x61756469  # the advisory lock's key: any number that nobody else uses
LEFT_BEHIND_AFTER = dt.timedelta(minutes=10)
_PURPOSE = "audit-seal"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the trail that the console did not write so. `event_id` is None when the row is gone."""

    kind: str
    position: int | None
    event_id: int | None
    says: str


def chain_after_commit() -> None:
    """Chains what this transaction wrote, once it has committed; registered once a transaction."""
    waiting = transaction.get_connection().run_on_commit
    if not any(function is chain for _savepoints, function, _robust in waiting):
        transaction.on_commit(chain, robust=True)


def chain() -> int:
    """Gives every row that waits its position and its hashes; the number of rows. 0 when another process is at it."""
    done = AT_ONCE
    total = 0
    while done == AT_ONCE:
        done = _chain_some()
        total += done
    return total


@transaction.atomic
def _chain_some() -> int:
    if not _is_alone():
        return 0
    head = AuditEvent.objects.filter(position__isnull=False).order_by("-position").values_list("position", "hash")
    newest, previous = head.first() or (0, GENESIS)
    position = int(newest or 0)
    events = list(AuditEvent.objects.filter(position__isnull=True).order_by("pk")[:AT_ONCE])
    seals = {}
    for event in events:
        position += 1
        event.position, event.previous_hash = position, previous
        previous = event.hash = hash_of(spelled(event), previous)
        seals[position // BLOCK] = (position, previous)
    AuditEvent.objects.bulk_update(events, ["position", "previous_hash", "hash"], batch_size=200)
    for block, (at, its_hash) in seals.items():
        key_id = crypto.current_key_id()
        AuditSeal.objects.update_or_create(
            block=block,
            defaults={
                "position": at,
                "hash": its_hash,
                "key_id": key_id,
                "tag": crypto.hmac_tag(_PURPOSE, str(at), its_hash, key_id=key_id).hex(),
                "sealed_at": clock.now(),
            },
        )
    return len(events)


def _is_alone() -> bool:
    """Whether this transaction may chain. Who may not need not wait: whoever is at it, or the sweeper, does it all.

    SQLite's transactions write one at a time anyway (IMMEDIATE).
    """
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [CHAINING])
        return bool(cursor.fetchone()[0])


def spelled(event: AuditEvent) -> dict[str, Any]:
    """The event's fields as JSON can say them: what is hashed, and what an export holds."""
    return {field: _spelled(getattr(event, field)) for field in FIELDS}


def exported(event: AuditEvent) -> dict[str, Any]:
    """A line of an export: the event's fields and its hashes, enough to verify it without the console."""
    return {**spelled(event), "previous_hash": event.previous_hash, "hash": event.hash}


def _spelled(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value


# Verifying -----------------------------------------------------------------------------------------------------------


def verify() -> Iterator[Fault]:
    """Everything in the trail that the console did not write so, in the order of the chain."""
    seals = {seal.position: seal for seal in AuditSeal.objects.all()}
    position, previous = 0, GENESIS
    events = AuditEvent.objects.filter(position__isnull=False).order_by("position")
    for event in events.iterator(chunk_size=2000):
        here, expected = int(event.position or 0), position + 1
        if here != expected:
            yield Fault("removed", expected, None, _missing(expected, here - 1))
        if hash_of(spelled(event), event.previous_hash) != event.hash:
            yield Fault("changed", here, event.pk, f"Event {event.pk} was changed, or moved here.")
        if here == expected and event.previous_hash != previous:
            yield Fault("broken", here, event.pk, f"Event {event.pk} does not follow from the one before it.")
        seal = seals.pop(here, None)
        if seal is not None:
            yield from _of_seal(seal, event)
        position, previous = here, event.hash
    yield from _of_the_end(position, seals)


def _of_seal(seal: AuditSeal, event: AuditEvent) -> Iterator[Fault]:
    try:
        tag = crypto.hmac_tag(_PURPOSE, str(seal.position), seal.hash, key_id=seal.key_id).hex()
    except crypto.UnknownKey:
        says = f"The seal at position {seal.position} needs the pepper {seal.key_id!r}, which has left the ring."
        yield Fault("unknown-key", seal.position, event.pk, says)
        return
    if not hmac.compare_digest(tag, seal.tag) or seal.hash != event.hash:
        says = f"The chain up to position {seal.position} is not the one that the console sealed: it was rewritten."
        yield Fault("rewritten", seal.position, event.pk, says)


def _of_the_end(position: int, seals: dict[int, AuditSeal]) -> Iterator[Fault]:
    for missing in sorted(seals):
        yield Fault("removed", missing, None, f"The event at position {missing}, which was sealed, is missing.")
    newest = AuditSeal.objects.order_by("-position").values_list("position", flat=True).first() or 0
    if position > newest:
        says = f"The events from position {newest + 1} to {position} carry no seal: the console did not chain them."
        yield Fault("inserted", newest + 1, None, says)
    old = AuditEvent.objects.filter(position__isnull=True, at__lt=clock.now() - LEFT_BEHIND_AFTER)
    for event_id in old.order_by("pk").values_list("pk", flat=True)[:100]:
        says = f"Event {event_id} is not chained: it was added from outside, or the worker has not run since."
        yield Fault("unchained", None, event_id, says)


def _missing(first: int, last: int) -> str:
    if first == last:
        return f"The event at position {first} is missing."
    return f"The events from position {first} to {last} are missing."
