"""The console's mark on every event: a keyed digest of what it tells, made with the event and kept beside it.

So a row that somebody adds, or changes together with its hash, gives itself away, whether or not the console has
chained it since. The event's key and its place are not in it: they are known later. A random part makes each mark the
only one of its kind, so that it serves no second row. Pure: imports no model.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder

from accounts.audit.canonical import FIELDS, spelling
from kaizala_console.lib import crypto

_PURPOSE: Final = "audit-mark"
_GIVEN_LATER: Final = ("id", "position")
_TOLD: Final = tuple(name for name in FIELDS if name not in _GIVEN_LATER)


class NoMark(Exception):
    """The row has no mark of this console's, or one of another row."""


def made_for(told: Mapping[str, Any]) -> str:
    """A new mark for an event that is about to be written; `told` has what is in it (and may have more)."""
    key_id, once = crypto.current_key_id(), secrets.token_urlsafe(12)
    return f"{key_id}.{once}.{_tag(told, key_id, once)}"


def told_by(event: Any) -> dict[str, Any]:
    """What is in the mark of a row."""
    return {name: getattr(event, name) for name in _TOLD}


def check(event: Any) -> None:
    """Raises NoMark unless the event is as the console wrote it, and `crypto.UnknownKey` when nobody can tell."""
    try:
        key_id, once, tag = event.mark.rsplit(".", 2)
    except ValueError:
        raise NoMark from None
    if not hmac.compare_digest(tag.encode(), _tag(told_by(event), key_id, once).encode()):
        raise NoMark


def _tag(told: Mapping[str, Any], key_id: str, once: str) -> str:
    text = json.dumps({name: _told(name, told[name]) for name in _TOLD}, cls=DjangoJSONEncoder)
    # Read and written once more: keys of objects become texts, and what is equal becomes the same.
    same = json.dumps(_plain(json.loads(text)), sort_keys=True)
    return crypto.hmac_tag(_PURPOSE, once, same, key_id=key_id).hex()


def _told(name: str, value: Any) -> Any:
    if name == "client_address" and value:
        return str(ip_address(value))
    return spelling(value)


def _plain(value: Any) -> Any:
    """A database says of 1e16 that it is 10000000000000000, and may say so of 1.0 that it is 1."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
