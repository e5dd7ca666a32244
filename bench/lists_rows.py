"""Rows by the hundred thousand, for bench/lists_world.py: one INSERT … SELECT a table, on SQLite and PostgreSQL alike.

Columns that are not named get what the model gives by itself. While rows are made, the database does not check where
they point to, and has no index of parts of names (groups/search_index.py): that one is made afterwards, of all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Sql(str):
    """A piece of SQL, for each number `n`; anything else that a column is given is the same for all rows."""

    __slots__ = ()


class Rows:
    """Writes rows numbered from `begin` to before `end`."""

    def __init__(self) -> None:
        from django.db import connection

        from kaizala_console.lib import clock

        self._connection = connection
        self._sqlite = connection.vendor == "sqlite"
        self._milliseconds = int(clock.now().timestamp() * 1000)

    def key(self, kind: int, number: str = "n") -> Sql:
        """The id of a numbered row of a kind: in order of time, as `lib.ids` makes them."""
        at, rest = f"{self._milliseconds} + {number}", f"70008000{kind:012x}"
        if self._sqlite:
            return Sql(f"(printf('%012x', {at}) || '{rest}')")
        return Sql(f"(lpad(to_hex({at}), 12, '0') || '{rest}')::uuid")

    def text_key(self, kind: int, number: str = "n") -> Sql:
        """The same, as `str` of a UUID."""
        key = self.key(kind, number)
        if not self._sqlite:
            return Sql(f"({key})::text")
        pieces = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        return Sql(" || '-' || ".join(f"substr({key}, {begin}, {length})" for begin, length in pieces))

    def padded(self, number: str, width: int) -> Sql:
        """A number with zeros in front."""
        return Sql(f"printf('%0{width}d', {number})" if self._sqlite else f"lpad(({number})::text, {width}, '0')")

    def moment(self, start: dt.datetime, seconds: str) -> Sql:
        """So many seconds after `start`."""
        at = start.astimezone(dt.UTC).replace(tzinfo=None).isoformat(" ", "milliseconds")
        if self._sqlite:
            return Sql(f"strftime('%Y-%m-%d %H:%M:%f', '{at}', ({seconds}) || ' seconds')")
        return Sql(f"(timestamptz '{at}Z' + ({seconds}) * interval '1 second')")

    def write(self, model: Any, numbers: range, *, source: str = "series", **columns: Any) -> None:
        """One row for each number `n`; of `source`, what stands after FROM, one for each of its rows."""
        if not numbers:
            return
        quote, blank = self._connection.ops.quote_name, model()
        names, values, params = [], [], []
        for field in model._meta.concrete_fields:
            given = columns.pop(field.name) if field.name in columns else getattr(blank, field.attname)
            if given is None and field.primary_key:
                continue  # the database numbers them
            names.append(quote(field.column))
            if isinstance(given, Sql):
                values.append(given.replace("%", "%%"))
                continue
            values.append("%s" if self._sqlite else f"CAST(%s AS {field.db_type(self._connection)})")
            params.append(field.get_db_prep_save(getattr(given, "pk", given), self._connection))
        if columns:
            raise TypeError(f"{model.__name__} has no {', '.join(columns)}.")
        if self._sqlite:
            series = f"SELECT {numbers.start} UNION ALL SELECT n + 1 FROM series WHERE n < {numbers.stop - 1}"
        else:
            series = f"SELECT * FROM generate_series({numbers.start}::bigint, {numbers.stop - 1})"
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"WITH RECURSIVE series(n) AS ({series}) INSERT INTO {quote(model._meta.db_table)} "
                f"({', '.join(names)}) SELECT {', '.join(values)} FROM {source.replace('%', '%%')}",
                params,
            )

    @contextmanager
    def quickly(self) -> Iterator[None]:
        """Nothing that is written is checked, or kept from a crash; the indexes of parts of names come afterwards."""
        from groups import search_index

        before, after = (_QUICK_SQLITE, _SLOW_SQLITE) if self._sqlite else (_QUICK_POSTGRESQL, _SLOW_POSTGRESQL)
        search_index.drop(self._connection)
        self._run(*before)
        try:
            yield
        finally:
            self._run(*after)
        search_index.make(self._connection)
        self._run("ANALYZE" if self._sqlite else "VACUUM ANALYZE")

    def _run(self, *statements: str) -> None:
        with self._connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


_QUICK_SQLITE = ("PRAGMA foreign_keys = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -1000000")
_SLOW_SQLITE = ("PRAGMA foreign_keys = ON", "PRAGMA synchronous = NORMAL", "PRAGMA cache_size = -2000")
# Who writes is the owner of the database and perhaps nothing more: what takes a superuser is left out then.
_ROLE = """
SELECT set_config('session_replication_role', '{}', false) FROM pg_user WHERE usename = current_user AND usesuper"""
_QUICK_POSTGRESQL = ("SET synchronous_commit = off", "SET maintenance_work_mem = '512MB'", _ROLE.format("replica"))
_SLOW_POSTGRESQL = ("RESET synchronous_commit", _ROLE.format("origin"))
