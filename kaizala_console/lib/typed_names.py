"""Whether somebody typed a name as it stands on the page, with the keyboard that they have."""

from __future__ import annotations

import re
import unicodedata

# A phone turns straight quotes into round ones, and two hyphens into a dash, while one types.
_QUOTES = str.maketrans({"‘": "'", "’": "'", "‛": "'", "ʼ": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"'})
_VARIATIONS = frozenset(map(chr, range(0xFE00, 0xFE10)))


def is_same_name(typed: str, name: str) -> bool:
    """Whether these look alike to a person who reads one and types the other.

    Case, doubled spaces, how an accent is put together, the shape of quotes and dashes, and marks that nobody sees
    make no difference: they cannot be told from the page, and not every keyboard has them.
    """
    return typed == name or _as_seen(typed) == _as_seen(name) != ""


def _as_seen(text: str) -> str:
    text = unicodedata.normalize("NFKC", text.translate(_QUOTES)).casefold()
    seen = "".join(
        "-" if unicodedata.category(character) == "Pd" else character
        for character in unicodedata.normalize("NFKC", text)
        if unicodedata.category(character) != "Cf" and character not in _VARIATIONS
    )
    return " ".join(re.sub("-+", "-", seen).split())
