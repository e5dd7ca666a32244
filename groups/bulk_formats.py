"""Tables as people's spreadsheets write them: read leniently line by line, written so that nothing in them runs.

Pure: knows no model. What is wrong with a whole file is a `RuleBroken` on the field `file`; what is wrong with a line
is the line's own `problem`, and the next line is read all the same. However long the file is, one line is in memory.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, Final

from django.utils.translation import gettext as _

from groups.bulk_reasons import Reason
from kaizala_console.lib.errors import RuleBroken
from kaizala_console.lib.spreadsheets import FORMULA, csv_lines

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
        self._source = _numbered(file, encoding_of(file))
        self._ahead: deque[tuple[int, str]] = deque()
        self._joined, self._shown = joined, shown
        header, self._delimiter = self._header()
        self.header = [clean(name) for name in header]
        self._keys = _keys_chosen(self.header, headers) if headers else _keys_of(header, tuple(columns))
        for any_of in required:
            if not any_of & set(self._keys):
                names = " / ".join(column.header for column in columns if column.key in any_of)
                raise ColumnMissing(
                    _("The first line must name the columns, and “%(names)s” is missing. Begin with the template.")
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


def encoding_of(file: BinaryIO) -> str:
    """How the text in a file is written: UTF-8, UTF-16, else Windows-1252. Leaves the file at its beginning."""
    file.seek(0)
    start = file.read(4096)
    file.seek(0)
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise _refused(_("This is an Excel workbook. In Excel, choose “Save As” and then “CSV UTF-8”."))
    for mark, encoding in _BOMS:
        if start.startswith(mark):
            return encoding
    zeros = start.count(0)
    if zeros > len(start) // 4:
        return "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
    if zeros:
        raise _refused(_("This is not a text file. Save the table as “CSV UTF-8”."))
    encoding = "utf-8" if _decodes(file, "utf-8") else "cp1252"
    if encoding == "cp1252" and not _decodes(file, "cp1252"):
        raise _refused(_("The letters in this file cannot be read. Save the table as “CSV UTF-8”."))
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


def _refused(message: str) -> RuleBroken:
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


def _keys_of(header: list[str], columns: tuple[Column, ...]) -> list[str]:
    """What each cell of a line is, by its place; "" for columns that nobody asked for."""
    keys: list[str] = []
    for name in header:
        key = next((column.key for column in columns if column.is_called(clean(name))), "")
        if key and key in keys:
            raise _refused(_("The column “%(name)s” is there twice.") % {"name": clean(name)[:60]})
        keys.append(key)
    return keys


def _keys_chosen(header: list[str], headers: Mapping[str, str]) -> list[str]:
    by_header = {name: key for key, name in headers.items()}
    return [by_header.get(name, "") for name in header]


def _plain(header: str) -> str:
    return re.sub(r"[\W_]+", "", header.lower())
