"""The one address of a connector that is told of its handoffs: registered in the console, by its owners (ADR 0070).

From there on it is a webhook like any other: paused, woken, deleted and sent again by `upkeep`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.audit.record import record
from accounts.audit.tags import Tag
from accounts.models import User
from connectors import policies
from connectors.models import Connector, Handoff, Webhook, WebhookDelivery, WebhookEvent
from connectors.services import trail
from connectors.webhooks import dispatch, signing, subscriptions
from connectors.webhooks.events import HandoffEvent
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import Conflict, NotFound

NO_END: Final = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)  # it ends with the connector


def register(*, connector: Connector, callback_url: str, by: User) -> Webhook:
    """Have the address told. Twice the same is once.

    Raises NotFound for who does not own the connector, Conflict when another address is registered, and as
    `handshake.require_echo`, which speaks to the outside: call it outside a transaction.
    """
    policies.require_owner(by, connector)
    present = _present(connector)
    if present is None:
        subscriptions.require_echo(callback_url, connector_id=connector.pk)
        return _created(connector, callback_url, by)
    return _the_same(present, callback_url)


@transaction.atomic
def _created(connector: Connector, callback_url: str, by: User) -> Webhook:
    # One after the other for each connector; and whoever was an owner when the address was asked may be none any more.
    locked = Connector.objects.select_for_update(of=("self",), no_key=True).filter(deleted_at__isnull=True)
    held = locked.filter(pk=connector.pk).first()
    if held is None:
        raise NotFound
    policies.require_owner(by, held)
    present = _present(held)
    if present is not None:
        return _the_same(present, callback_url)
    key = ids.new_id()
    webhook = Webhook.objects.create(
        id=key,
        connector=held,
        object_type=Webhook.ObjectType.CONNECTOR,
        object_id=str(held.pk),
        event_types=[kind.value for kind in HandoffEvent],
        callback_url=callback_url,
        host=(urlsplit(callback_url).hostname or "")[:255],
        sealed_secret=signing.seal_secret(key, signing.new_secret()),
        expires_at=NO_END,
    )
    facts = {
        "connector": held.name,
        "host": webhook.host,
        "object": f"{webhook.object_type} {webhook.object_id}",
        "events": webhook.event_types,
    }
    record(Tag.WEBHOOK_CREATED, by=by, subject=webhook, **trail.of_webhook(webhook), after=facts)
    return webhook


def _present(connector: Connector) -> Webhook | None:
    return Webhook.objects.present().filter(connector=connector, object_type=Webhook.ObjectType.CONNECTOR).first()


def _the_same(present: Webhook, callback_url: str) -> Webhook:
    if present.callback_url != callback_url:
        raise Conflict(
            _("Another address is registered already. Delete that first."), code="handoff_address_registered"
        )
    return present


# ----------------------------------------------------------------------------------------------------
# What the address of a connector is told of its handoffs (ADR 0070): one waits, one ended unclaimed. Never a secret.
#
# Written in the transaction of the act, like all that webhooks are told. This module imports no service, as services
# that seal and end handoffs call it.


WITHDRAWN: Final = "withdrawn"
EXPIRED: Final = "expired"
CLAIM_PATH: Final = "/v1/handoffs/claim"
_State = WebhookDelivery.State


def waits(handoff: Handoff) -> None:
    """A handoff was made: for a new grant, issued again, or with the successor of a token."""
    because = "rotated" if handoff.refresh_token.predecessor_id else "granted"
    _tell(HandoffEvent.WAITING, [handoff], because)


def ended(handoffs: QuerySet[Handoff], because: str) -> None:
    """These handoffs ended just now, and nobody had claimed them; whoever ends them has written that down already."""
    found = handoffs.defer("sealed").select_related("connector", "grant").order_by("made_at", "pk")
    _tell(HandoffEvent.ENDED, list(found), because)


def _tell(kind: HandoffEvent, handoffs: list[Handoff], because: str) -> None:
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
                lane=handoff.pk,  # that it ended comes after that it waits; handoffs do not wait for each other
                state=_State.WAITING if webhook.is_active else _State.HELD,
                next_attempt_at=now if webhook.is_active else None,
                created_at=now,
            )
        )
    WebhookEvent.objects.bulk_create(rows)
    WebhookDelivery.objects.bulk_create(deliveries)
    if any(delivery.state == _State.WAITING for delivery in deliveries):
        dispatch.wake()


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
