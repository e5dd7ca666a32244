"""Search by part of a text: `icontains`, which PostgreSQL answers by trigram indexes (ADR 0064)."""

from __future__ import annotations

from functools import reduce
from operator import and_

from django.db.models import Q


def cleaned(search: str) -> str:
    """Return what was typed, without the NUL that PostgreSQL takes in no text, and without space around it."""
    return search.replace("\0", "").strip()


def has_words(column: str, search: str) -> Q:
    """Whether every word of `search` is somewhere in the column, in any case and in any order."""
    return reduce(and_, (Q((f"{column}__icontains", word)) for word in search.split()), Q())
