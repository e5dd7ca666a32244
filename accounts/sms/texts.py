"""The words of the SMS that we write ourselves."""

from __future__ import annotations

from django.utils.translation import gettext as _


def pin_text(pin: str, minutes: int) -> str:
    """The text that carries a PIN, in the reader's language; short enough for one SMS of 160 characters in English."""
    return _(
        "%(pin)s is your PIN for Kaizala Console. It is valid for %(minutes)d minutes. Nobody will ever ask you for it."
    ) % {"pin": pin, "minutes": minutes}
