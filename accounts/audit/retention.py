"""Forgets the start of the audit trail, after `AUDIT_DAYS`; the console signs where the trail begins from then on."""

from __future__ import annotations

import datetime as dt

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts.audit.chain import is_checkpoint_signed, sign_checkpoint
from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, record
from accounts.models import AuditCheckpoint, AuditEvent
from kaizala_console.lib import clock, crypto

logger = structlog.get_logger(__name__)

BATCH = 1000


def list_expired() -> QuerySet[AuditEvent]:
    """The chained events before the first that is young enough; the last one stays: the chain goes on from it."""
    chained = AuditEvent.objects.filter(position__isnull=False).order_by("position")
    if not settings.AUDIT_DAYS:
        return chained.none()
    before = clock.now() - dt.timedelta(days=settings.AUDIT_DAYS)
    first = chained.filter(at__gte=before).first() or chained.last()
    return chained.filter(position__lt=first.position) if first else chained.none()


def prune() -> int:
    """Delete what is older than `AUDIT_DAYS`, unless the chain is not as the console signed it; returns how many."""
    deleted = 0
    while number := _prune_batch():
        deleted += number
    if deleted:
        with transaction.atomic():
            checkpoint = AuditCheckpoint.objects.get()
            record(EventType.AUDIT_PRUNED, by=SYSTEM, subject=checkpoint, after={"events": deleted})
    return deleted


@transaction.atomic
def _prune_batch() -> int:
    checkpoint = AuditCheckpoint.objects.select_for_update().first()  # the worker, which chains, waits for it
    expired = list(list_expired().values_list("position", "hash")[:BATCH])
    if checkpoint is None or not expired:
        return 0
    try:
        signed = is_checkpoint_signed(checkpoint)
    except crypto.UnknownKey:
        signed = False
    if not signed:
        logger.error("audit.not_pruned", hint="manage.py verify_audit says what is wrong")
        return 0
    position, checkpoint.pruned_hash = expired[-1]
    checkpoint.pruned_to = int(position or 0)
    sign_checkpoint(checkpoint)
    checkpoint.save()
    return AuditEvent.objects.filter(position__lte=checkpoint.pruned_to).delete()[0]
