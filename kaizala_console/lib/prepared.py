"""A query that is put together once, and then only run (ADR 0079).

Django writes the SQL of a query anew at every call, which takes several times as long as PostgreSQL needs to answer by
an index. Here a QuerySet is compiled at its first use; on PostgreSQL it runs as a prepared statement.

    _TOKEN = Prepared(
        lambda public_part: RefreshToken.objects.select_related("grant").filter(public_part=public_part),
        public_part=models.CharField(),
    )
    token = _TOKEN.first(public_part="4pQ1…")

Every run asks the database, so what it gives is as fresh as that of the QuerySet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Expression
from django.db.models.query import get_related_populators

T = TypeVar("T")


class Parameter(Expression):
    """Stands in a QuerySet for a value that is given at each run."""

    def __init__(self, name: str, field: models.Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [self]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """The SQL, the values that never change with places for those that do, and what makes results of rows."""

    sql: str
    values: tuple[Any, ...]
    places: tuple[tuple[int, Parameter], ...]
    read: Callable[[list[tuple[Any, ...]]], list[Any]]


class Prepared(Generic[T]):
    """`build` makes the QuerySet from one `Parameter` for each field, which says how its value is adapted.

    Results are what the QuerySet gives: instances, with whatever it selects and annotates, or tuples of `values_list`.
    """

    def __init__(self, build: Callable[..., models.QuerySet[Any, T]], **fields: models.Field[Any, Any]) -> None:
        self._build = build
        self._fields = fields
        self._compiled: _Compiled | None = None

    def first(self, **values: Any) -> T | None:
        """The first result, None when there is none; the QuerySet itself limits what is read."""
        found = self.all(**values)
        return found[0] if found else None

    def all(self, **values: Any) -> list[T]:
        """All results, by one statement."""
        connection = connections[DEFAULT_DB_ALIAS]
        compiled = self._compiled
        if compiled is None:
            compiled = self._compiled = self._compile(connection)
        parameters = list(compiled.values)
        for place, parameter in compiled.places:
            parameters[place] = parameter.output_field.get_db_prep_value(values[parameter.name], connection)
        return compiled.read(_run(connection, compiled.sql, parameters))

    def queryset(self, **values: Any) -> models.QuerySet[Any, T]:
        """The QuerySet with these values, to be narrowed further: it is put together anew."""
        return self._build(**values)

    def _compile(self, connection: BaseDatabaseWrapper) -> _Compiled:
        queryset = self._build(**{name: Parameter(name, field) for name, field in self._fields.items()})
        compiler = queryset.query.get_compiler(connection=connection)
        sql, values = compiler.as_sql()
        places = tuple((place, value) for place, value in enumerate(values) if isinstance(value, Parameter))
        return _Compiled(sql, tuple(values), places, _reader(queryset, compiler))


def _run(connection: BaseDatabaseWrapper, sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    # Whoever counts or logs statements sees these too: by Django's own cursor.
    if connection.vendor != "postgresql" or connection.queries_logged or connection.execute_wrappers:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors:
        prepared = psycopg.Cursor(connection.connection)
        prepared.execute(sql, parameters, prepare=True)
        return prepared.fetchall()


def _reader(queryset: models.QuerySet[Any, Any], compiler: Any) -> Callable[[list[Any]], list[Any]]:
    """As Django's `ModelIterable` and `ValuesListIterable` do it, looking up once what they look up at each call."""
    converters = compiler.get_converters([column for column, _sql, _alias in compiler.select[: compiler.col_count]])

    def convert(rows: list[tuple[Any, ...]]) -> Any:
        return compiler.apply_converters(rows, converters) if converters else rows

    if not queryset.query.default_cols:  # values_list
        return lambda rows: list(map(tuple, convert(rows)))

    klass, alias = compiler.klass_info["model"], queryset.db
    places = compiler.klass_info["select_fields"]
    start, end = places[0], places[-1] + 1
    names = [column.target.attname for column, _sql, _alias in compiler.select[start:end]]
    # The stubs are of Django 6, where it takes one more.
    populators: Any = get_related_populators(compiler.klass_info, compiler.select, alias)  # type: ignore[call-arg]
    annotated = compiler.annotation_col_map.items()

    def read(rows: list[tuple[Any, ...]]) -> list[Any]:
        found = []
        for row in convert(rows):
            instance = klass.from_db(alias, names, row[start:end])
            for populator in populators:
                populator.populate(row, instance)
            for name, place in annotated:
                setattr(instance, name, row[place])
            found.append(instance)
        return found

    return read
