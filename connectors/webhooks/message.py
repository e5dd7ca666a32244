"""What is sent: the protocol's body to the letter, the old token beside the signature."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.views.decorators.debug import sensitive_variables

from connectors.models import Webhook, WebhookDelivery, WebhookEvent
from connectors.webhooks import signing
from connectors.webhooks.sender import TOKEN_HEADER, PreparedRequest
from kaizala_console.api import json_text


def build_body(webhook: Webhook, event: WebhookEvent) -> dict[str, Any]:
    """Wire protocol §6, Webhooks: Delivery. The same for every try under the same grant."""
    if webhook.grant is None:
        return _of_handoff(webhook, event)
    may_have_all = str(webhook.grant.person_id) in event.private_for
    return {
        "objectId": webhook.object_id,
        "objectType": webhook.object_type,
        "eventType": event.event_type,
        "eventId": str(event.pk),
        "data": {**event.data, **event.private} if may_have_all else event.data,
        "context": webhook.callback_context,
        # What the real server sent besides, and programs keep (ADR 0061)
        "subscriptionId": str(webhook.pk),
        "groupId": str(event.group_id),
        "sourceGroupId": str(event.group_id),
        "isBotfromUser": False,
        **event.sender,
    }


def _of_handoff(webhook: Webhook, event: WebhookEvent) -> dict[str, Any]:
    """The same envelope, without what is about groups (ADR 0070)."""
    return {
        "objectId": webhook.object_id,
        "objectType": webhook.object_type,
        "eventType": event.event_type,
        "eventId": str(event.pk),
        "data": event.data,
        "subscriptionId": str(webhook.pk),
    }


@sensitive_variables()
def prepare(webhook: Webhook, event: WebhookEvent, at: dt.datetime) -> PreparedRequest:
    """Return the signed request of one try. `webhook-id` is the event's id: stable across tries.

    Raises crypto.WrongKey when the encryption key of the webhook's token or secret left the ring.
    """
    body = json_text.encode(build_body(webhook, event))
    headers = {
        "Content-Type": json_text.CONTENT_TYPE,
        **signing.sign(message_id=str(event.pk), at=at, body=body, keys=signing.signing_keys(webhook, at)),
    }
    token = signing.open_token(webhook)
    if token:
        headers[TOKEN_HEADER] = token
    return PreparedRequest(webhook.callback_url, headers, body)


def get_payload(delivery: WebhookDelivery) -> dict[str, Any] | None:
    """What was sent, as a document; None for what was never sent: then it is nothing that the connector may read."""
    if delivery.state != WebhookDelivery.State.DELIVERED and not delivery.attempts.exists():
        return None
    return build_body(delivery.webhook, delivery.event)
