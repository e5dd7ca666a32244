"""The forms of the connector pages. They ask the service's own rules (`services.connectors`), one field at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from connectors.models import Connector
from connectors.permissions import DESCRIPTIONS, PERMISSIONS, Permission
from connectors.services import connectors as rules
from connectors.services.one_time_secrets import LONGEST_FORM_KEY, SHORTEST_FORM_KEY, new_form_key
from kaizala_console.lib import clock, crypto
from kaizala_console.lib.errors import Conflict, ConsoleError, RuleBroken, TooSoon
from kaizala_console.lib.typed_names import is_same_name

PERMISSION_CHOICES = [(permission.value, DESCRIPTIONS[permission].label) for permission in PERMISSIONS]


class DetailsForm(forms.Form):
    """What a connector is called and says about itself: the first screen of "Add Connector", and "Change details"."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("Group admins see this when they add the connector."),
        error_messages={"required": gettext_lazy("Give the connector a name.")},
        widget=forms.TextInput(attrs={"maxlength": rules.LONGEST_NAME, "autocomplete": "off"}),
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        help_text=gettext_lazy("What it does in a group, and for whom."),
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": rules.LONGEST_DESCRIPTION}),
    )
    home_page = forms.CharField(
        label=gettext_lazy("Home page"),
        required=False,
        help_text=gettext_lazy("For example, https://example.com."),
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )
    redirect_urls = forms.CharField(
        label=gettext_lazy("Redirect URLs"),
        required=False,
        help_text=gettext_lazy("One per line. Only needed for sign-in with Kaizala."),
        widget=forms.Textarea(attrs={"rows": 2, "inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, taken: Iterable[str] = (), **kwargs: Any) -> None:
        """`taken` are the names, in lower case, that the owner's other connectors have."""
        super().__init__(*args, **kwargs)
        self._taken = frozenset(taken)

    def clean_name(self) -> str:
        name: str = _checked("name", self.cleaned_data["name"])
        if name.lower() in self._taken:
            raise _as_validation_error(rules.refuse_taken_name(name))
        return name

    def clean_description(self) -> str:
        return str(_checked("description", self.cleaned_data["description"]))

    def clean_home_page(self) -> str:
        return str(_checked("home_page", self.cleaned_data["home_page"]))

    def clean_redirect_urls(self) -> list[str]:
        urls: list[str] = _checked("redirect_urls", self.cleaned_data["redirect_urls"].splitlines())
        return urls

    @classmethod
    def of(cls, connector: Connector, data: QueryDict | None = None, **kwargs: Any) -> DetailsForm:
        """The form filled with what the connector says now."""
        initial = {
            "name": connector.name,
            "description": connector.description,
            "home_page": connector.home_page,
            "redirect_urls": "\n".join(connector.redirect_urls),
        }
        return cls(data, initial=initial, **kwargs)


class PermissionsForm(forms.Form):
    """What a connector may do: the second screen of "Add Connector"."""

    permissions = forms.MultipleChoiceField(
        label=gettext_lazy("Permissions"),
        choices=PERMISSION_CHOICES,
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": gettext_lazy("Choose at least one permission."),
            "invalid_choice": gettext_lazy("This is not a permission of a connector."),
        },
    )

    def clean_permissions(self) -> list[Permission]:
        return [Permission(value) for value in self.cleaned_data["permissions"]]


class TypedNameForm(forms.Form):
    """Typing the name is the confirmation of what cannot be undone, or stops something at once."""

    typed = forms.CharField(
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, name: str, label: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._name = name
        self.fields["typed"].label = label or _("Name of the connector")
        self._mismatch = _("Type the name exactly: “%(name)s”.") % {"name": name}
        self.fields["typed"].help_text = _("Type “%(name)s” to confirm.") % {"name": name}
        self.fields["typed"].error_messages["required"] = self._mismatch

    def clean_typed(self) -> str:
        typed: str = self.cleaned_data["typed"]
        if not is_same_name(typed, self._name):
            raise ValidationError(self._mismatch, code="typed")
        return typed


LEAKED, UNUSED = "leaked", "unused"


def why_revoked(**options: Any) -> forms.ChoiceField:
    """The question that decides whether access tokens end with a secret."""
    return forms.ChoiceField(
        label=gettext_lazy("Why revoke it?"),
        choices=[
            (LEAKED, gettext_lazy("It leaked: access tokens end now, and programs get new ones.")),
            (UNUSED, gettext_lazy("It’s no longer used: access tokens work until they expire, at most 24 hours.")),
        ],
        widget=forms.RadioSelect,
        **options,
    )


class RevokeSecretForm(TypedNameForm):
    """Why a secret is revoked decides whether access tokens end with it."""

    why = why_revoked()
    field_order = ("why", "typed")

    @property
    def end_access_tokens(self) -> bool:
        return bool(self.cleaned_data["why"] == LEAKED)


def get_idempotency_key(data: QueryDict | None) -> str:
    """The key that this form carries, or a new one when it carries none that could be ours."""
    key = data.get("idempotency_key", "") if data else ""
    if SHORTEST_FORM_KEY <= len(key) <= LONGEST_FORM_KEY and key.isascii():
        return key
    return new_form_key()


def get_posted(request: HttpRequest) -> QueryDict | None:
    """What the page's form sent; None when the page is only opened."""
    return request.POST if request.method == "POST" else None


def add_refusal(form: forms.Form, refused: ConsoleError, field: str | None = None) -> None:
    """Puts what a service said beside `field`, or the field that it names, or over the whole form."""
    field = field or refused.field
    form.add_error(field if field in form.fields else None, _as_validation_error(refused))


@contextmanager
def show_refusals(form: forms.Form, field: str | None = None, **renamed: str) -> Iterator[None]:
    """Shows in the form what a service refuses inside, as `add_refusal` does; the view then goes on behind it.

    `renamed` are fields that the form calls otherwise than the service.
    """
    try:
        yield
    except (RuleBroken, Conflict, TooSoon) as refused:
        add_refusal(form, refused, field or renamed.get(refused.field or ""))


@contextmanager
def flash_refusals(request: HttpRequest) -> Iterator[None]:
    """Shows on the next page what a service refuses inside: that it was done already, or what is wrong."""
    try:
        yield
    except Conflict as already:
        messages.info(request, str(already))
    except RuleBroken as broken:
        messages.error(request, str(broken))


def _checked(field: str, value: Any) -> Any:
    """The value as the service would keep it; only this field is judged."""
    try:
        details = rules.check_details(**{"name": "-", "permissions": PERMISSIONS, field: value})
    except RuleBroken as broken:
        raise _as_validation_error(broken) from None
    return getattr(details, field)


def _as_validation_error(broken: ConsoleError) -> ValidationError:
    return ValidationError(str(broken), code=broken.code)


# ----------------------------------------------------------------------------------------------------
# Until when: a day, as people choose it, and the moment that it means.


MOST_YEARS = 100


class WithEndDate(forms.Form):
    """A form with an end date that may be left empty."""

    end_date = forms.DateField(
        label=gettext_lazy("End date"),
        required=False,
        help_text=gettext_lazy("Access ends at the end of this day. Empty for no end date."),
        error_messages={"invalid": gettext_lazy("Enter a date like 2030-12-31, or leave this empty.")},
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def clean_end_date(self) -> dt.date | None:
        chosen: dt.date | None = self.cleaned_data["end_date"]
        if chosen is None:
            return None
        today = timezone.localdate(clock.now())
        if chosen < today:
            raise forms.ValidationError(_("This day has passed. Choose a later day, or leave this empty."))
        if chosen.year > today.year + MOST_YEARS:
            raise forms.ValidationError(_("Choose a day within the next hundred years, or leave this empty."))
        return chosen

    def ends_at(self) -> dt.datetime | None:
        """The first moment after the chosen day in the reader's zone; None for no end."""
        chosen = self.cleaned_data["end_date"]
        if chosen is None:
            return None
        return timezone.make_aware(dt.datetime.combine(chosen + dt.timedelta(days=1), dt.time.min))


class SecretEndForm(WithEndDate):
    """A secret, the first or a further one, which may end by itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["end_date"].label = gettext_lazy("End date of the secret")
        self.fields["end_date"].help_text = gettext_lazy(
            "The secret stops working at the end of this day. Empty for no end date."
        )
        self.fields["end_date"].widget.attrs["min"] = timezone.localdate(clock.now()).isoformat()


def last_day(ends_at: dt.datetime | None) -> dt.date | None:
    """The day that `ends_at` came from."""
    return None if ends_at is None else timezone.localdate(ends_at - dt.timedelta(microseconds=1))


# Another one on each page, and none of what the person asks for.
NOT_TYPED = frozenset({"csrfmiddlewaretoken", "idempotency_key"})


def get_idempotent_id(user: User, kind: str, data: QueryDict) -> UUID:
    """The id of what this person's form makes: the same when it is sent again as it was, and not to be guessed.

    A form that is changed and sent once more makes something else. `kind` says
    what is made, and where.
    """
    typed = [part for name, values in sorted(data.lists()) if name not in NOT_TYPED for part in (name, *values)]
    return UUID(
        bytes=crypto.hmac_tag("made-by-form", kind, str(user.pk), get_idempotency_key(data), *typed)[:16], version=4
    )
