"""Telephone numbers: read, checked, and shown.

The wire accepts numbers that are *possible* (Kaizala's own samples use +911099999999, which no operator ever
gave out); an SMS goes only to a number that is *valid* by the numbering plan of its country.
"""

import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

import phonenumbers
from babel import Locale, UnknownLocaleError
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

from kaizala_console.lib.errors import RuleBroken

_LONGEST_INPUT: Final = 64
_SHOWN_DIGITS: Final = 3
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"


# What can be wrong with a number. The keys are kept in rows (bulk uploads): they never get another meaning.
PROBLEMS: Final[dict[str, str | Promise]] = {
    "missing": _("Please enter a phone number."),
    "long": _("This is too long for a phone number."),
    "extension": _("Please enter the number without an extension."),
    "country_code": _("Please begin with + and the country code, for example +91 98765 43210."),
    "many_digits": _("This number has too many digits."),
    "few_digits": _("This number has too few digits."),
    "unreadable": _("This is not a phone number. Please enter digits, with + and the country code in front."),
    "area_code": _("The area code is missing: please enter the whole number."),
    "few_for_country": _("This number has too few digits for its country."),
    "many_for_country": _("This number has too many digits for its country."),
    "impossible": _("This number cannot exist in its country. Please check the country and the digits."),
    "unused": _("This number is not in use in its country. Please check the country and the digits."),
}


class NumberRefused(RuleBroken):
    """What stands there is no number that can be called. `problem` is a key of `PROBLEMS`."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(PROBLEMS[problem], code="phone_number")


class Country(NamedTuple):
    """A line of the country picker: ISO 3166 region, its name in the reader's language, calling code."""

    region: str
    name: str
    calling_code: int


def parse(text: object, region: str | None = None, *, must_be_valid: bool = False) -> str:
    """Return ``text`` as E.164 (``+919876543210``).

    ``region`` (``IN``) is where a number without ``+`` is dialled from. Raises NumberRefused (code
    ``phone_number``) with a sentence that says what is wrong: it does not repeat the number.
    """
    number = _read(text, region)
    _require_possible(number)
    if must_be_valid and not phonenumbers.is_valid_number(number):
        raise NumberRefused("unused")
    if number.national_number == 0 and isinstance(text, str) and text.strip().startswith("+"):
        return f"+{phonenumbers.normalize_digits_only(text)}"  # the library takes the first zero for a trunk prefix
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def mask(e164: str) -> str:
    """Return a form that its owner recognises and nobody else can dial: ``+91 ••••• ••999``."""
    shown = display(e164)
    prefix, _space, rest = shown.partition(" ")
    digits_left = sum(character.isdigit() for character in rest) - _SHOWN_DIGITS
    masked = []
    for character in rest:
        hidden = character.isdigit() and digits_left > 0
        digits_left -= character.isdigit()
        masked.append("•" if hidden else character)
    return f"{prefix} {''.join(masked)}" if rest else "•" * len(prefix)


def display(e164: str) -> str:
    """Return the number as people write it internationally: ``+91 98765 43210``; unchanged if it is none."""
    try:
        number = phonenumbers.parse(e164, None)
    except NumberParseException:
        return e164
    shown = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    digits = phonenumbers.normalize_digits_only(e164)
    if phonenumbers.normalize_digits_only(shown) == digits:
        return shown
    code = str(number.country_code)  # the library took a first zero for a trunk prefix, and left it out
    return f"+{code} {digits.removeprefix(code)}"


def display_unbroken(e164: str) -> str:
    """Return what `display` does, for a page: it is never broken over two lines."""
    return display(e164).replace(" ", _NO_BREAK)


def mask_unbroken(e164: str) -> str:
    """Return what `mask` does, for a page: it is never broken over two lines."""
    return mask(e164).replace(" ", _NO_BREAK)


def country_prefix(e164: str) -> str:
    """Return the calling code without ``+`` (``91``), by which SMS are capped. Raises RuleBroken."""
    return str(_read(e164, None).country_code)


def region(e164: str) -> str:
    """Return the ISO 3166 region (``IN``) that a number belongs to, "" when it belongs to none."""
    try:
        number = phonenumbers.parse(e164, None)
    except NumberParseException:
        return ""
    return phonenumbers.region_code_for_number(number) or _main_region(number) or ""


def countries(language: str | None = None) -> list[Country]:
    """Return all countries that can be dialled, sorted by name in ``language`` (else the active one)."""
    return list(_countries(language or get_language() or "en"))


@lru_cache(maxsize=32)
def _countries(language: str) -> tuple[Country, ...]:
    names = _territories(language)
    found = (
        Country(region, names.get(region, region), phonenumbers.country_code_for_region(region))
        for region in phonenumbers.SUPPORTED_REGIONS
    )
    return tuple(sorted(found, key=lambda country: (_without_accents(country.name), country.region)))


def _without_accents(name: str) -> str:
    """Return a sort key that puts Åland among the A, not behind Z."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _territories(language: str) -> dict[str, str]:
    try:
        return dict(Locale.parse(language, sep="-").territories)
    except (UnknownLocaleError, ValueError):
        return dict(Locale("en").territories)


def _read(text: object, region: str | None) -> PhoneNumber:
    if not isinstance(text, str) or not text.strip():
        raise NumberRefused("missing")
    if len(text) > _LONGEST_INPUT:
        raise NumberRefused("long")
    try:
        number = phonenumbers.parse(text.strip(), region)
    except NumberParseException as problem:
        raise NumberRefused(_unreadable(problem)) from None
    if number.extension:
        raise NumberRefused("extension")
    return number


def _unreadable(problem: NumberParseException) -> str:
    if problem.error_type == NumberParseException.INVALID_COUNTRY_CODE:
        return "country_code"
    if problem.error_type == NumberParseException.TOO_LONG:
        return "many_digits"
    if problem.error_type in (NumberParseException.TOO_SHORT_AFTER_IDD, NumberParseException.TOO_SHORT_NSN):
        return "few_digits"
    return "unreadable"


def _require_possible(number: PhoneNumber) -> None:
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise NumberRefused(_IMPOSSIBLE.get(reason, "impossible"))


_IMPOSSIBLE: Final = {
    phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "area_code",
    phonenumbers.ValidationResult.TOO_SHORT: "few_for_country",
    phonenumbers.ValidationResult.TOO_LONG: "many_for_country",
    phonenumbers.ValidationResult.INVALID_COUNTRY_CODE: "country_code",
}


def _main_region(number: PhoneNumber) -> str:
    region = phonenumbers.region_code_for_country_code(number.country_code or 0)
    return "" if region == phonenumbers.UNKNOWN_REGION else region
