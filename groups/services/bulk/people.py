"""Names and attributes of an organisation's people by file. It adds nobody: who is not theirs is refused, line by line.

An empty cell leaves what is there, "-" deletes it. The trail tells which attributes changed, never what they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, cast
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.audit.events import EventType
from accounts.models import Organisation, Person
from accounts.queries import name_people
from accounts.services import people
from groups.bulk_files import PEOPLE, PEOPLE_REQUIRED, LineRefused, Reason, Row, reason_of, user_line
from groups.models import BulkJob, BulkLine, PersonAttribute, PersonAttributeValue
from groups.queries import directory as directory_queries
from groups.services import directory
from groups.services.bulk.base import Outcome
from groups.services.bulk.mapping import require_organisation_admin
from kaizala_console.lib.errors import RuleBroken

COLUMNS: Final = PEOPLE
REQUIRED: Final = PEOPLE_REQUIRED
NOTHING: Final = "-"


def headers_for(header: Iterable[str], attributes: Iterable[PersonAttribute]) -> dict[str, str]:
    """Which column of a file is which: number, name, and attributes by their ids. Raises RuleBroken (field `file`)
    for a column that is none of them, or is there twice.
    """
    by_name = {attribute.name.lower(): str(attribute.pk) for attribute in attributes}
    by_header = {column.header.lower(): column.key for column in COLUMNS}
    chosen: dict[str, str] = {}
    for name in header:
        if not name:
            continue
        # Attributes before the other names of a column: "Mobile" may be one, beside the number itself.
        key = by_header.get(name.lower()) or by_name.get(name.lower())
        key = key or next((column.key for column in COLUMNS if column.is_called(name)), None)
        if key is None:
            raise _refused(_("“%(name)s” is no attribute of your organisation. Define it first.") % {"name": name[:60]})
        if key in chosen:
            raise _refused(_("The column “%(name)s” is there twice.") % {"name": name[:60]})
        chosen[key] = name
    return chosen


class Checker:
    """Holds the numbers that it has met."""

    def __init__(self, job: BulkJob) -> None:
        self._region, self._organisation = job.region, cast(Organisation, job.organisation)  # bulk_job_has_its_place
        self._met: dict[str, int] = {}
        self.removing = 0  # nobody is: what is noted of them may be

    def problems(self, rows: list[Row]) -> Iterator[tuple[Row, Reason]]:
        """Lines that name no number, one that stands further up, or nobody of the organisation; or say too much."""
        read: list[tuple[Row, str]] = []
        for row in rows:
            try:
                line = user_line({key: row.cells.get(key, "") for key in ("number", "name")}, self._region)
                values_of_line(row)
            except RuleBroken as broken:
                yield row, reason_of(broken)
                continue
            before = self._met.setdefault(line.number, row.line)
            if before != row.line:
                yield row, Reason("number_again", {"line": before})
                continue
            read.append((row, line.number))
        theirs = _theirs(self._organisation, [number for _row, number in read])
        for row, number in read:
            if number not in theirs:
                yield row, _NOBODY


class Runner:
    def __init__(self, job: BulkJob) -> None:
        self._job, self._organisation = job, cast(Organisation, job.organisation)  # bulk_job_has_its_place

    def require_right(self) -> None:
        """Whoever uploaded the file is an admin of the organisation still."""
        require_organisation_admin(self._job)

    def do(self, rows: list[Row]) -> Outcome:
        if not rows:
            return Outcome(0, 0)
        outcome = Outcome(rows[0].line, rows[-1].line, EventType.PEOPLE_UPLOADED)
        lines = [
            (row, user_line({key: row.cells.get(key, "") for key in ("number", "name")}, self._job.region))
            for row in rows
        ]
        theirs = _theirs(self._organisation, [line.number for _row, line in lines])
        outcome.refused = [(row, _NOBODY) for row, line in lines if line.number not in theirs]
        good = [(row, line) for row, line in lines if line.number in theirs]
        names = {theirs[line.number]: line.name for _row, line in good if line.name}
        renamed = self._rename(names)
        changed = self._note({theirs[line.number]: values_of_line(row) for row, line in good})
        touched = {*renamed, *changed}
        outcome.counts = (
            ("updated", len(touched)),
            ("unchanged", len(good) - len(touched)),
        )
        outcome.effects = {"renamed": renamed, "noted": changed} if touched else {}
        return outcome

    def do_later(self, lines: list[BulkLine]) -> Outcome:
        """No line of these files has to wait."""
        return Outcome(lines[0].line, lines[-1].line)

    def _rename(self, names: dict[Person, str]) -> dict[str, list[str]]:
        """Who was called what, of those whom the file gives another name. ADR 0057."""
        taken = {person: name for person, name in names.items() if person.name != name}
        told = {str(person.pk): [person.name, name] for person, name in taken.items()}
        if taken:
            people.rename_many(taken, organisation_id=self._organisation.pk)
        return told

    def _note(self, asked: dict[Person, dict[UUID, str]]) -> dict[str, list[str]]:
        """Whose attributes changed, and which."""
        attributes = {found.pk: found.name for found in directory_queries.attributes_of(self._organisation)}
        here = directory_queries.values_of(asked, directory_queries.attributes_of(self._organisation))
        changes: dict[tuple[UUID, UUID], str] = {}
        told: dict[str, list[str]] = {}
        for person, values in asked.items():
            for key, text in values.items():
                text = "" if text == NOTHING else text
                if key in attributes and here.get(person.pk, {}).get(key, "") != text:
                    changes[person.pk, key] = text
                    told.setdefault(str(person.pk), []).append(attributes[key])
        directory.write_values(changes)
        return told


def values_of_line(row: Row) -> dict[UUID, str]:
    """What a line says of attributes, by their ids; empty cells say nothing. Raises RuleBroken."""
    cells = {key: text for key, text in row.cells.items() if text and key not in ("number", "name")}
    return {UUID(key): _checked(text) for key, text in cells.items()}


def _checked(text: str) -> str:
    try:
        return directory.checked_value(text, field="file")
    except RuleBroken as broken:
        if broken.code == "characters":
            raise LineRefused("value_characters") from None
        raise LineRefused("value_too_long", most=PersonAttributeValue.MAX_TEXT) from None


def _theirs(organisation: Organisation, numbers: list[str]) -> dict[str, Person]:
    found = list(directory_queries.people_of(organisation).filter(number__in=numbers))
    name_people(organisation.pk, found)
    return {person.number: person for person in found}


_NOBODY: Final = Reason("nobody")


def _refused(message: str) -> RuleBroken:
    return RuleBroken(message, field="file", code="unreadable_file")
