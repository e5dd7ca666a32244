"""A form that makes something carries a random key, from which the thing gets its id: a double click makes one."""

from __future__ import annotations

from uuid import UUID

from django.http import QueryDict

from accounts.models import User
from connectors.views.forms import form_key_of
from kaizala_console.lib import crypto

__all__ = ["form_key_of", "id_for"]

# Another one on each page, and none of what the person asks for.
NOT_TYPED = frozenset({"csrfmiddlewaretoken", "idempotency_key"})


def id_for(user: User, kind: str, data: QueryDict) -> UUID:
    """The id of what this person's form makes: the same when it is sent again as it was, and not to be guessed.

    Whoever goes back, changes a word and sends the form once more asks for something else, and gets it. `kind` says
    what is made, and where.
    """
    typed = [part for name, values in sorted(data.lists()) if name not in NOT_TYPED for part in (name, *values)]
    return UUID(bytes=crypto.hmac_tag("made-by-form", kind, str(user.pk), form_key_of(data), *typed)[:16], version=4)
