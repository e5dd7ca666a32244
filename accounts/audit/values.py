"""What values of audit rows are called on pages, where programs and the database have a short name for them.

This app knows its own; the apps above it add theirs (`AppConfig.ready`). Exports keep what is written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

_WORDS: Final[dict[str, dict[str, str | Promise]]] = {
    "by": {"pin": _("a PIN"), "totp": _("an authenticator app")},
    "purpose": {
        "verify": _("verify a phone number"),
        "confirm": _("confirm who it is"),
        "login": _("let a connector act"),
    },
}


def register(field: str, words: Mapping[str, str | Promise]) -> None:
    """Have the values of a field read like this."""
    _WORDS.setdefault(field, {}).update(words)


def spelled(field: str, value: str) -> str:
    """A value as people call it; one that no words are known for, as it is written down."""
    words = _WORDS.get(field, {}).get(value)
    return value if words is None else capfirst(str(words))
