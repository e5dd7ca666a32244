"""What an operator searches for, found among all rows of a table, where an index knows it.

That are keys and other columns with an index, as a whole; names, for which an app has said how they are found; and the
rows that belong to what was found so. What no index knows is looked for by Django among the rows of a stretch:
`operators.long_lists`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest
from django.utils import timezone

from kaizala_console.lib import bounded, name_parts, phone_numbers
from kaizala_console.lib.errors import RuleBroken

Keys = list[Any]
_LEFT_OUT: Final = "operators.left_out"
_DAY: Final = re.compile(r"2\d{3}-\d{2}-\d{2}", re.ASCII)
NEWEST: Final = 20_000
_parts: dict[tuple[type[models.Model], str], Callable[[str], Keys | None]] = {}


def parts_are_found_by(
    model: type[models.Model], column: str, find: Callable[[str], Keys | None] | None = None
) -> None:
    """Says how a text of this model is found by any part of it: the keys, or None when they are too many, or nobody
    knows. By default, an index of the parts of the column is asked.
    """
    _parts[model, column] = find or (lambda words: _with_part(model, column, words))


def parts_are_found_among_the_newest(model: type[models.Model], column: str) -> None:
    """For a text that no index knows: `NEWEST` rows are read for it."""
    rows: QuerySet[Any] = QuerySet(model)
    newest = rows.order_by("-pk").values("pk")[:NEWEST]

    def find(words: str) -> Keys | None:
        some = rows.filter(pk__in=newest, **{f"{column}__icontains": words}).order_by()
        return list(some.values_list("pk", flat=True)[: bounded.MOST + 1]) or None

    _parts[model, column] = find


@dataclass(frozen=True, slots=True)
class Found:
    """The keys of the rows that an index found, `bounded.MOST` at the most; and whether there are more.

    `nowhere` are the paths of which an index says that no row has the words there.
    """

    keys: Keys
    more: bool
    nowhere: frozenset[str] = frozenset()


def found(admin: ModelAdmin[Any], words: str) -> Found:
    """What an index finds of these words; no keys when it finds nothing."""
    words = words.replace("\0", "").strip()
    if not words:
        return Found([], more=False)
    more: list[bool] = []
    keys: dict[Any, None] = {}
    nowhere: set[str] = set()
    for path in admin.search_fields:
        way = _by_path(admin.model, path, words, more)
        keys |= dict.fromkeys(way or ())
        if way == [] and len(words.split()) == 1:  # Django looks for each word by itself
            nowhere.add(path)
    for some in admin.also_found(words):  # type: ignore[attr-defined]  # only a ReadOnlyAdmin is asked
        keys |= dict.fromkeys(some)
    return Found(list(keys)[: bounded.MOST], any(more) or len(keys) > bounded.MOST, frozenset(nowhere))


def leave_out(request: HttpRequest, paths: frozenset[str]) -> None:
    """Has Django not look at these paths for this request: some, never all, as it would find every row."""
    request.META[_LEFT_OUT] = paths


def left_out(request: HttpRequest) -> frozenset[str]:
    """The paths that Django does not look at."""
    return request.META.get(_LEFT_OUT, frozenset())


def among(rows: QuerySet[Any]) -> Found:
    """The keys of these rows, as far as they are shown."""
    keys = list(rows.values_list("pk", flat=True)[: bounded.MOST + 1])
    return Found(keys[: bounded.MOST], more=len(keys) > bounded.MOST)


def whole(rows: QuerySet[Any], **columns: Any) -> Keys:
    """The keys of the rows that have this in columns with an index, one more than `bounded.MOST` at the most."""
    order = [column.removesuffix("__in") for column in columns]
    return list(rows.filter(**columns).order_by(*order).values_list("pk", flat=True)[: bounded.MOST + 1])


def by_part(model: type[models.Model], column: str, words: str) -> Keys | None:
    """The keys of the rows that have this in the column, as was said how they are found."""
    return _parts[model, column](words)


def day(words: str) -> dt.date | None:
    """The day that this is, as 2026-10-03."""
    if not _DAY.fullmatch(words.strip()):
        return None
    try:
        return dt.date.fromisoformat(words.strip())
    except ValueError:
        return None


def first_key_after(day: dt.date, rows: QuerySet[Any], moment: str) -> int:
    """The key with which the day after this one begins, where `moment` grows with the keys: it halves the keys, and so
    needs no index of moments. Twenty short statements for a million rows.
    """
    end = timezone.make_aware(dt.datetime.combine(day + dt.timedelta(days=1), dt.time()))
    rows = rows.order_by("pk").select_related(None)
    low, high = 0, (rows.values_list("pk", flat=True).last() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        key, at = rows.filter(pk__gte=middle).values_list("pk", moment).first() or (high, end)
        low, high = (low, middle) if at >= end else (key + 1, high)
    return low


def _by_path(model: type[models.Model], path: str, words: str, more: list[bool]) -> Keys | None:
    """The keys of the rows that have this at the path; None where no index says. `more` hears of what was cut off."""
    name, _separator, rest = path.removesuffix("__exact").partition(LOOKUP_SEP)
    field: Any = model._meta.get_field(name)
    if not rest:
        if (model, name) in _parts:
            return by_part(model, name, words)
        keys = _as_a_whole(model, field, words) if _is_indexed(model, field) else None
        return keys if path.endswith("__exact") else keys or None  # a part of it may be somewhere
    owners = _by_path(field.related_model, rest, words, more) if _is_indexed(model, field) else None
    if not owners:
        return owners
    more.append(len(owners) > bounded.MOST)
    return whole(QuerySet(model), **{f"{field.attname}__in": owners[: bounded.MOST]})


def _as_a_whole(model: type[models.Model], field: Any, words: str) -> Keys:
    try:
        value = phone_numbers.parse(words) if field.name == "number" else field.to_python(words)
        return whole(QuerySet(model), **{field.attname: value})
    except (ValidationError, ValueError, OverflowError, RuleBroken):  # no value of this column
        return []


def _is_indexed(model: type[models.Model], field: Any) -> bool:
    """Whether an index of all rows begins with this column."""
    if field.db_index or field.unique:
        return True
    once = (each for each in model._meta.constraints if isinstance(each, models.UniqueConstraint))
    return any(
        each.fields[0].lstrip("-") == field.name
        for each in (*model._meta.indexes, *once)
        if each.fields and each.condition is None
    )


def _with_part(model: type[models.Model], column: str, words: str) -> Keys | None:
    rows: QuerySet[Any] = QuerySet(model).filter(name_parts.with_part(column, words)).order_by()
    keys = list(rows.values_list("pk", flat=True)[: bounded.MOST + 1])
    return None if len(keys) > bounded.MOST else keys
