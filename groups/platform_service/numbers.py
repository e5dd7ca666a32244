"""Phone numbers in bodies, and how answers name those that were refused: one by one, never dropped silently."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from groups.services.members import Failed
from kaizala_console.api.responses import Answer

MOST = 5000
"""A call adds or removes so many people at most: each of them has a line in the audit trail."""

Numbers = Annotated[list[str], Field(max_length=MOST)]


class FailedNumber(Answer):
    """A number or an id as it was sent, and why it was refused."""

    number: str
    reason: str


def failures(failed: Iterable[Failed]) -> dict[str, Any]:
    """`failed` of an answer; absent when nothing failed."""
    told = [{"number": each.number, "reason": each.reason} for each in failed]
    return {"failed": told} if told else {}
