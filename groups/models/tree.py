"""Walking the hierarchy of groups inside the database, by `WITH RECURSIVE` (SQLite and PostgreSQL alike)."""

from __future__ import annotations

from typing import Any, Literal

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, QuerySet, UUIDField
from django.db.models.sql.compiler import SQLCompiler

from groups.models.group_link import GroupLink

Direction = Literal["down", "up"]


def compiled(queryset: QuerySet[Any], connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
    """The SQL and parameters of a query that selects one column, without its ordering."""
    sql, params = queryset.order_by().query.get_compiler(connection=connection).as_sql()
    return sql, tuple(params)


class Reached(Expression):
    """The ids of some groups and of all groups under them ("down"), or above them ("up").

    `roots` is a query that selects group ids; it becomes a part of the statement. `UNION` drops what was met
    before, so that a group under two parents is walked once, and the walk ends whatever the links say.
    """

    output_field: UUIDField = UUIDField()

    def __init__(self, roots: QuerySet[Any], direction: Direction) -> None:
        super().__init__(output_field=UUIDField())
        self.roots = roots
        self.direction = direction

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, tuple[Any, ...]]:
        name = connection.ops.quote_name
        roots, params = compiled(self.roots, connection)
        parent, child = name("parent_id"), name("child_id")
        here, there = (parent, child) if self.direction == "down" else (child, parent)
        table = name(GroupLink._meta.db_table)
        return (
            f"(WITH RECURSIVE reached(id) AS ({roots} UNION SELECT link.{there} FROM {table} link"  # noqa: S608
            f" JOIN reached ON link.{here} = reached.id) SELECT id FROM reached)"
        ), params
