"""Forgets what was posted in groups, after `MESSAGE_DAYS`."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from groups.models import Action, Message, Reaction
from kaizala_console.lib import clock

_AT_ONCE: Final = 500


def list_expired() -> list[QuerySet[Any]]:
    """Messages and actions of more than `MESSAGE_DAYS` ago, but for those that close later than today."""
    if not settings.MESSAGE_DAYS:
        return []
    now = clock.now()
    before = now - dt.timedelta(days=settings.MESSAGE_DAYS)
    over = Q(expires_at__isnull=True) | Q(expires_at__lt=now)
    return [Message.objects.filter(sent_at__lt=before), Action.objects.filter(over, sent_at__lt=before)]


def prune() -> int:
    """Delete them, with recipients, responses and reactions; returns how many messages and actions."""
    deleted = 0
    for rows in list_expired():
        while ids := list(rows.order_by().values_list("pk", flat=True)[:_AT_ONCE]):
            with transaction.atomic():
                Reaction.objects.filter(reference_id__in=ids).delete()
                rows.filter(pk__in=ids).delete()
            deleted += len(ids)
    return deleted
