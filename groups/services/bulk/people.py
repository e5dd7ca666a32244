"""Names and attributes of an organisation's people by file. It adds nobody: who is not theirs is refused, line by line.

An empty cell leaves what is there, "-" deletes it. The trail tells which attributes changed, never what they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.audit.events import EventType
from accounts.models import Person
from accounts.queries import name_people
from accounts.services import people
from groups.bulk_files import PEOPLE, LineRefused, Reason, Row, UserLine, user_line
from groups.models import BulkJob, PersonAttribute, PersonAttributeValue
from groups.queries import directory as directory_queries
from groups.services import directory
from groups.services.bulk import base
from groups.services.bulk.base import Outcome, get_organisation, read_lines
from kaizala_console.lib.errors import RuleBroken

NOTHING: Final = "-"


def match_headers(header: Iterable[str], attributes: Iterable[PersonAttribute]) -> dict[str, str]:
    """Which column of a file is which: number, name, and attributes by their ids. Raises RuleBroken (field `file`)
    for a column that is none of them, or is there twice.
    """
    by_name = {attribute.name.lower(): str(attribute.pk) for attribute in attributes}
    by_header = {column.header.lower(): column.key for column in PEOPLE}
    chosen: dict[str, str] = {}
    for name in header:
        if not name:
            continue
        # Attributes before the other names of a column: "Mobile" may be one, beside the number itself.
        key = by_header.get(name.lower()) or by_name.get(name.lower())
        key = key or next((column.key for column in PEOPLE if column.is_called(name)), None)
        if key is None:
            raise _refused(
                _("“%(name)s” is not an attribute of your organisation. Add it first.") % {"name": name[:60]}
            )
        if key in chosen:
            raise _refused(_("The column “%(name)s” appears twice.") % {"name": name[:60]})
        chosen[key] = name
    return chosen


class Checker(base.Checker):
    def problems(self, rows: list[Row]) -> Iterator[tuple[Row, Reason]]:
        """Lines that name no number, one that stands further up, or nobody of the organisation; or say too much."""
        lines, bad = read_lines(rows, lambda row: _read(row, self.job))
        yield from bad
        new = []
        for row, (line, _values) in lines:
            if repeat := self.find_repeat(row, line.number, "number_again"):
                yield row, repeat
            else:
                new.append((row, line.number))
        theirs = _find_people(self.job, [number for _row, number in new])
        for row, number in new:
            if number not in theirs:
                yield row, _NOBODY


class Runner(base.Runner):
    def do(self, rows: list[Row]) -> Outcome:
        outcome = Outcome(EventType.PEOPLE_UPLOADED)
        lines = [(row, *_read(row, self.job)) for row in rows]
        theirs = _find_people(self.job, [line.number for _row, line, _values in lines])
        outcome.refused = [(row, _NOBODY) for row, line, _values in lines if line.number not in theirs]
        good = [(line, values) for _row, line, values in lines if line.number in theirs]
        renamed = self._rename({theirs[line.number]: line.name for line, _values in good if line.name})
        changed = self._note({theirs[line.number]: values for line, values in good})
        touched = {*renamed, *changed}
        outcome.counts = (("updated", len(touched)), ("unchanged", len(good) - len(touched)))
        outcome.effects = {"renamed": renamed, "noted": changed} if touched else {}
        return outcome

    def _rename(self, names: dict[Person, str]) -> dict[str, list[str]]:
        """Who was called what, of those whom the file gives another name. ADR 0057."""
        taken = {person: name for person, name in names.items() if person.name != name}
        renamed = {str(person.pk): [person.name, name] for person, name in taken.items()}
        if taken:
            people.rename_many(taken, organisation_id=get_organisation(self.job).pk)
        return renamed

    def _note(self, asked: dict[Person, dict[UUID, str]]) -> dict[str, list[str]]:
        """Whose attributes changed, and which."""
        found = directory_queries.list_attributes(get_organisation(self.job))
        attributes = {attribute.pk: attribute.name for attribute in found}
        here = directory_queries.get_values(asked, directory_queries.list_attributes(get_organisation(self.job)))
        changes: dict[tuple[UUID, UUID], str] = {}
        changed: dict[str, list[str]] = {}
        for person, values in asked.items():
            for key, text in values.items():
                text = "" if text == NOTHING else text
                if key in attributes and here.get(person.pk, {}).get(key, "") != text:
                    changes[person.pk, key] = text
                    changed.setdefault(str(person.pk), []).append(attributes[key])
        directory.write_values(changes)
        return changed


def _read(row: Row, job: BulkJob) -> tuple[UserLine, dict[UUID, str]]:
    """Number and name, and the attributes by their ids; empty cells say nothing. Raises RuleBroken."""
    line = user_line({key: row.cells.get(key, "") for key in ("number", "name")}, job.region)
    cells = {key: text for key, text in row.cells.items() if text and key not in ("number", "name")}
    return line, {UUID(key): _checked(text) for key, text in cells.items()}


def _checked(text: str) -> str:
    try:
        return directory.check_value(text, field="file")
    except RuleBroken as broken:
        if broken.code == "characters":
            raise LineRefused("value_characters") from None
        raise LineRefused("value_too_long", most=PersonAttributeValue.MAX_TEXT) from None


def _find_people(job: BulkJob, numbers: list[str]) -> dict[str, Person]:
    found = list(directory_queries.list_organisation_people(get_organisation(job)).filter(number__in=numbers))
    name_people(get_organisation(job).pk, found)
    return {person.number: person for person in found}


_NOBODY: Final = Reason("nobody")


def _refused(message: str) -> RuleBroken:
    return RuleBroken(message, field="file", code="unreadable_file")
