"""What the address of a connector is told of its handoffs (ADR 0070): one waits, one ended unclaimed. Never a secret.

Written in the transaction of the act, like all that webhooks are told. This module imports no service, as services
that seal and end handoffs call it.
"""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse

from connectors.models import Handoff, Webhook, WebhookDelivery, WebhookEvent
from connectors.webhooks import dispatch
from connectors.webhooks.events import HandoffEvent
from kaizala_console.lib import clock

WITHDRAWN: Final = "withdrawn"
EXPIRED: Final = "expired"
CLAIM_PATH: Final = "/v1/handoffs/claim"
_State = WebhookDelivery.State


def publish_waiting(handoff: Handoff) -> None:
    """A handoff was made: for a new grant, issued again, or with the successor of a token."""
    because = "rotated" if handoff.refresh_token.predecessor_id else "granted"
    _publish(HandoffEvent.WAITING, [handoff], because)


def publish_ended(handoffs: QuerySet[Handoff], because: str) -> None:
    """These handoffs ended just now, and nobody had claimed them; whoever ends them has written that down already."""
    found = handoffs.defer("sealed").select_related("connector", "grant").order_by("made_at", "pk")
    _publish(HandoffEvent.ENDED, list(found), because)


def _publish(kind: HandoffEvent, handoffs: list[Handoff], because: str) -> None:
    now = clock.now()
    connectors = {handoff.connector_id for handoff in handoffs}
    listening = {
        webhook.connector_id: webhook
        for webhook in Webhook.objects.present()
        .under_right(now)
        .filter(
            connector__in=connectors,
            object_type=Webhook.ObjectType.CONNECTOR,
            inactive_because__in=["", *Webhook.BUFFERING_STATES],
        )
    }
    told = [handoff for handoff in handoffs if handoff.connector_id in listening]
    if not told:
        return
    rows = [WebhookEvent(event_type=kind.value, data=_data(handoff, because), created_at=now) for handoff in told]
    deliveries = []
    for handoff, row in zip(told, rows, strict=True):
        webhook = listening[handoff.connector_id]
        deliveries.append(
            WebhookDelivery(
                webhook=webhook,
                event=row,
                event_type=row.event_type,
                ordering_key=handoff.pk,  # that it ended comes after that it waits; handoffs do not wait for each other
                state=_State.WAITING if webhook.is_active else _State.HELD,
                next_attempt_at=now if webhook.is_active else None,
                created_at=now,
            )
        )
    WebhookEvent.objects.bulk_create(rows)
    WebhookDelivery.objects.bulk_create(deliveries)
    if any(delivery.state == _State.WAITING for delivery in deliveries):
        dispatch.notify_worker()


def _data(handoff: Handoff, because: str) -> dict[str, Any]:
    kind, _colon, target_id = handoff.grant.target.partition(":")
    # The console's page, whichever door the act came through: the wire has addresses of its own.
    page = reverse("connectors:handoff", urlconf=settings.ROOT_URLCONF, args=[handoff.pk])
    return {
        "connectorId": str(handoff.connector_id),
        "handoffId": str(handoff.pk),
        "reason": because,
        "target": {"kind": kind, "id": target_id, "name": handoff.grant.target_name},
        "expiresAt": clock.epoch_ms(handoff.expires_at),
        "pageUrl": f"{settings.CONSOLE_BASE_URL}{page}",
        "claimUrl": f"{settings.CONSOLE_BASE_URL}{CLAIM_PATH}",
    }
