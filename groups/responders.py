"""How the answers of one responder are told from those of another, without telling who the responder is."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from groups.models import Action
from kaizala_console.lib import crypto

_PURPOSE: Final = "anonymous-responder"
_BYTES: Final = 24


def responder_keys(action: Action, person_id: UUID) -> list[str]:
    """What `Response.responder` may be for this person and action, as new answers have it first.

    It is the person's id; for an anonymous action a keyed digest of it, different for each action. Whoever reads the
    table cannot go from there to the person. There are several while an older pepper is in the ring.
    """
    if not action.is_anonymous:
        return [str(person_id)]
    return [
        f"{key_id}:{crypto.hmac_tag(_PURPOSE, action.pk.bytes, person_id.bytes, key_id=key_id)[:_BYTES].hex()}"
        for key_id in crypto.known_key_ids()
    ]
