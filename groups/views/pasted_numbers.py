"""Phone numbers as people paste them: read out of a list, and given back with what is wrong with each.

A number without a country code is never guessed: it comes back as it would be dialled from where the sender's own
number is, for them to look at and to send again.
"""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import queries
from accounts.models import User
from groups.services.members import Failed
from kaizala_console.lib import phone_numbers
from kaizala_console.lib.errors import RuleBroken

MAX_NUMBERS_AT_ONCE = 500
LONGEST_NAMED = 40
# Commas and semicolons of all keyboards, line ends; and what stands between two whole numbers.
_BETWEEN: Final = re.compile(r"[,;\n\u2028\u060c\u061b\uff0c\uff1b\u3001]|(?<=\d)\s+(?=\+)")


class NumbersField(forms.CharField):
    """Phone numbers as people paste them: separated by commas, semicolons or lines, or rows of a spreadsheet. Cleans to
    a list of texts.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault(
            "widget",
            forms.Textarea(attrs={"rows": 2, "autocomplete": "off", "spellcheck": "false", "inputmode": "tel"}),
        )
        kwargs.setdefault(
            "help_text",
            gettext_lazy("With the country code, like +91 98765 43210; several are separated by commas."),
        )
        super().__init__(**kwargs)

    def clean(self, value: Any) -> Any:
        parts = _BETWEEN.split(super().clean(value))
        numbers = [cell.strip() for part in parts for cell in _cells(part) if cell.strip()]
        if self.required and not numbers:
            raise forms.ValidationError(self.error_messages["required"], code="required")
        if len(numbers) > MAX_NUMBERS_AT_ONCE:
            raise forms.ValidationError(
                _("These are %(count)d numbers; add up to %(most)d at once.")
                % {"count": len(numbers), "most": MAX_NUMBERS_AT_ONCE}
            )
        return numbers


def _cells(part: str) -> list[str]:
    """Of a row that was copied from a spreadsheet, the cells that may be numbers: names stand beside them."""
    return [cell for cell in part.split("\t") if any(map(str.isdigit, cell))] or [part]


def region_of(user: User) -> str:
    """Where the number of this account is dialled from, "" when there is none."""
    person = queries.primary_person(user)
    return phone_numbers.region(person.number) if person else ""


def give_back(form: forms.Form, numbers: list[str], failed: list[Failed], user: User) -> None:
    """Says beside the field which of its numbers were refused, each with its reason, and writes all there once more."""
    region = region_of(user)
    meant = {each.number: _as_dialled(each.number, region) for each in failed}
    for each in failed:
        reason = each.reason
        if meant[each.number]:
            reason = _("There is no country code. Is it %(number)s? It is written so now: check it, and send it again.")
            reason %= {"number": meant[each.number]}
        form.add_error("numbers", f"{Truncator(each.number).chars(LONGEST_NAMED)}: {reason}")
    written: dict[str, Any] = {name: form.data[name] for name in form.data}
    form.data = {**written, "numbers": ", ".join(meant.get(number) or number for number in numbers)}


def _as_dialled(number: str, region: str) -> str:
    """As it would be dialled from there; "" for what has its country code, or is in use nowhere there."""
    if not region or "+" in number:
        return ""
    try:
        return phone_numbers.display(phone_numbers.parse(number, region, must_be_valid=True))
    except RuleBroken:
        return ""
