"""The columns that `keyset` orders by: what stands beyond an edge, in SQL, and the key of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import BooleanField, F, Func, OrderBy, Q, QuerySet, Value
from django.db.models.constants import LOOKUP_SEP


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an order: a field, an annotation, or a path to a field."""

    path: str
    descending: bool
    field: models.Field[Any, Any]


def ordering_of(column: Column, backwards: bool) -> OrderBy:
    """How to sort by it, on the way forward or back."""
    return OrderBy(F(column.path), descending=column.descending != backwards)


# The comparison ------------------------------------------------------------------------------------------------


class RowComparison(Func):
    """``(a, b) < (x, y)`` in SQL: one index range on SQLite and PostgreSQL, however many ties ``a`` has."""

    conditional = True
    output_field = BooleanField()

    def __init__(self, columns: list[Column], values: list[Any], operator: str) -> None:
        self.operator = operator
        super().__init__(
            *(F(column.path) for column in columns),
            *(Value(value, output_field=column.field) for column, value in zip(columns, values, strict=True)),
        )

    # Wider than Func's on purpose: Django hands over what a template needs, and there is none.
    def as_sql(self, compiler: Any, connection: Any, **_extra: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        compiled = [compiler.compile(expression) for expression in self.source_expressions]
        parts, params = [sql for sql, _ in compiled], [param for _, given in compiled for param in given]
        half = len(parts) // 2
        return f"({', '.join(parts[:half])}) {self.operator} ({', '.join(parts[half:])})", params


def beyond(columns: list[Column], edge: list[Any], backwards: bool, inclusive: bool) -> Q | Func:
    """Whether a row stands beyond the edge in these columns; or at it, when it is inclusive."""
    if len({column.descending for column in columns}) == 1:
        operator = "<" if columns[0].descending != backwards else ">"
        return RowComparison(columns, edge, operator + ("=" if inclusive else ""))
    # Mixed directions: the lexicographic order spelled out, with a bound on the first column for the index.
    condition = Q(*((column.path, value) for column, value in zip(columns, edge, strict=True))) if inclusive else Q()
    for depth in range(len(columns) - 1, -1, -1):
        step = Q((f"{columns[depth].path}__{_towards(columns[depth], backwards)}", edge[depth]))
        for column, value in zip(columns[:depth], edge[:depth], strict=True):
            step &= Q((column.path, value))
        condition |= step
    return Q((f"{columns[0].path}__{_towards(columns[0], backwards)}e", edge[0])) & condition


def _towards(column: Column, backwards: bool) -> str:
    return "lt" if column.descending != backwards else "gt"


# The columns ---------------------------------------------------------------------------------------------------


def columns_of(queryset: QuerySet[Any, Any], order: Sequence[str]) -> list[Column]:
    """The columns that an order names. Raises ValueError for an order that can never work."""
    if not order:
        raise ValueError("an order names at least one column")
    columns = []
    for name in order:
        path = name.removeprefix("-")
        columns.append(Column(path, name.startswith("-"), _field(queryset, path)))
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


def key_of(row: Any, columns: list[Column]) -> list[Any]:
    """What these columns hold, of an instance or of `values()`."""
    return [_value(row, column.path) for column in columns]


def _value(row: Any, path: str) -> Any:
    if isinstance(row, Mapping):
        return row[path]
    for name in path.split(LOOKUP_SEP):
        row = getattr(row, name)
    return row
