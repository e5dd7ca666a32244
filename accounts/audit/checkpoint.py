"""The signature on the end of the chain. Its key (`CREDENTIAL_PEPPERS`) is outside of the database."""

from __future__ import annotations

import hmac
from typing import Any, Final

from kaizala_console.lib import crypto

_PURPOSE: Final = "audit-checkpoint"


def sign_checkpoint(checkpoint: Any) -> None:
    """Signs what the checkpoint says, with the newest pepper."""
    checkpoint.key_id = crypto.current_key_id()
    checkpoint.mac = _mac(checkpoint)


def is_checkpoint_signed(checkpoint: Any) -> bool:
    """Returns whether the console has signed what the checkpoint says. Raises `crypto.UnknownKey`."""
    return hmac.compare_digest(_mac(checkpoint), checkpoint.mac)


def _mac(checkpoint: Any) -> str:
    said = (checkpoint.position, checkpoint.hash, checkpoint.broken_at or "")
    return crypto.hmac_tag(_PURPOSE, *map(str, said), key_id=checkpoint.key_id).hex()
