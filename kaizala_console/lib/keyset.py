"""Pagination by key: page ten thousand costs what page one costs.

A cursor holds the sort key of the row at the edge of a page and the direction to go on from there, so pages
neither skip nor repeat rows when others are inserted or deleted in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import BooleanField, F, Func, OrderBy, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.constants import LOOKUP_SEP
from django.db.models.functions import Coalesce

from kaizala_console.lib.keyset_cursors import BadCursor as BadCursor
from kaizala_console.lib.keyset_cursors import decode, encode

_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
# Where to go on from the edge: behind it or before it, with the row at the edge itself (lower case) or without.
_AFTER, _BEFORE, _FROM, _UNTIL = "A", "B", "a", "b"

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in order, and the cursors of the pages around them; None where nothing is."""

    items: list[Row]
    next_cursor: str | None
    previous_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Column:
    path: str
    descending: bool
    field: models.Field[Any, Any]


def page(
    queryset: QuerySet[Any, Row],
    order: Sequence[str],
    cursor: str | None,
    size: int,
    *,
    within: tuple[str, QuerySet[Any, Any]] | None = None,
    keys_first: bool = False,
) -> Page[Row]:
    """Return ``size`` rows of ``queryset`` in ``order``, going on from ``cursor`` (None or "" is the first page).

    ``order`` names fields, annotations or paths (``("-sent_at", "-id")``). Its last column must be unique and
    none may hold NULL, else rows would be lost: the first is checked, the second is the model's promise. An
    index on the same columns serves every page. Works on instances and on ``values()``. ``within`` is as in
    ``nearest``, and takes a statement more. So does ``keys_first``, for rows with many joins: the database then finds
    them before it makes any.

    Raises BadCursor; ValueError for an order or a size that can never work.
    """
    return _paged([queryset], order, cursor, size, within, keys_first=keys_first)


def nearest(
    queryset: QuerySet[Any, Row], order: Sequence[str], size: int, within: tuple[str, QuerySet[Any, Any]]
) -> QuerySet[Any, Row]:
    """The rows of these owners, without most of those that cannot be among the first ``size``.

    ``within`` is a path and whom it may lead to: for rows that have an index by owner and ``order``, where those of
    several owners are asked for together. Else the database sorts all that they have; so it looks at ``size`` of each.
    """
    return _nearest(queryset, _columns(queryset, order), size, within, backwards=False)


def _nearest(
    queryset: QuerySet[Any, Any],
    columns: list[_Column],
    size: int,
    within: tuple[str, QuerySet[Any, Any]],
    *,
    backwards: bool,
) -> QuerySet[Any, Any]:
    path, owners = within
    ordering = [_ordering(column, backwards) for column in columns]
    first, descending = columns[0].path, columns[0].descending != backwards
    is_moment = isinstance(columns[0].field, models.DateTimeField)
    if not is_moment:
        raise ValueError("rows of several owners are ordered by a moment")
    # The last of the first so many of one owner: that owner alone has enough up to there, whatever the others have.
    own = queryset.select_related(None).filter(**{path: OuterRef("pk")}).order_by(*ordering).values(first)
    bounds = owners.annotate(bound=Subquery(own[size - 1 : size]))
    bounds = bounds.order_by(OrderBy(F("bound"), descending=descending, nulls_last=True)).values("bound")
    bound = Coalesce(Subquery(bounds[:1]), Value(_FIRST if descending else _LAST, output_field=models.DateTimeField()))
    within_reach = {f"{path}__in": owners.order_by().values("pk"), f"{first}__{'gte' if descending else 'lte'}": bound}
    return queryset.filter(**within_reach)


def merged(querysets: Sequence[QuerySet[Any, Any]], order: Sequence[str], cursor: str | None, size: int) -> Page[Any]:
    """Return one page of the rows of several tables in one ``order``, which has one direction; see ``page``.

    One query a table. The last column is unique over all of them, as ids that are made at random are. Or of one table
    that is asked for in parts, of which no two have a row in common, where ``order`` holds no text: the mark of a page
    is that of ``page`` then, and stays good when parts are added.
    """
    if len({name.startswith("-") for name in order}) != 1:
        raise ValueError("a merged order has one direction")
    return _paged(querysets, order, cursor, size)


def in_turn(
    rows: QuerySet[Any, Row],
    turns: Sequence[Callable[[], Sequence[QuerySet[Any, Row]]]],
    order: Sequence[str],
    cursor: str | None,
    size: int,
) -> Page[Row]:
    """Return one page of rows of one table of which some stand before all others; see ``page``.

    A turn has parts, each with an index for ``order``; no row is in two. It is asked for them when the page comes to
    it, and not before. ``rows`` are all rows, with what ``order`` names: the database says how texts are sorted.
    """
    columns, label = _columns(rows, order), f"{rows.model._meta.label}:{','.join(order)}:"
    at, direction, edge = _turn_of(cursor, label, len(turns), columns)
    backwards = direction in (_BEFORE, _UNTIL)
    found: list[tuple[int, Any]] = []
    for turn in range(at, -1, -1) if backwards else range(at, len(turns)):
        beyond = edge if turn == at else None
        some = _rows(turns[turn](), order, direction, beyond, size + 1 - len(found), sorter=rows, backwards=backwards)
        found += [(turn, row) for row in some]
        if len(found) > size:
            break
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    if not found:
        return _nothing_left(cursor, f"{label}{at}", direction, edge, columns)
    has_next, has_previous = (edge is not None, more) if backwards else (more, edge is not None)
    (first_turn, first), (last_turn, last) = found[0], found[-1]
    return Page(
        items=[row for _turn, row in found],
        next_cursor=_mark(f"{label}{last_turn}", _AFTER, last, columns) if has_next else None,
        previous_cursor=_mark(f"{label}{first_turn}", _BEFORE, first, columns) if has_previous else None,
    )


def _turn_of(cursor: str | None, label: str, turns: int, columns: list[_Column]) -> tuple[int, str, list[Any] | None]:
    """Where to go on from: in which turn, in which direction, from which edge."""
    if not cursor:
        return 0, _AFTER, None
    for turn in range(turns):
        try:
            return turn, *decode(cursor, f"{label}{turn}", [column.field for column in columns])
        except BadCursor:
            continue
    raise BadCursor


def _paged(
    querysets: Sequence[QuerySet[Any, Any]],
    order: Sequence[str],
    cursor: str | None,
    size: int,
    within: tuple[str, QuerySet[Any, Any]] | None = None,
    *,
    keys_first: bool = False,
) -> Page[Any]:
    if size < 1:
        raise ValueError("a page has at least one row")
    columns = _columns(querysets[0], order)
    label = f"{'+'.join(dict.fromkeys(each.model._meta.label for each in querysets))}:{','.join(order)}"
    direction, edge = decode(cursor, label, [column.field for column in columns]) if cursor else (_AFTER, None)
    backwards = direction in (_BEFORE, _UNTIL)
    rows = _rows(querysets, order, direction, edge, size + 1, within=within, keys_first=keys_first, backwards=backwards)
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    if not rows:
        return _nothing_left(cursor, label, direction, edge, columns)
    has_next, has_previous = (edge is not None, more) if backwards else (more, edge is not None)
    return Page(
        items=rows,
        next_cursor=_mark(label, _AFTER, rows[-1], columns) if has_next else None,
        previous_cursor=_mark(label, _BEFORE, rows[0], columns) if has_previous else None,
    )


def _rows(
    querysets: Sequence[QuerySet[Any, Any]],
    order: Sequence[str],
    direction: str,
    edge: list[Any] | None,
    most: int,
    *,
    backwards: bool,
    within: tuple[str, QuerySet[Any, Any]] | None = None,
    sorter: QuerySet[Any, Any] | None = None,
    keys_first: bool = False,
) -> list[Any]:
    """The nearest `most` rows beyond the edge; of several parts, `most` of each, in their order all together."""
    rows: list[Any] = []
    for queryset in querysets:
        own = _columns(queryset, order)
        beyond = queryset
        if edge is not None:
            beyond = queryset.filter(_beyond(own, edge, backwards, inclusive=direction in (_FROM, _UNTIL)))
        ordering = [_ordering(column, backwards) for column in own]
        if within is not None or keys_first:
            # Named by key: of a row with many joins, PostgreSQL makes them all before it looks whose it is.
            near = beyond.select_related(None)
            if within is not None:
                near = _nearest(near, own, most, within, backwards=backwards)
            beyond = queryset.filter(pk__in=list(near.order_by(*ordering).values_list("pk", flat=True)[:most]))
        rows += beyond.order_by(*ordering)[:most]
    if len(querysets) == 1:
        return rows
    if sorter is not None:
        ordering = [_ordering(column, backwards) for column in _columns(sorter, order)]
        ordered = sorter.filter(pk__in=[row.pk for row in rows]).order_by(*ordering).values_list("pk", flat=True)
        by_key = {row.pk: row for row in rows}
        rows = [by_key[key] for key in ordered]
    elif querysets:
        rows.sort(key=lambda row: _key(row, own), reverse=own[0].descending != backwards)
    return rows[:most]


def _ordering(column: _Column, backwards: bool) -> OrderBy:
    return OrderBy(F(column.path), descending=column.descending != backwards)


def _mark(label: str, direction: str, row: Any, columns: list[_Column]) -> str:
    return encode(label, direction, _key(row, columns), [column.path for column in columns])


def _nothing_left(
    cursor: str | None, label: str, direction: str, edge: list[Any] | None, columns: list[_Column]
) -> Page[Any]:
    """Everything beyond the edge is gone: offer the way back, which includes the row at the edge."""
    if edge is None:
        return Page([], None, None)
    backwards = direction in (_BEFORE, _UNTIL)
    turn = encode(label, _FROM if backwards else _UNTIL, edge, [column.path for column in columns])
    return Page([], next_cursor=turn if backwards else None, previous_cursor=None if backwards else turn)


# The comparison ------------------------------------------------------------------------------------------------


class _RowComparison(Func):
    """``(a, b) < (x, y)`` in SQL: one index range on SQLite and PostgreSQL, however many ties ``a`` has."""

    conditional = True
    output_field = BooleanField()

    def __init__(self, columns: list[_Column], values: list[Any], operator: str) -> None:
        self.operator = operator
        super().__init__(
            *(F(column.path) for column in columns),
            *(Value(value, output_field=column.field) for column, value in zip(columns, values, strict=True)),
        )

    def as_sql(self, compiler: Any, connection: Any, **_extra: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        compiled = [compiler.compile(expression) for expression in self.source_expressions]
        parts, params = [sql for sql, _ in compiled], [param for _, given in compiled for param in given]
        half = len(parts) // 2
        return f"({', '.join(parts[:half])}) {self.operator} ({', '.join(parts[half:])})", params


def _beyond(columns: list[_Column], edge: list[Any], backwards: bool, inclusive: bool) -> Q | Func:
    if len({column.descending for column in columns}) == 1:
        operator = "<" if columns[0].descending != backwards else ">"
        return _RowComparison(columns, edge, operator + ("=" if inclusive else ""))
    # Mixed directions: the lexicographic order spelled out, with a bound on the first column for the index.
    condition = Q(*((column.path, value) for column, value in zip(columns, edge, strict=True))) if inclusive else Q()
    for depth in range(len(columns) - 1, -1, -1):
        step = Q((f"{columns[depth].path}__{_towards(columns[depth], backwards)}", edge[depth]))
        for column, value in zip(columns[:depth], edge[:depth], strict=True):
            step &= Q((column.path, value))
        condition |= step
    return Q((f"{columns[0].path}__{_towards(columns[0], backwards)}e", edge[0])) & condition


def _towards(column: _Column, backwards: bool) -> str:
    return "lt" if column.descending != backwards else "gt"


# The columns ---------------------------------------------------------------------------------------------------


def _columns(queryset: QuerySet[Any, Any], order: Sequence[str]) -> list[_Column]:
    if not order:
        raise ValueError("an order names at least one column")
    columns = []
    for name in order:
        path = name.removeprefix("-")
        columns.append(_Column(path, name.startswith("-"), _field(queryset, path)))
    last = columns[-1]
    if LOOKUP_SEP in last.path or not getattr(last.field, "unique", False):
        raise ValueError(f"the last column of a keyset order must be unique, {last.path} is not")
    return columns


def _field(queryset: QuerySet[Any, Any], path: str) -> models.Field[Any, Any]:
    annotation = queryset.query.annotations.get(path)
    if annotation is not None:
        return annotation.output_field
    model: Any = queryset.model
    field: Any = None
    for name in path.split(LOOKUP_SEP):
        try:
            field = model._meta.pk if name == "pk" else model._meta.get_field(name)
        except (FieldDoesNotExist, AttributeError):
            raise ValueError(f"{path} is no column of {queryset.model._meta.label}") from None
        model = field.related_model
    return field


def _key(row: Any, columns: list[_Column]) -> list[Any]:
    return [_value(row, column.path) for column in columns]


def _value(row: Any, path: str) -> Any:
    if isinstance(row, Mapping):
        return row[path]
    for name in path.split(LOOKUP_SEP):
        row = getattr(row, name)
    return row
