"""Webhooks that tests are about, set straight into the table; and what happens, as the app above tells it."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction

from connectors.models import Connector, Grant, Webhook, WebhookDelivery
from connectors.tests.receiver import Receiver
from connectors.webhooks import delivery, publish, signing, subscriptions
from connectors.webhooks.events import Event, HandoffEvent, WebhookEventType
from kaizala_console.lib import clock, ids

CALLBACK_TOKEN = "their-token-J7Q2K9"


def make_webhook(grant: Grant, url: str, group_id: UUID, **fields: Any) -> Webhook:
    """A webhook on a group for every kind of event, as if its address had answered the handshake."""
    key = ids.new_id()
    values: dict[str, Any] = {
        "object_type": "Group",
        "object_id": str(group_id),
        "event_types": [kind.value for kind in WebhookEventType],
        "callback_context": "shift 7",
        "expires_at": clock.now() + dt.timedelta(days=730),
    }
    return Webhook.objects.create(
        id=key,
        connector=grant.connector,
        grant=grant,
        callback_url=url,
        host=urlsplit(url).hostname or "",
        sealed_token=signing.seal_token(key, CALLBACK_TOKEN),
        sealed_secret=signing.seal_secret(key, signing.new_secret()),
        **{**values, **fields},
    )


def grant_of(webhook: Webhook) -> Grant:
    """The grant that a program's webhook stands under."""
    assert webhook.grant is not None
    return webhook.grant


def make_handoff_webhook(connector: Connector, url: str) -> Webhook:
    """The address of a connector's handoffs, as if it had answered the handshake."""
    key = ids.new_id()
    return Webhook.objects.create(
        id=key,
        connector=connector,
        object_type=Webhook.ObjectType.CONNECTOR,
        object_id=str(connector.pk),
        event_types=[kind.value for kind in HandoffEvent],
        callback_url=url,
        host=urlsplit(url).hostname or "",
        sealed_secret=signing.seal_secret(key, signing.new_secret()),
        expires_at=subscriptions.NO_END,
    )


def happen(
    group_id: UUID, *texts: str, kind: WebhookEventType = WebhookEventType.TEXT_MESSAGE_CREATED, **fields: Any
) -> None:
    """So many messages are posted in the group."""
    with transaction.atomic():
        publish.publish(*(Event(type=kind, group_id=group_id, data={"text": text}, **fields) for text in texts))


def tell(group_id: UUID, *texts: str, **fields: Any) -> int:
    """So many messages are posted in the group, and a worker delivers what is due; the number of tries."""
    happen(group_id, *texts, **fields)
    return delivery.deliver_due()


def states(webhook: Webhook) -> list[str]:
    """The states of its deliveries, the first one first."""
    return list(webhook.deliveries.order_by("pk").values_list("state", flat=True))


def time_passes() -> None:
    """All pauses are over, and whoever was killed is."""
    Webhook.objects.update(leased_until=None, backoff_until=None)
    WebhookDelivery.objects.waiting().update(next_attempt_at=clock.now())


def until_next_try(webhook: Webhook) -> float:
    """Seconds until the webhook is tried next."""
    webhook.refresh_from_db()
    due = WebhookDelivery.objects.waiting().filter(webhook=webhook).order_by("pk")  # the others wait behind the first
    moments = [*due.values_list("next_attempt_at", flat=True)[:1], webhook.backoff_until]
    return max([0.0, *((moment - clock.now()).total_seconds() for moment in moments if moment)])


def texts(receiver: Receiver, path: str = "/take") -> list[str]:
    """What the messages said that arrived at a path."""
    return [body["data"]["text"] for body in receiver.bodies(path)]
