"""What people and programs write: checked once for all services, before a database has to refuse it."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib.errors import RuleBroken


def is_storable(text: str) -> bool:
    """Whether a database can keep it: NUL and half a surrogate pair, which JSON can spell, it cannot."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def check_text(text: str, field: str, *, longest: int, required: str | Promise = "") -> str:
    """The text unchanged, when it can be stored and fits; raises RuleBroken for `field` otherwise.

    `longest` counts characters (Unicode code points). With `required`, which says what is missing, blank is refused.
    """
    if required and not text.strip():
        raise RuleBroken(required, field=field, code="required")
    if len(text) > longest:
        raise RuleBroken(
            _("%(field)s is %(length)d characters long; %(longest)d are allowed.")
            % {"field": field, "length": len(text), "longest": longest},
            field=field,
            code="too_long",
        )
    if not is_storable(text):
        raise RuleBroken(
            _("%(field)s holds a character that no text can hold (NUL, or half of a pair).") % {"field": field},
            field=field,
            code="characters",
        )
    return text
