"""Strict JSON out."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from kaizala_console.api.responses import encode
from kaizala_console.api.tests.sample_urls import SendMessage

GUID = UUID("df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62")


def test_ids_and_shapes_have_a_spelling() -> None:
    value = json.loads(encode({"id": GUID, "sent": SendMessage.parse({"message": "x", "name": "Team"})}))
    assert value["id"] == "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62"
    assert value["sent"]["groupName"] == "Team"


def test_json_is_compact_and_in_utf_8() -> None:
    assert encode({"a": [1, "\u0928"], "b": None, "c": True}) == '{"a":[1,"\u0928"],"b":null,"c":true}'.encode()


@pytest.mark.parametrize("value", [datetime(2026, 1, 1, tzinfo=UTC), Decimal("1"), {1, 2}, object(), b"x", 1j])
def test_what_has_no_one_spelling_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        encode({"value": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogates"):
        encode([value])
