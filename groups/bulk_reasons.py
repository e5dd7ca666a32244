"""Why a line of a bulk upload was passed by, or why it stopped: a code and what the sentence names.

A worker notes these; whoever reads them gets the sentence in their own language. The codes are kept in rows: a code
never gets another meaning, and a sentence never other names in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib.errors import RuleBroken
from kaizala_console.lib.phone_numbers import PROBLEMS, NumberRefused

WORDS: Final[dict[str, str | Promise]] = {
    # The line itself
    "line_too_long": _("This line is too long."),
    "quote_open": _("A quotation mark in this line is opened and not closed."),
    "more_cells": _(
        "This line has more cells than the first one. A cell with a separator in it needs quotation marks."
    ),
    "fewer_cells": _("This line has fewer cells than the first one: it is broken."),
    # Its cells
    **{f"number_{problem}": words for problem, words in PROBLEMS.items()},
    "number_rounded": _(
        "The spreadsheet has rounded this number, and its last digits are lost. Format the column as text first."
    ),
    "number_again": _("This number stands in line %(line)d already."),
    "name_too_long": _("This name is longer than %(most)d characters."),
    "role_unknown": _("The role is “Admin”, “Member”, or empty."),
    "no_subscribers": _("Only a managed public group has subscribers: here the role is “Admin”, “Member”, or empty."),
    "action_unknown": _("The action is “add”, “remove”, or empty for “add”."),
    "value_too_long": _("This is longer than %(most)d characters."),
    "value_characters": _("A cell holds a character that no text can hold (NUL, or half of a pair)."),
    "nobody": _("Nobody of your organisation has this number."),
    "group_unnamed": _("This line does not say which group it is about."),
    "parent_unnamed": _("This line names no parent group."),
    "group_id_unreadable": _("“%(text)s” is not the ID of a group."),
    "group_id_unknown": _("Your organisation has no group with the ID %(id)s."),
    "group_unknown": _("Your organisation has no group called “%(name)s”."),
    "groups_of_one_name": _("%(n)d groups are called “%(name)s”: write the group ID."),
    "circle": _("“%(child)s” stands above “%(parent)s” already: a group cannot be its own sub-group."),
    "too_deep": _("More than %(most)d groups would stand above each other, “%(child)s” under “%(parent)s” among them."),
    "message_without_id": _("This line has no message ID: it may be a part of a message that was broken into lines."),
    "message_id_too_long": _("This is too long for a message ID."),
    "message_again": _("This message stands in line %(line)d already."),
    "time_unreadable": _("The time is written like 2019-03-01T09:30:00Z."),
    # What the run met
    "last_admin": _("The last admin of the group stays an admin."),
    # Why the whole upload stopped
    "no_group_admin": _("Whoever uploaded this file is no admin of the group any more."),
    "no_organisation_admin": _("Whoever uploaded this file is no admin of the organisation any more."),
    "file_gone": _("The file is not there any more."),
    "no_lines": _("There is no line below the first one."),
    "too_many_lines": _("This file has more than %(most)d lines. Split it into several."),
    "gave_up": _("The console met an error that it cannot mend by itself. Tell its operator."),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A key of `WORDS`, and what its sentence names: texts and whole numbers."""

    code: str
    params: Mapping[str, str | int] = field(default_factory=dict)

    def __str__(self) -> str:
        """The sentence in the language of whoever reads it now."""
        return said(self.code, self.params)


class LineRefused(RuleBroken):
    """What a line asks for cannot be done; or the file as a whole."""

    def __init__(self, code: str, **params: str | int) -> None:
        self.reason = Reason(code, params)
        super().__init__(str(self.reason), field="file", code=code)


def said(code: str, params: Mapping[str, Any], otherwise: str = "") -> str:
    """The sentence in the active language; `otherwise` for rows without a code, whose sentence was written down, and
    for a code of a later release.
    """
    words = WORDS.get(code)
    return otherwise or code if words is None else str(words) % params if params else str(words)


def reason_of(broken: RuleBroken) -> Reason:
    """Of what a rule has said about a line: its own reason, or that of the telephone number in it."""
    if isinstance(broken, LineRefused):
        return broken.reason
    if isinstance(broken, NumberRefused):
        return Reason(f"number_{broken.problem}")
    raise broken  # a rule that has no code yet: better seen by a test than kept in one language
