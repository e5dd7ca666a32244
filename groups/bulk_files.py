"""Files of bulk uploads: tables read leniently line by line, what each line asks for, and why one is refused.

Pure: knows no model. What is wrong with a whole file is a `RuleBroken` on the field `file`; what is wrong with a line
is the line's own `problem`, and the next line is read all the same. However long the file is, one line is in memory.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO, Final, cast
from uuid import UUID

from django.core.files.base import File
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import ids, phone_numbers
from kaizala_console.lib.errors import RuleBroken
from kaizala_console.lib.phone_numbers import PROBLEMS, NumberRefused
from kaizala_console.lib.spreadsheets import FORMULA, csv_lines

# A worker notes codes; readers get the sentence in their own language. The codes are kept in rows: a code never gets
# another meaning, and a sentence never other names in it.
WORDS: Final[dict[str, str | Promise]] = {
    # The line itself
    "line_too_long": _("This line is too long."),
    "quote_open": _("A quotation mark is not closed."),
    "more_cells": _("Too many cells. Put quotation marks around cells that contain a separator."),
    "fewer_cells": _("Too few cells."),
    # Its cells
    **{f"number_{problem}": words for problem, words in PROBLEMS.items()},
    "number_rounded": _("The spreadsheet rounded this number. Format the column as text first."),
    "number_again": _("This number is already in line %(line)d."),
    "name_too_long": _("This name is longer than %(most)d characters."),
    "role_unknown": _("The role is “Admin”, “Member”, or empty."),
    "no_subscribers": _("Only a managed public group has subscribers: here the role is “Admin”, “Member”, or empty."),
    "action_unknown": _("The action is “add”, “remove”, or empty for “add”."),
    "value_too_long": _("This is longer than %(most)d characters."),
    "value_characters": _("A cell holds a character that no text can hold (NUL, or half of a pair)."),
    "nobody": _("No one in your organisation has this number."),
    "group_unnamed": _("The group is missing."),
    "parent_unnamed": _("The parent group is missing."),
    "group_id_unreadable": _("“%(text)s” is not the ID of a group."),
    "group_id_unknown": _("Your organisation has no group with the ID %(id)s."),
    "group_unknown": _("Your organisation has no group called “%(name)s”."),
    "groups_of_one_name": _("%(n)d groups are called “%(name)s”: write the group ID."),
    "circle": _("“%(child)s” stands above “%(parent)s” already: a group cannot be its own sub-group."),
    "too_deep": _("More than %(most)d groups would stand above each other, “%(child)s” under “%(parent)s” among them."),
    "message_without_id": _("The message ID is missing: the line may be part of a message with line breaks."),
    "message_id_too_long": _("This is too long for a message ID."),
    "message_again": _("This message is already in line %(line)d."),
    "time_unreadable": _("The time is written like 2019-03-01T09:30:00Z."),
    # What the run met
    "last_admin": _("The last admin must stay an admin."),
    # Why the whole upload stopped
    "no_group_admin": _("The uploader is no longer an admin of the group."),
    "no_organisation_admin": _("The uploader is no longer an organisation admin."),
    "file_gone": _("The file is no longer stored."),
    "no_lines": _("The file has no lines below the first."),
    "too_many_lines": _("This file has more than %(most)d lines. Split it."),
    "gave_up": _("Internal error. Tell the operator of this console."),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A key of `WORDS`, and what its sentence names: texts and whole numbers."""

    code: str
    params: Mapping[str, str | int] = field(default_factory=dict)

    def __str__(self) -> str:
        """The sentence in the language of whoever reads it now."""
        return format_reason(self.code, self.params)


class LineRefused(RuleBroken):
    """What a line asks for cannot be done; or the file as a whole."""

    def __init__(self, code: str, **params: str | int) -> None:
        self.reason = Reason(code, params)
        super().__init__(str(self.reason), field="file", code=code)


def format_reason(code: str, params: Mapping[str, Any], otherwise: str = "") -> str:
    """The sentence in the active language; `otherwise` for rows without a code, whose sentence was written down, and
    for a code of a later release.
    """
    words = WORDS.get(code)
    return otherwise or code if words is None else str(words) % params if params else str(words)


def get_reason(broken: RuleBroken) -> Reason:
    """Of what a rule has said about a line: its own reason, or that of the telephone number in it."""
    if isinstance(broken, LineRefused):
        return broken.reason
    if isinstance(broken, NumberRefused):
        return Reason(f"number_{broken.problem}")
    raise broken  # a rule that has no code yet: better seen by a test than kept in one language


LONGEST_LINE: Final = 20_000  # characters
SHOWN: Final = 200
MOST_LINES_OF_A_CELL: Final = 50
DELIMITERS: Final = (",", ";", "\t")
_BLOCK: Final = 1 << 20
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# What copying from contacts, web pages and other programs leaves in cells: zero widths, directions, a second BOM. The
# joiners U+200C and U+200D stay: names are spelled with them.
_UNSEEN: Final = dict.fromkeys([*range(0x20), 0x7F, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, 0xFEFF])
_UNSEEN_OR_SPACE: Final = _UNSEEN | dict.fromkeys([0x09, 0x0A, 0x0D, 0xA0], " ")
_AS_FORMULA: Final = re.compile(r'="(.*)"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a template. `others` are further names by which it is known, in lower case."""

    key: str
    header: str
    others: tuple[str, ...] = ()

    def is_called(self, header: str) -> bool:
        return _plain(header) in {_plain(self.header), _plain(self.key), *map(_plain, self.others)}


@dataclass(frozen=True, slots=True)
class Row:
    """A line that is not empty. `line` is its number in the file, from 1; `cells` are by the keys of the columns."""

    line: int
    text: str
    cells: dict[str, str] = field(default_factory=dict)
    problem: Reason | None = None


class ColumnMissing(RuleBroken):
    """The first line is a header, but does not name what is needed."""


class Table:
    """A file of lines under a header.

    Raises RuleBroken (field `file`) when it is no text, ColumnMissing when its first line does not name what `required`
    asks for: one column of each of these sets. `headers` say which column is which, when the first line does not.
    With `joined`, a cell in quotation marks may go on over line ends. `shown` characters of each line become its text.
    """

    def __init__(
        self,
        file: BinaryIO,
        columns: Iterable[Column],
        required: Iterable[frozenset[str]],
        *,
        headers: Mapping[str, str] | None = None,
        joined: bool = False,
        shown: int = SHOWN,
    ) -> None:
        self._source = _numbered(file, detect_encoding(file))
        self._ahead: deque[tuple[int, str]] = deque()
        self._joined, self._shown = joined, shown
        header, self._delimiter = self._header()
        self.header = [clean(name) for name in header]
        self._keys = _keys_chosen(self.header, headers) if headers else _match_keys(header, tuple(columns))
        for any_of in required:
            if not any_of & set(self._keys):
                names = " / ".join(column.header for column in columns if column.key in any_of)
                raise ColumnMissing(
                    _("The first line must name the columns; “%(names)s” is missing. Start from the template.")
                    % {"names": names},
                    field="file",
                    code="unreadable_file",
                )

    def _header(self) -> tuple[list[str], str]:
        for _number, line in self._lines():
            if line.strip().lower().startswith("sep="):  # what Excel itself understands
                continue
            if clean(line):
                delimiter = max(DELIMITERS, key=_outside_quotes(line).count)
                try:
                    return _split(line, delimiter), delimiter
                except csv.Error:
                    raise _refused(_("A quotation mark in the first line is not closed.")) from None
        raise _refused(_("This file is empty."))

    def rows(self) -> Iterator[Row]:
        """The lines below the header, but for empty ones."""
        for number, line in self._lines():
            row = self._row(number, line)
            if row is not None:
                yield row

    def _row(self, number: int, line: str) -> Row | None:
        shown = clean(line.replace("\t", "; "))[: self._shown]
        if len(line) > LONGEST_LINE:
            return Row(number, shown, problem=Reason("line_too_long"))
        try:
            cells = [clean(cell) for cell in self._cells(line)]
        except csv.Error:
            return Row(number, shown, problem=Reason("quote_open"))
        if not any(cells):
            return None
        if any(cells[len(self._keys) :]):
            return Row(number, shown, problem=Reason("more_cells"))
        if self._joined and len(cells) < len(self._keys):
            return Row(number, shown, problem=Reason("fewer_cells"))
        return Row(number, shown, {key: cell for key, cell in zip(self._keys, cells, strict=False) if key})

    def _lines(self) -> Iterator[tuple[int, str]]:
        """The lines ahead: first those that were looked at and left."""
        while True:
            found = self._ahead.popleft() if self._ahead else next(self._source, None)
            if found is None:
                return
            yield found

    def _cells(self, line: str) -> list[str]:
        """Raises csv.Error when a quotation mark is not closed, in as many lines as a cell may have."""
        try:
            return _split(line, self._delimiter)
        except csv.Error:
            if not self._joined:
                raise
        met: list[tuple[int, str]] = []
        for following in islice(self._lines(), MOST_LINES_OF_A_CELL):
            met.append(following)
            try:
                cells = _split("".join([line, *(text for _number, text in met)]), self._delimiter)
            except csv.Error:
                continue
            if len(cells) == len(self._keys):
                return cells
            break
        self._ahead.extendleft(reversed(met))  # they may be good ones themselves
        raise csv.Error


def read_header(file: File) -> list[str]:
    """The cells of the first line; the file is at its beginning afterwards."""
    header = Table(cast(BinaryIO, file.file), (), ()).header
    file.seek(0)
    return header


def detect_encoding(file: BinaryIO) -> str:
    """How the text in a file is written: UTF-8, UTF-16, else Windows-1252. Leaves the file at its beginning."""
    file.seek(0)
    start = file.read(4096)
    file.seek(0)
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise _refused(_("This is an Excel workbook. Save it as “CSV UTF-8”."))
    for mark, encoding in _BOMS:
        if start.startswith(mark):
            return encoding
    zeros = start.count(0)
    if zeros > len(start) // 4:
        return "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
    if zeros:
        raise _refused(_("This is not a text file. Save it as “CSV UTF-8”."))
    encoding = "utf-8" if _decodes(file, "utf-8") else "cp1252"
    if encoding == "cp1252" and not _decodes(file, "cp1252"):
        raise _refused(_("The text can’t be read. Save the file as “CSV UTF-8”."))
    return encoding


def clean(cell: str) -> str:
    """A cell without what nobody sees, and without what keeps spreadsheets from calculating with it."""
    cell = cell.translate(_UNSEEN_OR_SPACE).strip()
    as_formula = _AS_FORMULA.fullmatch(cell)
    if as_formula:
        cell = as_formula[1].strip()
    if cell[:1] == "'" and cell[1:].startswith(FORMULA):
        cell = cell[1:].strip()
    return cell


def template(columns: Iterable[Column]) -> str:
    """The file that people fill in: its header."""
    return "".join(csv_lines([[column.header for column in columns]]))


def _refused(message: str | Promise) -> RuleBroken:
    return RuleBroken(message, field="file", code="unreadable_file")


def _decodes(file: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while block := file.read(_BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        file.seek(0)
    return True


def _numbered(file: BinaryIO, encoding: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers, whatever ends them. Of one that never ends, the beginning alone is kept."""
    # newline=None: CRLF, CR and LF alike. Half a character of UTF-16 at the end is no reason to lose the rest.
    text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline=None)
    number = 0
    try:
        while line := text.readline(LONGEST_LINE + 2):
            number += 1
            rest = line
            while not rest.endswith("\n") and len(rest) >= LONGEST_LINE:
                rest = text.readline(LONGEST_LINE + 2)
            yield number, line
    finally:
        if not file.closed:
            text.detach()  # whoever opened the file closes it


def _split(text: str, delimiter: str) -> list[str]:
    """One record; line ends other than \\n were translated before."""
    return next(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True, skipinitialspace=True), [])


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _match_keys(header: list[str], columns: tuple[Column, ...]) -> list[str]:
    """What each cell of a line is, by its place; "" for columns that nobody asked for."""
    keys: list[str] = []
    for name in header:
        key = next((column.key for column in columns if column.is_called(clean(name))), "")
        if key and key in keys:
            raise _refused(_("The column “%(name)s” appears twice.") % {"name": clean(name)[:60]})
        keys.append(key)
    return keys


def _keys_chosen(header: list[str], headers: Mapping[str, str]) -> list[str]:
    by_header = {name: key for key, name in headers.items()}
    return [by_header.get(name, "") for name in header]


def _plain(header: str) -> str:
    return re.sub(r"[\W_]+", "", header.lower())


LONGEST_NAME: Final = 120
LONGEST_ID: Final = 120

USERS: Final = (
    Column("number", "Phone number", ("phone", "mobile", "mobile number", "number", "msisdn", "phone no")),
    Column("name", "Name", ("full name", "user name", "member name")),
    Column("role", "Role", ("member role", "user role")),
    Column("action", "Action"),
)
USERS_REQUIRED: Final = (frozenset({"number"}),)

# Attributes are columns of their own, each organisation's by the names that it gave them.
PEOPLE: Final = USERS[:2]
PEOPLE_REQUIRED: Final = (frozenset({"number"}),)

MAPPING: Final = (
    Column("child_id", "Group ID", ("child group id", "sub-group id")),
    Column("child", "Group name", ("child group name", "group", "child group", "sub-group name", "sub-group")),
    Column("parent_id", "Parent group ID"),
    Column("parent", "Parent group name", ("parent group", "parent name")),
    Column("action", "Action"),
)
MAPPING_REQUIRED: Final = (frozenset({"child_id", "child"}), frozenset({"parent_id", "parent"}))

# What the old portal's export calls them, spelling and all.
MESSAGES: Final = (
    Column("sent_at", "Timestamp", ("time", "sent at", "date")),
    Column("group_name", "Group Name", ("group",)),
    Column("message_id", "MessageID", ("id",)),
    Column("sender", "Sender", ("from", "sent by")),
    Column("message_type", "Message Type", ("type",)),
    Column("attachments", "Attachement stored at:", ("attachment stored at", "attachments", "attachment")),
)
MESSAGES_REQUIRED: Final = (frozenset({"sent_at"}), frozenset({"message_id"}))
COLUMNS_OF: Final = {"users": USERS, "mapping": MAPPING, "messages": MESSAGES, "people": PEOPLE}
SUBSCRIBER: Final = "Subscriber"  # of a managed public group
_ALBUM: Final = " : "  # between the attachments of one message
_ROLES: Final = {
    "admin": "Admin",
    "administrator": "Admin",
    "member": "Member",
    "user": "Member",
    "": "",
    "subscriber": SUBSCRIBER,
}
_REMOVES: Final = {"": False, "add": False, "update": False, "remove": True, "delete": True}
# What spreadsheets make of a long number: 9.1987E+11, and with a decimal comma.
_SCIENTIFIC: Final = re.compile(r"\+?\d+([.,]\d+)?[eE]\+?\d+")
_DECIMAL: Final = re.compile(r"(\+?\d+)[.,]0+")


@dataclass(frozen=True, slots=True)
class UserLine:
    """`role` is the wire's spelling, or "" to leave it as it is; somebody new is then a member. Or `SUBSCRIBER`."""

    number: str
    name: str
    role: str
    removes: bool

    @property
    def is_subscriber(self) -> bool:
        return self.role == SUBSCRIBER


@dataclass(frozen=True, slots=True)
class MappingLine:
    """A group is named by its ID, or else by its name."""

    child: UUID | str
    parent: UUID | str
    removes: bool


@dataclass(frozen=True, slots=True)
class MessageLine:
    """`attachments` are addresses as they stood there, one a line."""

    message_id: str
    sent_at: dt.datetime
    group_name: str
    sender: str
    message_type: str
    attachments: str


def message_line(cells: Mapping[str, str]) -> MessageLine:
    """A message of an old tenant's export."""
    key = cells.get("message_id", "")
    if not key:
        raise LineRefused("message_without_id")
    if len(key) > LONGEST_ID:
        raise LineRefused("message_id_too_long")
    return MessageLine(
        message_id=key,
        sent_at=_moment(cells.get("sent_at", "")),
        group_name=cells.get("group_name", "")[:200],
        sender=cells.get("sender", "")[:200],
        message_type=cells.get("message_type", "")[:60],
        attachments="\n".join(part.strip() for part in cells.get("attachments", "").split(_ALBUM) if part.strip()),
    )


def _moment(text: str) -> dt.datetime:
    """`2019-03-01T09:30:00Z`; without a zone it is UTC."""
    try:
        found = dt.datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise LineRefused("time_unreadable") from None


def user_line(cells: Mapping[str, str], region: str) -> UserLine:
    """What a line of the users template asks for; `region` is where numbers without + are dialled from."""
    name = " ".join(cells.get("name", "").split())
    if len(name) > LONGEST_NAME:
        raise LineRefused("name_too_long", most=LONGEST_NAME)
    role = _ROLES.get(cells.get("role", "").lower())
    if role is None:
        raise LineRefused("role_unknown")
    return UserLine(_number(cells.get("number", ""), region), name, role, _removes(cells))


def mapping_line(cells: Mapping[str, str]) -> MappingLine:
    """What a line of the template for parent groups asks for."""
    removes = _removes(cells)
    child = _named(cells.get("child_id", ""), cells.get("child", ""), "group_unnamed")
    parent = _named(cells.get("parent_id", ""), cells.get("parent", ""), "parent_unnamed")
    return MappingLine(child, parent, removes)


def _number(cell: str, region: str) -> str:
    cell = cell.removeprefix("'")  # which tells a spreadsheet that this is a text
    if _SCIENTIFIC.fullmatch(cell):
        raise LineRefused("number_rounded")
    decimal = _DECIMAL.fullmatch(cell)
    return phone_numbers.parse(decimal[1] if decimal else cell, region or None)


def _removes(cells: Mapping[str, str]) -> bool:
    found = _REMOVES.get(cells.get("action", "").lower())
    if found is None:
        raise LineRefused("action_unknown")
    return found


def _named(group_id: str, name: str, missing: str) -> UUID | str:
    if group_id:
        found = ids.parse_guid(group_id)
        if found is None:
            raise LineRefused("group_id_unreadable", text=group_id[:40])
        return found
    name = " ".join(name.split())
    if not name:
        raise LineRefused(missing)
    return name
