"""Answers: strict JSON with exactly the protocol's spellings (wire protocol §2), and the shapes that describe them.

An operation declares a shape (``response=GroupList``). The OpenAPI document is made from it, and in tests every answer
is checked against it (`kaizala_console/tests/plugin.py`). In production functions return plain dicts.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

CONTENT_TYPE: Final = "application/json; charset=utf-8"


def _without_defaults(schema: dict[str, Any]) -> None:
    """What a field is when it is absent is nothing that a client is told: it is absent."""
    for described in schema.get("properties", {}).values():
        described.pop("default", None)


class Answer(BaseModel):
    """The shape of an answer, and of the objects inside it. Names are camel-cased; ``Field(alias=…)`` for others.

    A field with a default may be absent; null only where its type says so. Nothing undeclared may be in it, and nothing
    is converted: a number is no text.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, alias_generator=to_camel, json_schema_extra=_without_defaults
    )


EpochMs = Annotated[int, Field(json_schema_extra={"format": "int64"})]
"""Milliseconds since 1970."""

Scopes = Annotated[str, Field(description="Scopes, separated by commas.")]


class NoAnswer(Answer):
    """An empty object."""


def _default(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    # Datetimes on purpose not: the protocol has two spellings, and the endpoint knows which.
    raise TypeError(f"{type(value).__name__} has no spelling on the wire")


# Built once: json.dumps with options builds an encoder at every call.
_encoder: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_default)


def encode(value: Any) -> bytes:
    """Return ``value`` as JSON in UTF-8. Raises TypeError or ValueError for what JSON cannot say."""
    return _encoder.encode(value).encode()
