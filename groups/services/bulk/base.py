"""What came of a chunk of lines: what the run writes down in the chunk's own transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from accounts.audit.events import EventType
from groups.bulk_files import Reason, Row


@dataclass(slots=True)
class Outcome:
    """`effects` say what became of whom, for the audit trail; `later` are lines that have to wait: whom, what for."""

    first: int
    last: int
    tag: EventType | None = None
    counts: tuple[tuple[str, int], ...] = ()
    effects: dict[str, Any] = field(default_factory=dict)
    refused: list[tuple[Row, Reason]] = field(default_factory=list)
    later: list[tuple[Row, UUID, str]] = field(default_factory=list)
