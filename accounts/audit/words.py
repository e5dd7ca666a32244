"""Searching for events by words of their sentence, in the reader's language, and by the names in it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from django.db.models import Q
from django.utils.translation import get_language

from accounts.audit.sentences import SENTENCES

MOST_WORDS: Final = 6
SHORTEST: Final = 3  # letters: every second sentence has an "a" in it
_PLACEHOLDERS: Final = re.compile(r"%\(\w+\)s")


def matches_words(text: str) -> Q:
    """Events of which each word of `text` is in the sentence, or in the name of the event; or of a request's id."""
    condition = Q()
    for word in text.split()[:MOST_WORDS]:
        found = Q(search_text__icontains=word)
        tags = find_event_types(word)
        condition &= found | Q(tag__in=tags) if tags else found
    return condition | Q(request_id=text) if condition else condition


def find_event_types(word: str) -> list[str]:
    """The events whose name, or whose sentence in the active language, has this word in it."""
    word = word.lower()
    if len(word) < SHORTEST:
        return []
    return [tag for tag, words in _words(get_language() or "") if word in words]


@lru_cache(maxsize=8)
def _words(_language: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (tag.value, f"{tag.value} {_PLACEHOLDERS.sub('', str(said))}".lower()) for tag, said in SENTENCES.items()
    )
