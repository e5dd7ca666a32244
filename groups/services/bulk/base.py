"""What all kinds of bulk uploads have in common: how lines are read, checked and done, and what came of a chunk."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from uuid import UUID

from accounts.audit.events import EventType
from accounts.models import Organisation, User
from groups.bulk_files import LineRefused, Reason, Row, get_reason
from groups.models import BulkJob, BulkLine
from kaizala_console.lib.errors import RuleBroken

Line = TypeVar("Line")


@dataclass(slots=True)
class Outcome:
    """`effects` say what became of whom, for the audit trail; `later` are lines that have to wait: whom, what for."""

    event_type: EventType | None = None
    counts: tuple[tuple[str, int], ...] = ()
    effects: dict[str, Any] = field(default_factory=dict)
    refused: list[tuple[Row, Reason]] = field(default_factory=list)
    later: list[tuple[Row, UUID, str]] = field(default_factory=list)


class Checker:
    """Looks at the lines of one file, in their order. `removing` of those that it let pass take something away."""

    def __init__(self, job: BulkJob) -> None:
        self.job = job
        self.removing = 0
        self._met: dict[Hashable, int] = {}

    def problems(self, rows: list[Row]) -> Iterator[tuple[Row, Reason]]:
        """Those of the lines that cannot be done, each with its reason."""
        raise NotImplementedError

    def find_repeat(self, row: Row, key: Hashable, code: str) -> Reason | None:
        """The reason, when a line further up has the same key. Holds all keys: ten megabytes for 100,000 numbers."""
        before = self._met.setdefault(key, row.line)
        return None if before == row.line else Reason(code, {"line": before})


class Runner:
    """Does the lines of one file, in their order, each chunk in a transaction that is not its own."""

    def __init__(self, job: BulkJob) -> None:
        self.job = job

    def require_right(self) -> None:
        """Raises LineRefused when whoever uploaded the file may not do this any more: no admin of the organisation."""
        by = User.objects.get(pk=self.job.by_id)
        if not by.is_active or by.organisation_id != self.job.organisation_id or not by.is_organisation_admin:
            raise LineRefused("no_organisation_admin")

    def do(self, rows: list[Row]) -> Outcome:
        """A chunk of good lines, at least one."""
        raise NotImplementedError

    def do_later(self, lines: list[BulkLine]) -> Outcome:
        """A chunk of lines that had to wait until all others were done; most kinds have none."""
        raise NotImplementedError


def get_organisation(job: BulkJob) -> Organisation:
    """The organisation of a job that is about one (bulk_job_has_its_place)."""
    return cast(Organisation, job.organisation)


def read_lines(rows: list[Row], read: Callable[[Row], Line]) -> tuple[list[tuple[Row, Line]], list[tuple[Row, Reason]]]:
    """What the lines ask for, and those that cannot be read, each with its reason."""
    good, bad = list[tuple[Row, Line]](), list[tuple[Row, Reason]]()
    for row in rows:
        try:
            good.append((row, read(row)))
        except RuleBroken as broken:
            bad.append((row, get_reason(broken)))
    return good, bad
