"""Shapes of answers: strict JSON with exactly the protocol's spellings (wire protocol §2).

An operation declares one (``response=GroupList``). The OpenAPI document is made from it, and in tests every answer is
checked against it (`kaizala_console/tests/plugin.py`). In production functions return plain dicts: nothing here runs.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

_INT64: Final = {"format": "int64"}


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


EpochMs = Annotated[int, Field(json_schema_extra=_INT64)]
"""Milliseconds since 1970."""

Scopes = Annotated[str, Field(description="Scopes, separated by commas.")]


class NoAnswer(Answer):
    """An empty object."""


def mismatch(content: bytes, shape: type[Answer]) -> str:
    """Tell what of an answer does not fit the shape; "" when it fits exactly.

    Exactly: read into the shape and written again, it is the same. So an id is spelled as ids are, not only readable.
    """
    try:
        read = shape.model_validate_json(content)
    except ValidationError as problem:
        found = problem.errors(include_url=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, error['loc'])) or 'the answer'}: {error['msg']}" for error in found[:5])
    written = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return "" if written == json.loads(content) else f"written again, it is {written}"
