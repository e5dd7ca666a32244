"""Whether a text has these letters in it, asked so that the database answers by an index (ADR 0064).

Of three letters and more, PostgreSQL has indexes of trigrams; of one or two, an array of all letters and pairs.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from django.db import connection
from django.db.models import BooleanField, Func, Q, QuerySet, Value

Rows = TypeVar("Rows", bound=QuerySet[Any])

SHORTEST: Final = 3  # what is shorter has no trigram


MOST: Final = 5000


def named(rows: Rows, words: str) -> Rows:
    """Those of these rows whose `name` has this in it, in any case.

    PostgreSQL walks through all names in their order when a list of a page is asked for, and reads each letter of them
    where nobody has these two. So it is asked first for the few who do; where many do, a page is met soon on that walk.
    """
    if not _is_short(words):
        return rows.filter(with_part("name", words))
    found: QuerySet[Any] = QuerySet(rows.model).filter(with_part("name", words)).order_by()
    keys = list(found.values_list("pk", flat=True)[: MOST + 1])
    return rows.filter(pk__in=keys) if len(keys) <= MOST else rows.filter(name__icontains=words)


def with_part(column: str, words: str) -> Q:
    """Whether a text has this in it, in any case: by the index that knows parts of this length."""
    if _is_short(words):
        return Q(_HasShortPart(column, Value(words)))
    return Q((f"{column}__icontains", words))


def _is_short(words: str) -> bool:
    """Whether it has no trigram, and PostgreSQL another index for it."""
    return connection.vendor == "postgresql" and len(words) <= len(words.upper()) < SHORTEST


def short_parts(text: str) -> str:
    """SQL for PostgreSQL: the array of all letters, and pairs of letters, of a text (which is SQL too).

    The pairs that begin at each odd place, and those at each even one; \\x01 stands in no text that people write.
    """
    pairs = "regexp_replace({}, '(..)', E'\\\\1\\x01', 'g')"
    every_pair = f"{pairs.format(text)} || E'\\x01' || {pairs.format(f'substr({text}, 2)')}"
    return f"(string_to_array({text}, NULL) || string_to_array({every_pair}, E'\\x01'))"


class _HasShortPart(Func):
    """For PostgreSQL, of one or two letters: else it would read all of a table, or of an index of trigrams."""

    output_field = BooleanField()

    def as_postgresql(self, compiler: Any, _connection: Any, **_extra: Any) -> tuple[str, list[Any]]:
        """As the index has it."""
        column, part = (compiler.compile(each) for each in self.source_expressions)
        return f"{short_parts(f'UPPER({column[0]}::text)')} @> ARRAY[UPPER({part[0]})]", [*part[1]]
