"""Import of an old tenant's message export into the archive. A message is there once, however often its file comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from groups.bulk_files import Reason, Row, message_line
from groups.models import ArchivedMessage
from groups.services.bulk import base
from groups.services.bulk.base import Outcome, get_organisation, read_lines


class Checker(base.Checker):
    def problems(self, rows: list[Row]) -> Iterator[tuple[Row, Reason]]:
        """Lines that are no message: mostly what is left of one that was broken into lines."""
        lines, bad = read_lines(rows, lambda row: message_line(row.cells))
        yield from bad
        for row, line in lines:
            if repeat := self.find_repeat(row, line.message_id, "message_again"):
                yield row, repeat


class Runner(base.Runner):
    def do(self, rows: list[Row]) -> Outcome:
        organisation = get_organisation(self.job)
        lines = [message_line(row.cells) for row in rows]
        known = ArchivedMessage.objects.filter(
            organisation=organisation, message_id__in=[line.message_id for line in lines]
        )
        there = set(known.values_list("message_id", flat=True))
        new = [line for line in lines if line.message_id not in there]
        ArchivedMessage.objects.bulk_create(
            [ArchivedMessage(organisation=organisation, job=self.job, **asdict(line)) for line in new],
            ignore_conflicts=True,  # two imports at once
        )
        return Outcome(counts=(("archived", len(new)), ("unchanged", len(there))))
