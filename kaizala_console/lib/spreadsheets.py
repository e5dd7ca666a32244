"""CSV files for spreadsheets, in which no cell is taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Final

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

# A spreadsheet takes a cell that begins like this for a formula; the wide forms are what East Asian keyboards write.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(cell: str) -> str:
    """The cell as text in every spreadsheet: an apostrophe precedes what would be a formula, also after spaces."""
    return f"'{cell}" if cell.startswith(FORMULA) or cell.lstrip().startswith(FORMULA) else cell


def csv_response(rows: Iterable[Iterable[object]], file_name: str) -> StreamingHttpResponse:
    """A CSV file to save, written as its rows come."""
    return file_response(csv_lines(rows), file_name, "text/csv; charset=utf-8")


def file_response(content: Iterable[str | bytes], file_name: str, content_type: str) -> StreamingHttpResponse:
    """A file to save, which nothing on its way may keep."""
    headers = {
        "Content-Disposition": content_disposition_header(True, file_name) or "attachment",
        "Cache-Control": "private, no-store",
    }
    return StreamingHttpResponse(content, content_type=content_type, headers=headers)


def csv_lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The lines of a CSV file. Numbers (int) stay as they are; the first line has the mark for UTF-8.

    Every cell is quoted: in a country where `;` separates cells, `z;=1+1` would else be two, the second a formula.
    """
    line = io.StringIO()
    writer = csv.writer(line, quoting=csv.QUOTE_ALL)
    mark = "\ufeff"
    for row in rows:
        writer.writerow([cell if isinstance(cell, int) else harmless(str(cell)) for cell in row])
        yield mark + line.getvalue()
        mark = ""
        line.seek(0)
        line.truncate()
