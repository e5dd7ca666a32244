"""A form that makes something carries a random key, from which the thing gets its id: a double click makes one."""

from __future__ import annotations

from uuid import UUID

from django.http import QueryDict

from accounts.models import User
from connectors.pages.forms import form_key_of
from kaizala_console.lib import crypto

__all__ = ["form_key_of", "id_for"]


def id_for(user: User, kind: str, data: QueryDict) -> UUID:
    """The id of what this person's form makes: the same when it is sent again, and nobody else's can be guessed."""
    return UUID(bytes=crypto.hmac_tag("made-by-form", kind, str(user.pk), form_key_of(data))[:16], version=4)
