"""`itertools.batched`, which Python has from 3.12 on, and rows that are deleted so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from django.db.models import QuerySet

Item = TypeVar("Item")


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yields lists of up to `size` items."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def delete_in_batches(rows: QuerySet[Any], size: int) -> int:
    """Delete so many rows at a time, each time in a transaction of its own; returns how many."""
    deleted = 0
    while ids := list(rows.order_by().values_list("pk", flat=True)[:size]):
        rows.filter(pk__in=ids).delete()
        deleted += len(ids)
    return deleted
