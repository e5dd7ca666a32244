"""The audit trail as a chain of hashes, made by the worker: `verify` says where somebody changed it.

`record` writes an event in the transaction of its act. The worker gives it its position and its hash within a second,
and signs how far the chain goes. See docs/adr/0020-audit-chain.md.
"""

from __future__ import annotations

import hmac
from typing import Any, Final

import structlog
from django.db import IntegrityError, OperationalError, transaction

from accounts.audit.canonical import FIELDS, GENESIS, compute_hash, to_export_value
from accounts.models import AuditCheckpoint, AuditEvent
from kaizala_console.lib import clock, crypto

logger = structlog.get_logger(__name__)

BATCH = 1000
_PURPOSE: Final = "audit-checkpoint"


def chain() -> int:
    """Chains the events that wait, and signs how far the chain goes. Returns how many it chained.

    Events that the console did not write stay as they are; all events do, while another process chains or the pepper
    of the checkpoint is not in the ring.
    """
    total = after = 0
    waiting = AuditEvent.objects.filter(position__isnull=True).order_by("pk")
    try:
        while batch := list(waiting.filter(pk__gt=after).values_list("pk", flat=True)[:BATCH]):
            total += _chain_batch(batch)
            after = batch[-1]
    except (IntegrityError, OperationalError) as error:
        logger.info("audit.busy", error=type(error).__name__)  # another process is at it, or a database that is away
    except crypto.UnknownKey:
        logger.exception("audit.not_chained", hint="manage.py verify_audit names the pepper that is missing")
    return total


@transaction.atomic
def _chain_batch(ids: list[int]) -> int:
    end = AuditCheckpoint.objects.select_for_update(nowait=True).first()  # one process at a time
    events = [event for event in _get_unchained(ids) if _is_ours(event)]
    if not events:
        return 0
    last = AuditEvent.objects.filter(position__isnull=False).order_by("-position").first()
    position, previous = (int(last.position or 0), last.hash) if last else (0, GENESIS)
    broken_at = end.broken_at if end else None
    if not _is_signed_end(end, last):
        broken_at = broken_at or position + 1
        logger.error("audit.broken", position=position, hint="manage.py verify_audit says what is wrong")
    for event in events:
        position += 1
        event.position, event.previous_hash = position, previous
        previous = event.hash = compute_hash(to_fields(event), previous)
    AuditEvent.objects.bulk_update(events, ["position", "previous_hash", "hash"], batch_size=200)
    signed = end or AuditCheckpoint()
    signed.position, signed.hash, signed.broken_at, signed.signed_at = position, previous, broken_at, clock.now()
    sign_checkpoint(signed)
    signed.save(force_insert=end is None, force_update=end is not None)
    if position // BATCH > (position - len(events)) // BATCH:
        # Who keeps the log elsewhere has an anchor that this database cannot take back.
        logger.info("audit.checkpoint", position=position, hash=previous)
    return len(events)


def _get_unchained(ids: list[int]) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(pk__in=ids, position__isnull=True).order_by("pk"))


def _is_ours(event: AuditEvent) -> bool:
    try:
        return event.has_own_mac()
    except crypto.UnknownKey:
        return False  # `verify` names the pepper


def _is_signed_end(end: AuditCheckpoint | None, last: AuditEvent | None) -> bool:
    """Whether the chain ends where the console signed its end."""
    if end is None or last is None:
        return end is None and last is None
    return is_checkpoint_signed(end) and (end.position, end.hash) == (last.position, last.hash)


def to_fields(event: AuditEvent) -> dict[str, Any]:
    """The event's fields as JSON can say them: what is hashed, and what an export holds."""
    return {field: to_export_value(getattr(event, field)) for field in FIELDS}


def to_export(event: AuditEvent) -> dict[str, Any]:
    """A line of an export: the event's fields and its hashes, enough to verify it without the console."""
    return {**to_fields(event), "previous_hash": event.previous_hash, "hash": event.hash}


def sign_checkpoint(checkpoint: AuditCheckpoint) -> None:
    """Signs the end of the chain with the newest of `CREDENTIAL_PEPPERS`, which the database does not hold."""
    checkpoint.key_id = crypto.current_key_id()
    checkpoint.mac = _mac(checkpoint)


def is_checkpoint_signed(checkpoint: AuditCheckpoint) -> bool:
    """Returns whether the console has signed what the checkpoint says. Raises `crypto.UnknownKey`."""
    return hmac.compare_digest(_mac(checkpoint), checkpoint.mac)


def _mac(checkpoint: AuditCheckpoint) -> str:
    said: tuple[int | str, ...] = (checkpoint.position, checkpoint.hash, checkpoint.broken_at or "")
    if checkpoint.pruned_to:
        said += (checkpoint.pruned_to, checkpoint.pruned_hash)
    return crypto.hmac_tag(_PURPOSE, *map(str, said), key_id=checkpoint.key_id).hex()
