"""Counting which old habits a connector's program shows, for its owner's report. Part of what `usage` writes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

from connectors.models import CompatibilityQuirkDay, Connector
from kaizala_console.api.compatibility import CompatibilityQuirk
from kaizala_console.lib.upsert import Upsert


class QuirkKey(NamedTuple):
    """What is counted: a habit of a connector's program, on one day (UTC)."""

    connector_id: UUID
    habit: CompatibilityQuirk
    day: dt.date


class QuirkCount(NamedTuple):
    """How often, when last, and in which operation."""

    times: int
    at: dt.datetime
    example: str


def merge(old: QuirkCount, new: QuirkCount) -> QuirkCount:
    """Two facts about one habit."""
    later = new if new.at >= old.at else old
    return QuirkCount(old.times + new.times, later.at, later.example)


def write(facts: Mapping[QuirkKey, QuirkCount]) -> None:
    """Add to the rows that are there, and make the others; in one order, so that two writers never wait for each other.

    What belongs to no connector any more is dropped.
    """
    if not facts:
        return
    wanted = {key.connector_id for key in facts}
    there = set(Connector.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    ordered = sorted(facts.items(), key=lambda item: (item[0].connector_id.bytes, item[0].habit, item[0].day))
    _UPSERT.write([(*key, value.times, value.at, value.example) for key, value in ordered if key.connector_id in there])


_UPSERT: Final = Upsert(
    CompatibilityQuirkDay, ("connector", "habit", "day"), adds=("times",), latest=("seen_at", "example"), by="seen_at"
)
