"""The audit trail as a chain: whoever changes, removes, moves or adds a row breaks it, and `verifying` says where.

Rows are written in the transaction of the act they tell (`record`), and chained right after its commit, by one
process at a time. Chaining them in the act itself would make every act wait for every other, and deadlock. The sweeper
chains what a killed process left behind. See docs/adr/0020-audit-chain.md.
"""

from __future__ import annotations

from typing import Any

import structlog
from django.db import connection, transaction

from accounts.audit import marks, seals
from accounts.audit.canonical import FIELDS, GENESIS, hash_of, spelling
from accounts.models import AuditEvent, AuditSeal
from kaizala_console.lib import crypto

logger = structlog.get_logger(__name__)

BLOCK = 1000
AT_ONCE = 1000
CHAINING = 0x61756469  # the advisory lock's key: any number that nobody else uses


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
    last = AuditEvent.objects.filter(position__isnull=False).order_by("-position").first()
    position, previous = (0, GENESIS) if last is None else (int(last.position or 0), last.hash)
    events = list(AuditEvent.objects.filter(position__isnull=True).order_by("pk")[:AT_ONCE])
    end = seals.newest()
    may_seal = seals.may_go_on(end, last)
    blocks: dict[int, tuple[int, str]] = {}
    for event in events:
        position += 1
        event.position, event.previous_hash = position, previous
        previous = event.hash = hash_of(spelled(event), previous)
        blocks[position // BLOCK] = (position, previous)
    AuditEvent.objects.bulk_update(events, ["position", "previous_hash", "hash"], batch_size=200)
    if may_seal and blocks:
        seals.put(end, blocks)
    elif blocks:
        logger.error("audit.not_sealed", position=position, hint="manage.py verify_audit says what is wrong")
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


@transaction.atomic
def seal_again() -> bool:
    """Seals what was chained while the pepper of the newest seal was not in the ring; whether there was such.

    Only what carries the console's marks, without a gap: whatever else stands behind a seal is never sealed.
    """
    end = seals.newest()
    last = AuditEvent.objects.filter(position__isnull=False).order_by("-position").first()
    if not _is_alone() or end is None or last is None or last.position == end.position or not _follows(end):
        return False
    position = int(last.position or 0)
    seals.put(end, {position // BLOCK: (position, last.hash)})
    return True


def _follows(end: AuditSeal) -> bool:
    try:
        if not seals.says_it_ends(end):
            return False
        position, previous = end.position, ""
        for event in AuditEvent.objects.filter(position__gte=position).order_by("position").iterator(chunk_size=500):
            if position == end.position:
                previous = event.previous_hash
            linked = event.position == position and event.previous_hash == previous
            if not linked or event.hash != hash_of(spelled(event), previous):
                return False
            if position == end.position and event.hash != end.hash:
                return False
            marks.check(event)
            position, previous = position + 1, event.hash
    except (crypto.UnknownKey, marks.NoMark):
        return False
    return position > end.position


def spelled(event: AuditEvent) -> dict[str, Any]:
    """The event's fields as JSON can say them: what is hashed, and what an export holds."""
    return {field: spelling(getattr(event, field)) for field in FIELDS}


def exported(event: AuditEvent) -> dict[str, Any]:
    """A line of an export: the event's fields and its hashes, enough to verify it without the console."""
    return {**spelled(event), "previous_hash": event.previous_hash, "hash": event.hash}
