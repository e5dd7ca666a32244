"""Writing millions of rows: COPY on PostgreSQL, prepared inserts on SQLite, with a progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, TextIO

from django.db import connection, models, transaction

BATCH = 20_000
BAR = 30


class Progress:
    """A bar on a terminal, a line now and then elsewhere. Goes to standard error: standard output is for results."""

    def __init__(self, title: str, total: int, stream: TextIO | None = None) -> None:
        self.title = title
        self.total = total
        self.done = 0
        self.stream = stream or sys.stderr
        self.began = self.shown = time.monotonic()

    def add(self, number: int) -> None:
        """Counts rows, and shows the bar ten times a second, the line every ten seconds."""
        self.done += number
        now = time.monotonic()
        if self.done >= self.total or now - self.shown > (0.1 if self.stream.isatty() else 10):
            self.shown = now
            self.stream.write(("\r" if self.stream.isatty() else "") + self.line(now - self.began))
            if self.done >= self.total or not self.stream.isatty():
                self.stream.write("\n")
            self.stream.flush()

    def line(self, seconds: float) -> str:
        """`Members     [##########--------------------]  333,000 of 1,000,000   41,000 a second`."""
        full = BAR * self.done // max(self.total, 1)
        pace = self.done / seconds if seconds > 0 else 0
        bar = "#" * full + "-" * (BAR - full)
        return f"{self.title:<12}[{bar}] {self.done:>11,} of {self.total:,}  {pace:>9,.0f} a second"


def write(
    model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]], progress: Progress | None = None
) -> int:
    """Inserts rows of Python values into the table of `model`; `columns` are field names. Returns their number.

    Each batch is a transaction of its own, so that a million rows neither hold a lock for minutes nor fill a log.
    Values go through the fields, as the ORM writes them. Every other column gets its default, the same in all rows.
    """
    others = [
        field
        for field in model._meta.concrete_fields
        if field.name not in columns and not isinstance(field, models.AutoField) and not field.generated
    ]
    defaults = [field.get_default() for field in others]
    fields: list[Any] = [*(model._meta.get_field(name) for name in columns), *others]
    quoted = connection.ops.quote_name
    target = f"{quoted(model._meta.db_table)} ({', '.join(quoted(field.column) for field in fields)})"
    places = ", ".join(["%s"] * len(fields))
    remaining, written = iter(rows), 0
    while batch := list(islice(remaining, BATCH)):
        values = [
            [field.get_db_prep_save(value, connection) for field, value in zip(fields, [*row, *defaults], strict=True)]
            for row in batch
        ]
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                with cursor.copy(f"COPY {target} FROM STDIN") as copy:
                    for row in values:
                        copy.write_row(row)
            else:
                cursor.executemany(f"INSERT INTO {target} VALUES ({places})", values)  # noqa: S608 - our own names
        written += len(batch)
        if progress is not None:
            progress.add(len(batch))
    return written


def settle() -> None:
    """Tells the planner what the tables hold now."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
