"""The page marks of `keyset`: a direction and the key at the edge of a page, signed."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import crypto
from kaizala_console.lib.errors import RuleBroken

_PURPOSE: Final = "keyset-cursor"
_TAG_BYTES: Final = 12
_LONGEST_CURSOR: Final = 4096


class BadCursor(RuleBroken):
    """The cursor was not made here, or for another list or order."""

    default_message = _("This page mark is not valid here. Please start again from the first page, without it.")
    default_code = "bad_cursor"

    def __init__(self) -> None:
        super().__init__(field="cursor")


def encode(label: str, direction: str, key: list[Any], names: Sequence[str]) -> str:
    """The mark of a place in the list that `label` names; `names` are those of the columns of `key`."""
    if any(value is None for value in key):
        nulls = [name for name, value in zip(names, key, strict=True) if value is None]
        raise ValueError(f"a keyset order cannot hold NULL: {', '.join(nulls)}")
    payload = json.dumps([direction, *map(_portable, key)], separators=(",", ":")).encode()
    key_id = crypto.current_key_id()
    return urlsafe_b64encode(_tag(label, payload, key_id) + payload).rstrip(b"=").decode()


def decode(cursor: str, label: str, fields: Sequence[models.Field[Any, Any]]) -> tuple[str, list[Any]]:
    """Return the direction and the key at the edge. Signed, so that only values of ours reach the database.

    Raises BadCursor.
    """
    if len(cursor) > _LONGEST_CURSOR:
        raise BadCursor
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except ValueError:
        raise BadCursor from None
    tag, payload = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
    if not any(crypto.tags_equal(tag, _tag(label, payload, key_id)) for key_id in crypto.known_key_ids()):
        raise BadCursor
    direction, *values = json.loads(payload)
    try:
        return direction, [field.to_python(value) for field, value in zip(fields, values, strict=True)]
    except (ValidationError, ValueError):
        # Signed long ago, for a column whose type has changed since.
        raise BadCursor from None


def _tag(label: str, payload: bytes, key_id: str) -> bytes:
    return crypto.hmac_tag(_PURPOSE, label, payload, key_id=key_id)[:_TAG_BYTES]


def _portable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    if hasattr(value, "isoformat"):  # dates and times
        return value.isoformat()
    return value
