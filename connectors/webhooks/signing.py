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

from django.views.decorators.debug import sensitive_variables
from standardwebhooks import Webhook

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32  # the standard asks for 24 to 64


def new_secret() -> bytes:
    """The bytes of a new secret."""
    return secrets.token_bytes(SECRET_BYTES)


@sensitive_variables("secret")
def shown(secret: bytes) -> str:
    """A secret as people copy it into their program."""
    return PREFIX + b64encode(secret).decode()


@sensitive_variables("keys", "key")
def headers(*, message_id: str, at: dt.datetime, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The three headers; each of the `keys` gives one signature."""
    signatures = [Webhook(key).sign(message_id, at.astimezone(dt.UTC), body.decode()) for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
