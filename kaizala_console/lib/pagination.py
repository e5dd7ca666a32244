"""Pages by key: page ten thousand costs what page one costs.

A cursor holds the sort key of the row at the edge of a page and the direction to go on from there, signed. So pages
neither skip nor repeat rows when others are inserted or deleted in between. An index on the columns of the order serves
every page.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any, Final, Generic, TypeVar

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import BooleanField, F, Field, Func, OrderBy, Q, QuerySet, Value
from django.db.models.constants import LOOKUP_SEP
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import crypto
from kaizala_console.lib.errors import RuleBroken

_PURPOSE: Final = "keyset-cursor"
_TAG_BYTES: Final = 12
_LONGEST_CURSOR: Final = 4096
# Where to go on from the edge: behind it or before it, with the row at the edge itself (lower case) or without.
_AFTER, _BEFORE, _FROM, _UNTIL = "A", "B", "a", "b"
_LOOKUPS: Final = {"<": "lt", ">": "gt"}

Row = TypeVar("Row")


class BadCursor(RuleBroken):
    """The cursor was not made here, or for another list or order."""

    default_message = _("This page mark is not valid here. Please start again from the first page, without it.")
    default_code = "bad_cursor"

    def __init__(self) -> None:
        super().__init__(field="cursor")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in order, and the cursors of the pages around them; None where there are no more rows."""

    items: list[Row]
    next_cursor: str | None
    previous_cursor: str | None


def paginate(queryset: QuerySet[Any, Row], order: Sequence[str], cursor: str | None, size: int) -> Page[Row]:
    """Returns `size` rows of `queryset` in `order`, going on from `cursor` (None or "" is the first page).

    `order` names fields, annotations or paths (`("-sent_at", "-id")`). Its last column must be unique and none may hold
    NULL, else rows would be lost: the first is checked, the second is the model's promise.

    Raises BadCursor; ValueError for an order or a size that can never work.
    """
    return paginate_together([queryset], order, cursor, size)


def paginate_together(
    querysets: Sequence[QuerySet[Any, Any]], order: Sequence[str], cursor: str | None, size: int
) -> Page[Any]:
    """Returns one page of the rows of several tables in one order, whose last column is unique over all of them.

    One statement a table.
    """
    if size < 1:
        raise ValueError("a page has at least one row")
    columns = [_column(querysets[0], name) for name in order]
    if not columns or LOOKUP_SEP in columns[-1].path or not getattr(columns[-1].field, "unique", False):
        raise ValueError(f"the last column of an order must be unique: {', '.join(order)}")
    label = f"{'+'.join(each.model._meta.label for each in querysets)}:{','.join(order)}"
    direction, edge = _decoded(cursor, label, columns) if cursor else (_AFTER, None)
    backwards = direction in (_BEFORE, _UNTIL)
    parts = [_nearest(each, columns, direction, edge, size + 1) for each in querysets]
    rows = parts[0] if len(parts) == 1 else _merged(parts, columns, backwards)
    has_more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    if not rows:
        return _nothing_left(label, direction, edge)
    has_next, has_previous = (True, has_more) if backwards else (has_more, edge is not None)
    return Page(
        items=rows,
        next_cursor=_encoded(label, _AFTER, _key(rows[-1], columns)) if has_next else None,
        previous_cursor=_encoded(label, _BEFORE, _key(rows[0], columns)) if has_previous else None,
    )


def _nothing_left(label: str, direction: str, edge: list[Any] | None) -> Page[Any]:
    """Everything beyond the edge is gone: offer the way back, which includes the row at the edge."""
    if edge is None:
        return Page([], None, None)
    if direction in (_BEFORE, _UNTIL):
        return Page([], next_cursor=_encoded(label, _FROM, edge), previous_cursor=None)
    return Page([], next_cursor=None, previous_cursor=_encoded(label, _UNTIL, edge))


# Rows -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Column:
    path: str
    descending: bool
    field: Field[Any, Any]


def _column(queryset: QuerySet[Any, Any], name: str) -> _Column:
    path = name.removeprefix("-")
    annotation = queryset.query.annotations.get(path)
    if annotation is not None:
        return _Column(path, name.startswith("-"), annotation.output_field)
    model: Any = queryset.model
    field: Any = None
    for part in path.split(LOOKUP_SEP):
        try:
            field = model._meta.pk if part == "pk" else model._meta.get_field(part)
        except (FieldDoesNotExist, AttributeError):
            raise ValueError(f"{path} is no column of {queryset.model._meta.label}") from None
        model = field.related_model
    return _Column(path, name.startswith("-"), field)


def _nearest(
    queryset: QuerySet[Any, Any], columns: list[_Column], direction: str, edge: list[Any] | None, most: int
) -> list[Any]:
    """Returns the nearest `most` rows beyond the edge, in the direction of reading."""
    backwards = direction in (_BEFORE, _UNTIL)
    ordering = [OrderBy(F(column.path), descending=column.descending != backwards) for column in columns]
    rows = queryset
    if edge is not None:
        rows = rows.filter(_beyond(columns, edge, backwards, inclusive=direction in (_FROM, _UNTIL)))
    return list(rows.order_by(*ordering)[:most])


def _merged(parts: list[list[Any]], columns: list[_Column], backwards: bool) -> list[Any]:
    if len({column.descending for column in columns}) != 1:
        raise ValueError("several tables are read in one direction")
    rows = [row for part in parts for row in part]
    return sorted(rows, key=lambda row: _key(row, columns), reverse=columns[0].descending != backwards)


class _RowComparison(Func):
    """`(a, b) < (x, y)` in SQL: one range of an index on SQLite and PostgreSQL, however many ties `a` has."""

    conditional = True
    output_field = BooleanField()

    def __init__(self, columns: list[_Column], values: list[Any], operator: str) -> None:
        places = ", ".join(["{}"] * len(columns))
        self._template = f"({places}) {operator} ({places})"
        super().__init__(
            *(F(column.path) for column in columns),
            *(Value(value, output_field=column.field) for column, value in zip(columns, values, strict=True)),
        )

    # Wider than Func's on purpose: Django hands over what a template needs, and there is none.
    def as_sql(self, compiler: Any, connection: Any, **_extra: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        compiled = [compiler.compile(expression) for expression in self.source_expressions]
        return self._template.format(*(sql for sql, _ in compiled)), [each for _, given in compiled for each in given]


def _beyond(columns: list[_Column], edge: list[Any], backwards: bool, inclusive: bool) -> Q | Func:
    towards = ["<" if column.descending != backwards else ">" for column in columns]
    if len(set(towards)) == 1:
        return _RowComparison(columns, edge, towards[0] + ("=" if inclusive else ""))
    # Mixed directions: the lexicographic order spelled out, with a bound on the first column for the index.
    at_edge = [Q((column.path, value)) for column, value in zip(columns, edge, strict=True)]
    condition = reduce(and_, at_edge) if inclusive else Q()
    for depth, (column, value) in enumerate(zip(columns, edge, strict=True)):
        step = Q((f"{column.path}__{_LOOKUPS[towards[depth]]}", value))
        condition |= reduce(and_, at_edge[:depth], step)
    return Q((f"{columns[0].path}__{_LOOKUPS[towards[0]]}e", edge[0])) & condition


def _key(row: Any, columns: list[_Column]) -> list[Any]:
    if isinstance(row, Mapping):
        return [row[column.path] for column in columns]
    return [reduce(getattr, column.path.split(LOOKUP_SEP), row) for column in columns]


# Cursors --------------------------------------------------------------------------------------------------------------


def _encoded(label: str, direction: str, key: list[Any]) -> str:
    if None in key:
        raise ValueError(f"no column of an order may be NULL: {label}")
    payload = json.dumps([direction, *key], separators=(",", ":"), default=_portable).encode()
    return urlsafe_b64encode(_tag(label, payload, crypto.current_key_id()) + payload).rstrip(b"=").decode()


def _decoded(cursor: str, label: str, columns: list[_Column]) -> tuple[str, list[Any]]:
    """Returns the direction and the key at the edge. Signed, so that only values of ours reach the database."""
    if len(cursor) > _LONGEST_CURSOR:
        raise BadCursor
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except ValueError:
        raise BadCursor from None
    tag, payload = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
    if not any(crypto.tags_equal(tag, _tag(label, payload, key_id)) for key_id in crypto.known_key_ids()):
        raise BadCursor
    direction, *values = json.loads(payload)
    try:
        return direction, [column.field.to_python(value) for column, value in zip(columns, values, strict=True)]
    except (ValidationError, ValueError):  # signed long ago, for a column whose type has changed since
        raise BadCursor from None


def _tag(label: str, payload: bytes, key_id: str) -> bytes:
    return crypto.hmac_tag(_PURPOSE, label, payload, key_id=key_id)[:_TAG_BYTES]


def _portable(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
