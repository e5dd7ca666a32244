"""Adding to the rows that are there and making the others, in one statement a row.

The ORM's own upsert can only overwrite. SQLite and PostgreSQL both know the one here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, models


class Upsert:
    """The statement for one table. `key` names the fields of a unique constraint.

    Of a row that is there, `adds` are added up; `latest` are taken over when `by` (one of them) is no earlier than it
    was; `other` stay.
    """

    def __init__(
        self,
        model: type[models.Model],
        key: Sequence[str],
        *,
        adds: Sequence[str],
        other: Sequence[str] = (),
        latest: Sequence[str] = (),
        by: str = "",
    ) -> None:
        fields = {field.name: field for field in model._meta.concrete_fields}
        self._fields = [fields[name] for name in (*key, *other, *adds, *latest)]
        table = model._meta.db_table
        columns = [str(field.column) for field in self._fields]
        newer = f"EXCLUDED.{by} >= {table}.{by}"
        changes = [f"{name} = {table}.{name} + EXCLUDED.{name}" for name in adds]
        changes += [f"{name} = CASE WHEN {newer} THEN EXCLUDED.{name} ELSE {table}.{name} END" for name in latest]
        self._text = (
            f"INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608 - names of our own models, no value
            f" VALUES ({', '.join(['%s'] * len(columns))})"
            f" ON CONFLICT ({', '.join(columns[: len(key)])}) DO UPDATE SET {', '.join(changes)}"
        )

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write rows of Python values, in the order key, other, adds, latest. None of them is no statement."""
        if rows:
            with connection.cursor() as cursor:
                cursor.executemany(self._text, [self._prepared(row) for row in rows])

    def _prepared(self, row: Sequence[Any]) -> list[Any]:
        return [field.get_db_prep_save(value, connection) for field, value in zip(self._fields, row, strict=True)]
