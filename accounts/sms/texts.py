"""The words of the SMS that we write ourselves."""

from __future__ import annotations

from django.utils.translation import gettext as _

LONGEST_PROGRAM = 40


def pin_text(pin: str, minutes: int, program: str = "") -> str:
    """The text that carries a PIN, in the reader's language; short enough for one SMS of 160 characters in English.

    A PIN that a person gives to a program says to which, and what for.
    """
    if program:
        return _(
            "%(pin)s lets the program %(program)s act for you in Kaizala. Valid for %(minutes)d minutes. Give it to "
            "nobody else."
        ) % {"pin": pin, "minutes": minutes, "program": program[:LONGEST_PROGRAM]}
    return _(
        "%(pin)s is your PIN for Kaizala Console. It is valid for %(minutes)d minutes. Nobody will ever ask you for it."
    ) % {"pin": pin, "minutes": minutes}
