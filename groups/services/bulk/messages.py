"""Import of an old tenant's message export into the archive. A message is there once, however often its file comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Final, cast
from uuid import UUID

from groups.bulk_files import MESSAGES, MESSAGES_REQUIRED, Reason, Row, message_line, reason_of
from groups.models import ArchivedMessage, BulkJob, BulkLine
from groups.services.bulk.base import Outcome
from groups.services.bulk.mapping import require_organisation_admin
from kaizala_console.lib.errors import RuleBroken

COLUMNS: Final = MESSAGES
REQUIRED: Final = MESSAGES_REQUIRED


class Checker:
    """Holds the message IDs that it has met."""

    def __init__(self, _job: BulkJob) -> None:
        self._met: dict[str, int] = {}
        self.removing = 0  # nothing is taken away by a file of messages

    def problems(self, rows: list[Row]) -> Iterator[tuple[Row, Reason]]:
        """Lines that are no message: mostly what is left of one that was broken into lines."""
        for row in rows:
            try:
                line = message_line(row.cells)
            except RuleBroken as broken:
                yield row, reason_of(broken)
                continue
            before = self._met.setdefault(line.message_id, row.line)
            if before != row.line:
                yield row, Reason("message_again", {"line": before})


class Runner:
    def __init__(self, job: BulkJob) -> None:
        self._job, self._organisation = job, cast(UUID, job.organisation_id)  # bulk_job_has_its_place

    def require_right(self) -> None:
        """Whoever uploaded the file is an admin of the organisation still."""
        require_organisation_admin(self._job)

    def do(self, rows: list[Row]) -> Outcome:
        lines = [message_line(row.cells) for row in rows]
        ids = [line.message_id for line in lines]
        there = set(
            ArchivedMessage.objects.filter(organisation_id=self._organisation, message_id__in=ids).values_list(
                "message_id", flat=True
            )
        )
        new = [line for line in lines if line.message_id not in there]
        ArchivedMessage.objects.bulk_create(
            [ArchivedMessage(organisation_id=self._organisation, job=self._job, **asdict(line)) for line in new],
            ignore_conflicts=True,  # two imports at once
        )
        outcome = Outcome(rows[0].line, rows[-1].line) if rows else Outcome(0, 0)
        outcome.counts = (("archived", len(new)), ("unchanged", len(there)))
        return outcome

    def do_later(self, lines: list[BulkLine]) -> Outcome:
        """No line of these files has to wait."""
        return Outcome(lines[0].line, lines[-1].line)
