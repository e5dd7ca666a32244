"""Pagination by key: page ten thousand costs what page one costs.

A cursor holds the sort key of the row at the edge of a page and the direction to go on from there, so pages
neither skip nor repeat rows when others are inserted or deleted in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.db import models
from django.db.models import F, OrderBy, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from kaizala_console.lib.keyset_columns import Column, RowComparison, beyond, columns_of, key_of, ordering_of
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
    return _nearest(queryset, columns_of(queryset, order), size, within, backwards=False)


def _nearest(
    queryset: QuerySet[Any, Any],
    columns: list[Column],
    size: int,
    within: tuple[str, QuerySet[Any, Any]],
    *,
    backwards: bool,
) -> QuerySet[Any, Any]:
    path, owners = within
    ordering = [ordering_of(column, backwards) for column in columns]
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
    columns, label = columns_of(rows, order), f"{rows.model._meta.label}:{','.join(order)}:"
    at, direction, edge = _turn_of(cursor, label, len(turns), columns)
    backwards = direction in (_BEFORE, _UNTIL)
    found: list[tuple[int, Any]] = []
    for turn in range(at, -1, -1) if backwards else range(at, len(turns)):
        edge_here = edge if turn == at else None
        some = _rows(
            turns[turn](), order, direction, edge_here, size + 1 - len(found), sorter=rows, backwards=backwards
        )
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


def near_page(
    queryset: QuerySet[Any, Row],
    order: Sequence[str],
    cursor: str | None,
    size: int,
    *,
    along: QuerySet[Any, Any],
    reach: int,
) -> Page[Row] | None:
    """Return the page that ``page`` gives, if ``reach`` rows of ``along`` are enough to fill it, or are all there are.

    For rows that may be spread evenly among those of a table with an index for ``order``, or stand all at its end: so
    the first is tried, before they are sorted. ``order`` has one direction. One statement more than ``page``.
    """
    columns = columns_of(queryset, order)
    direction, edge = decode(cursor, _label([queryset], order), _fields(columns)) if cursor else (_AFTER, None)
    backwards = direction in (_BEFORE, _UNTIL)
    passed = along.filter(beyond(columns, edge, backwards, inclusive=True)) if edge is not None else along
    names = [column.path for column in columns]
    stop = list(passed.order_by(*(ordering_of(each, backwards) for each in columns)).values_list(*names)[reach:][:1])
    if not stop:
        return page(queryset, order, cursor, size)
    operator = ">" if columns[0].descending != backwards else "<"
    found = page(queryset.filter(RowComparison(columns, list(stop[0]), operator)), order, cursor, size)
    return found if (found.previous_cursor if backwards else found.next_cursor) is not None else None


def _turn_of(cursor: str | None, label: str, turns: int, columns: list[Column]) -> tuple[int, str, list[Any] | None]:
    """Where to go on from: in which turn, in which direction, from which edge."""
    if not cursor:
        return 0, _AFTER, None
    for turn in range(turns):
        try:
            return turn, *decode(cursor, f"{label}{turn}", _fields(columns))
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
    columns = columns_of(querysets[0], order)
    label = _label(querysets, order)
    direction, edge = decode(cursor, label, _fields(columns)) if cursor else (_AFTER, None)
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
        own = columns_of(queryset, order)
        there = queryset
        if edge is not None:
            there = queryset.filter(beyond(own, edge, backwards, inclusive=direction in (_FROM, _UNTIL)))
        ordering = [ordering_of(column, backwards) for column in own]
        if within is not None or keys_first:
            # Named by key: of a row with many joins, PostgreSQL makes them all before it looks whose it is.
            near = there.select_related(None)
            if within is not None:
                near = _nearest(near, own, most, within, backwards=backwards)
            there = queryset.filter(pk__in=list(near.order_by(*ordering).values_list("pk", flat=True)[:most]))
        rows += there.order_by(*ordering)[:most]
    if len(querysets) == 1:
        return rows
    if sorter is not None:
        ordering = [ordering_of(column, backwards) for column in columns_of(sorter, order)]
        ordered = sorter.filter(pk__in=[row.pk for row in rows]).order_by(*ordering).values_list("pk", flat=True)
        by_key = {row.pk: row for row in rows}
        rows = [by_key[key] for key in ordered]
    elif querysets:
        rows.sort(key=lambda row: key_of(row, own), reverse=own[0].descending != backwards)
    return rows[:most]


def _label(querysets: Sequence[QuerySet[Any, Any]], order: Sequence[str]) -> str:
    return f"{'+'.join(dict.fromkeys(each.model._meta.label for each in querysets))}:{','.join(order)}"


def _fields(columns: list[Column]) -> list[models.Field[Any, Any]]:
    return [column.field for column in columns]


def _mark(label: str, direction: str, row: Any, columns: list[Column]) -> str:
    return encode(label, direction, key_of(row, columns), [column.path for column in columns])


def _nothing_left(
    cursor: str | None, label: str, direction: str, edge: list[Any] | None, columns: list[Column]
) -> Page[Any]:
    """Everything beyond the edge is gone: offer the way back, which includes the row at the edge."""
    if edge is None:
        return Page([], None, None)
    backwards = direction in (_BEFORE, _UNTIL)
    turn = encode(label, _FROM if backwards else _UNTIL, edge, [column.path for column in columns])
    return Page([], next_cursor=turn if backwards else None, previous_cursor=None if backwards else turn)
