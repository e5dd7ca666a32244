"""Which group stands under which."""

from __future__ import annotations

from typing import Any, Final, Literal

from django.db import connection as default_connection
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, QuerySet, UUIDField
from django.db.models.sql.compiler import SQLCompiler
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import clock


class GroupLink(models.Model):
    """`child` is a sub-group of `parent`. A group may have several parents, but never itself above it."""

    parent = models.ForeignKey(
        "groups.Group",
        verbose_name=_("parent"),
        on_delete=models.CASCADE,
        related_name="child_links",
        db_index=False,  # linked_once begins with it
    )
    child = models.ForeignKey(
        "groups.Group", verbose_name=_("child"), on_delete=models.CASCADE, related_name="parent_links"
    )
    linked_at = models.DateTimeField(_("linked at"), default=clock.now)

    class Meta:
        verbose_name = _("sub-group link")
        verbose_name_plural = _("sub-group links")
        constraints = [
            models.UniqueConstraint(fields=["parent", "child"], name="linked_once"),
            models.CheckConstraint(condition=~models.Q(parent=models.F("child")), name="no_group_under_itself"),
        ]

    def __str__(self) -> str:
        return f"{self.parent_id} › {self.child_id}"


# ----------------------------------------------------------------------------------------------------
# Walking the hierarchy of groups inside the database, by `WITH RECURSIVE` (SQLite and PostgreSQL alike).


Direction = Literal["down", "up"]

# So many groups stand above each other at most, the first and the last counted: nested in JSON (two brackets a level),
# such a hierarchy is no deeper than the 64 that our own reader takes, and .NET's by default (ADR 0050).
MOST_LEVELS: Final = 30


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


def levels(roots: QuerySet[Any], direction: Direction) -> int:
    """How many groups stand under these in the longest line ("down"), or above them ("up"): at most MOST_LEVELS."""
    name = default_connection.ops.quote_name
    sql, params = compiled(roots, default_connection)
    here, there = ("parent_id", "child_id") if direction == "down" else ("child_id", "parent_id")
    with default_connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE roots(id) AS ({sql}), line(id, level) AS (SELECT id, 0 FROM roots UNION"  # noqa: S608 - our own SQL
            f" SELECT link.{name(there)}, line.level + 1 FROM {name(GroupLink._meta.db_table)} link"
            f" JOIN line ON link.{name(here)} = line.id WHERE line.level < {MOST_LEVELS})"
            " SELECT MAX(level) FROM line",
            params,
        )
        deepest: int | None = cursor.fetchone()[0]
    return deepest or 0
