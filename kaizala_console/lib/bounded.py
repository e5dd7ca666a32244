"""Counts that stop: of a hundred thousand rows, a page says "1,000+", and the database looks at a thousand.

They are counted when they are asked for, so they are right at every moment; and they cost the same however many there
are, when an index gives the rows. Say by `order_by` which: PostgreSQL then goes by that index also where it expects a
table's every row to match.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import models
from django.db.models import QuerySet, Subquery

MOST: Final = 1000


class Bounded(int):
    """How many there are; beyond `MOST` it only says that there are more."""

    __slots__ = ()

    @property
    def is_more(self) -> bool:
        return self > MOST


class _BoundedField(models.IntegerField):
    def from_db_value(self, value: int | None, *_about: Any) -> Bounded | None:
        return None if value is None else Bounded(value)


class BoundedCount(Subquery):
    """How many rows a query for each row has, as `Bounded`. For annotations."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"

    def __init__(self, rows: QuerySet[Any]) -> None:
        super().__init__(rows.values("pk")[: MOST + 1], output_field=_BoundedField())


def count(rows: QuerySet[Any]) -> Bounded:
    """How many rows a query has. One statement."""
    return Bounded(rows.values("pk")[: MOST + 1].count())
