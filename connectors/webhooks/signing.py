"""Signing what is sent, in the form of Standard Webhooks 1.0 (https://www.standardwebhooks.com). Pure.

`webhook-signature` holds `v1,<base64>` of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`, one for each
secret, a space between. A secret is shown as `whsec_` and the base64 of its bytes.
"""

from __future__ import annotations

import datetime as dt
import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.views.decorators.debug import sensitive_variables
from standardwebhooks import Webhook as Signer

from connectors.models import Webhook, WebhookDelivery, WebhookEvent
from kaizala_console.api import responses
from kaizala_console.lib import crypto

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32  # the standard asks for 24 to 64


def new_secret() -> bytes:
    """The bytes of a new secret."""
    return secrets.token_bytes(SECRET_BYTES)


@sensitive_variables("secret")
def format_secret(secret: bytes) -> str:
    """A secret as people copy it into their program."""
    return PREFIX + b64encode(secret).decode()


@sensitive_variables("keys", "key")
def sign(*, message_id: str, at: dt.datetime, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The three headers; each of the `keys` gives one signature."""
    signatures = [Signer(key).sign(message_id, at.astimezone(dt.UTC), body.decode()) for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


# ----------------------------------------------------------------------------------------------------
# The credentials of a webhook at rest: the receiver's own token, and the secrets that sign what is sent to it.


TOKEN: Final = "token"  # noqa: S105 (the name of a column)
SECRET: Final = "secret"  # noqa: S105 - the name of a purpose


@sensitive_variables("text")
def seal_token(webhook_id: UUID, text: str) -> bytes | None:
    """What is kept of a callback token; nothing of an empty one."""
    return crypto.seal(text.encode(), context=_context(webhook_id, TOKEN)) if text else None


@sensitive_variables("secret")
def seal_secret(webhook_id: UUID, secret: bytes) -> bytes:
    """What is kept of a signing secret."""
    return crypto.seal(secret, context=_context(webhook_id, SECRET))


@sensitive_variables()
def open_token(webhook: Webhook) -> str:
    """The callback token; "" when there is none. Raises crypto.WrongKey when its encryption key left the ring."""
    opened = _open(webhook, webhook.sealed_token, TOKEN)
    return opened.decode() if opened is not None else ""


@sensitive_variables()
def open_secret(webhook: Webhook) -> bytes | None:
    """The signing secret; None when there is none. Raises crypto.WrongKey when its encryption key left the ring."""
    return _open(webhook, webhook.sealed_secret, SECRET)


@sensitive_variables()
def signing_keys(webhook: Webhook, at: dt.datetime) -> list[bytes]:
    """The secrets that sign at `at`: the present one, and for a day the one before it. Raises crypto.WrongKey."""
    found = [open_secret(webhook)]
    if webhook.old_secret_until is not None and webhook.old_secret_until > at:
        found.append(_open(webhook, webhook.sealed_old_secret, SECRET))
    return [secret for secret in found if secret is not None]


@sensitive_variables()
def _open(webhook: Webhook, sealed: bytes | memoryview | None, what: str) -> bytes | None:
    return None if sealed is None else crypto.open_sealed(sealed, context=_context(webhook.pk, what))


def _context(webhook_id: UUID, what: str) -> bytes:
    return b"connectors.Webhook:" + what.encode() + b":" + webhook_id.bytes


TOKEN_HEADER: Final = "kz-callback-token"  # noqa: S105 (a name)


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """A request, ready to go. It holds credentials: it is neither logged nor kept."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return "<PreparedRequest>"


def build_body(webhook: Webhook, event: WebhookEvent) -> dict[str, Any]:
    """Wire protocol §6, Webhooks: Delivery. The same for every try under the same grant."""
    if webhook.grant is None:
        return _build_handoff_body(webhook, event)
    may_have_all = str(webhook.grant.person_id) in event.private_for
    return {
        "objectId": webhook.object_id,
        "objectType": webhook.object_type,
        "eventType": event.event_type,
        "eventId": str(event.pk),
        "data": {**event.data, **event.private} if may_have_all else event.data,
        "context": webhook.callback_context,
        # What the real server sent as well, and programs keep (ADR 0061)
        "subscriptionId": str(webhook.pk),
        "groupId": str(event.group_id),
        "sourceGroupId": str(event.group_id),
        "isBotfromUser": False,
        **event.sender,
    }


def _build_handoff_body(webhook: Webhook, event: WebhookEvent) -> dict[str, Any]:
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
def prepare_request(webhook: Webhook, event: WebhookEvent, at: dt.datetime) -> PreparedRequest:
    """Return the signed request of one try. `webhook-id` is the event's id: stable across tries.

    Raises crypto.WrongKey when the encryption key of the webhook's token or secret left the ring.
    """
    body = responses.encode(build_body(webhook, event))
    headers = {
        "Content-Type": responses.CONTENT_TYPE,
        **sign(message_id=str(event.pk), at=at, body=body, keys=signing_keys(webhook, at)),
    }
    token = open_token(webhook)
    if token:
        headers[TOKEN_HEADER] = token
    return PreparedRequest(webhook.callback_url, headers, body)


def get_payload(delivery: WebhookDelivery) -> dict[str, Any] | None:
    """What was sent, as a document; None for what was never sent: then it is nothing that the connector may read."""
    if delivery.state != WebhookDelivery.State.DELIVERED and not delivery.attempts.exists():
        return None
    return build_body(delivery.webhook, delivery.event)
