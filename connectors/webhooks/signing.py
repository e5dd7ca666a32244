"""Signing what is sent, in the form of Standard Webhooks 1.0 (https://www.standardwebhooks.com). Pure.

`webhook-signature` holds `v1,<base64>` of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`, one for each
secret, a space between. A secret is shown as `whsec_` and the base64 of its bytes.
"""

from __future__ import annotations

import datetime as dt
import secrets
from base64 import b64encode
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.views.decorators.debug import sensitive_variables
from standardwebhooks import Webhook as Signer

from connectors.models import Webhook
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
