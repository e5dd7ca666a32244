"""The forms of this app's pages. They check shape; services enforce rules, and their errors come back to the field."""

from __future__ import annotations

import unicodedata
from typing import Any

from django import forms
from django.conf import settings
from django.utils.html import format_html
from django.utils.translation import get_language_info, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.services.notifications import TOPICS, NoticeTopic
from kaizala_console.lib import phone_numbers
from kaizala_console.lib.errors import ConsoleError

FALLBACK_REGION = "IN"
AS_ASKED = "auto"


def add_error(form: forms.Form, error: ConsoleError) -> None:
    """Puts what a service raised beside the field that it names, else above the form."""
    form.add_error(error.field if error.field in form.fields else None, str(error))


def region_of_reader(accept_language: str) -> str:
    """The country that a browser's languages hint at (`en-IN` → `IN`), to save a person the choice."""
    known = {country.region for country in phone_numbers.countries()}
    for part in accept_language.split(","):
        _language, _hyphen, region = part.split(";")[0].strip().partition("-")
        if region.upper() in known:
            return region.upper()
    return FALLBACK_REGION


def _country_choices() -> list[tuple[str, str]]:
    return [(country.region, f"{country.name} (+{country.calling_code})") for country in phone_numbers.countries()]


class PhoneForm(forms.Form):
    """A number as people know theirs: with a country, or with `+` in front, which then wins."""

    region = forms.ChoiceField(label=_("Country"), choices=_country_choices)
    number = forms.CharField(
        label=pgettext_lazy("of a phone", "Number"),
        max_length=64,
        error_messages={"required": _("Enter a phone number.")},
    )


class _OnceInput(forms.TextInput):
    """Never repeats what was typed: a PIN has no business in a page."""

    def format_value(self, value: Any) -> None:
        return None


class PinForm(forms.Form):
    """The digits of a PIN, however they were pasted ("123 456") and in whatever script they were typed."""

    pin = forms.CharField(
        label=_("PIN"),
        max_length=32,
        widget=_OnceInput(attrs={"autofocus": True}),
        error_messages={"required": _("Enter the PIN from the SMS.")},
    )

    wrong_length = _("A PIN has %(count)d digits.")

    def clean_pin(self) -> str:
        typed = "".join(self.cleaned_data["pin"].split()).replace("-", "")
        digits = "".join(str(unicodedata.decimal(character, "x")) for character in typed)
        if len(digits) != settings.PIN_DIGITS or not digits.isdecimal():
            raise forms.ValidationError(self.wrong_length % {"count": settings.PIN_DIGITS})
        return digits


class CodeForm(PinForm):
    """The same six boxes for the code of an authenticator app."""

    wrong_length = _("A code has %(count)d digits.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["pin"].label = _("Code")
        self.fields["pin"].error_messages["required"] = _("Enter the code from your authenticator app.")


class PolicyForm(forms.Form):
    """What an organisation's admins decide for its group admins."""

    admins_may_see_tokens = forms.BooleanField(
        label=_("Group admins can view a refresh token once"),
        help_text=_("If off, refresh tokens go only to the developer, encrypted."),
        required=False,
    )


class LanguageForm(forms.Form):
    language = forms.ChoiceField(
        label=_("Language"),
        choices=lambda: [(AS_ASKED, _("Browser default")), *own_names()],
        help_text=_("For pages, mails and SMS."),
    )

    def clean_language(self) -> str:
        """The code of the language; "" for the one that the browser asks for."""
        return "" if self.cleaned_data["language"] == AS_ASKED else self.cleaned_data["language"]


class MailForm(forms.Form):
    wanted = forms.MultipleChoiceField(
        label=_("Send me mail about"),
        choices=lambda: [(topic.key, _explained(topic)) for topic in TOPICS],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_(
            "You always get mail about phone numbers, your authenticator app, leaked secrets and changed keys."
        ),
    )


def _explained(topic: NoticeTopic) -> str:
    return format_html('<strong>{}</strong>: <span class="quiet">{}</span>', topic.label, topic.help_text)


def own_names() -> list[tuple[str, str]]:
    """The languages of the console, each by its own name: who reads only one of them must find it."""
    return [(code, get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES]


class IdentityForm(forms.Form):
    """A sandbox identity of one's own making."""

    name = forms.CharField(label=_("Name"), max_length=120, error_messages={"required": _("Enter a name.")})
    email = forms.EmailField(
        label=_("E-mail"),
        help_text=_("Use the same address to sign in as this person again."),
        error_messages={"required": _("Enter an e-mail address.")},
    )
