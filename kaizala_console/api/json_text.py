"""Strict JSON out (wire protocol §2)."""

from __future__ import annotations

import json
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

CONTENT_TYPE: Final = "application/json; charset=utf-8"


def _default(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    # Datetimes on purpose not: the protocol has two spellings, and the door knows which.
    raise TypeError(f"{type(value).__name__} has no spelling on the wire")


# Built once: json.dumps with options builds an encoder at every call.
_encoder: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_default)


def encode(value: Any) -> bytes:
    """Return ``value`` as JSON in UTF-8. Raises TypeError or ValueError for what JSON cannot say."""
    return _encoder.encode(value).encode()
