"""What the admin pages of all apps are made of: lists for reading, and actions that are confirmed first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import connection, models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from kaizala_console.lib import ids
from kaizala_console.lib.errors import ConsoleError, RuleBroken


def get_operator(request: HttpRequest) -> User:
    """Return the operator: the site admits no one else."""
    return cast(User, request.user)


def carry_out(request: HttpRequest, rows: Sequence[Any], act: Callable[[Any], Any]) -> None:
    """Does `act` to each row, through its service, and says how many it worked for, and why not for the others.

    Raises RuleBroken for a single row that it did not work for.
    """
    done = 0
    for row in rows:
        try:
            act(row)
        except RuleBroken as refusal:
            if len(rows) == 1:
                raise
            messages.warning(request, f"{row}: {refusal}")
        except ConsoleError as refusal:
            messages.warning(request, f"{row}: {refusal}")
        else:
            done += 1
    if done:
        messages.success(request, ngettext("%(count)d was changed.", "%(count)d were changed.", done) % {"count": done})


class ReadOnlyAdmin(admin.ModelAdmin):
    """For reading and searching; changes come as actions that call services."""

    list_per_page = 50
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    show_full_result_count = False
    ordering = ["-pk"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Without bytes, which no page shows."""
        fields = self.model._meta.concrete_fields
        return (
            super().get_queryset(request).defer(*(each.name for each in fields if isinstance(each, models.BinaryField)))
        )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """By the filters of the list alone. Django allows any column, by whose letters a digest could be guessed."""
        return any(lookup in _parameters(self.model, each) for each in self.get_list_filter(request))

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        """As Django does. An ID is also found where the database keeps it without hyphens (SQLite)."""
        found, doubled = super().get_search_results(request, queryset, search_term)
        key = ids.parse_guid(search_term)
        if key is not None and not connection.features.has_native_uuid_field:
            more, _doubled = super().get_search_results(request, queryset, key.hex)
            found = found | more
        return found, doubled

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return True  # the site let operators alone in

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True


def _parameters(model: type[models.Model], entry: Any) -> set[str]:
    """The parameters of an address that one entry of `list_filter` makes."""
    if isinstance(entry, type) and issubclass(entry, admin.SimpleListFilter):
        return {entry.parameter_name or ""}
    path = entry if isinstance(entry, str) else entry[0]
    field: Any = model._meta.get_field(path)
    key = f"{path}__{field.remote_field.get_related_field().name}" if field.remote_field else path
    return {path, f"{key}__exact", f"{path}__isnull", f"{path}__isempty"}


MOST_ROWS: Final = 200
CONFIRMED: Final = "confirmed"
Rows = list[Any]
Action = Callable[[Any, HttpRequest, models.QuerySet[Any]], HttpResponse | None]


class ConfirmForm(forms.Form):
    """Nothing to fill in: the button confirms."""

    typed: forms.CharField

    def __init__(self, *args: Any, expected: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected
        if expected:  # last, to confirm the answers above it
            self.fields["typed"] = forms.CharField(
                label=_("Type “%(expected)s” to confirm") % {"expected": expected},
                widget=forms.TextInput(attrs={"autocomplete": "off"}),
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        typed = " ".join(str(cleaned.pop("typed", "")).split())
        if "typed" in self.fields and typed and typed.casefold() != " ".join(self.expected.split()).casefold():
            self.add_error("typed", _("Type it exactly as shown."))
        return cleaned


class ReasonForm(ConfirmForm):
    """Why: written into the audit trail, and sent to whom it concerns."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("Shown to the owners and in the audit trail."),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


def confirmed_act(
    act: Callable[..., Any],
    *,
    label: str | Promise,
    says: str | Promise,
    form: type[ConfirmForm] = ConfirmForm,
    facts: Callable[[Rows], Mapping[str, Any]] | None = None,
    describe: Callable[[Any], str] = str,
    is_final: bool = False,
    typed: Callable[[Any], str] = str,
) -> Action:
    """Returns an action of a list: it calls `act(row, by=…, **fields of the form)` for each row once it is confirmed.

    `facts` gives the page its lines about what stops. What `is_final` is confirmed by typing what `typed` makes of the
    one row, or the number of rows.
    """

    def action(admin: ModelAdmin[Any], request: HttpRequest, chosen: models.QuerySet[Any]) -> HttpResponse | None:
        rows = list(chosen[: MOST_ROWS + 1])
        if len(rows) > MOST_ROWS:
            messages.error(request, _("Choose %(most)d rows at most.") % {"most": MOST_ROWS})
            return None
        expected = "" if not is_final else typed(rows[0]) if len(rows) == 1 else str(len(rows))
        filled = form(request.POST if CONFIRMED in request.POST else None, expected=expected)
        if filled.is_valid():
            by: User = get_operator(request)
            try:
                carry_out(request, rows, lambda row: act(row, by=by, **filled.cleaned_data))
            except RuleBroken as broken:
                filled.add_error(None, str(broken))  # of what was typed: it can be mended here
            else:
                return None
        context = {
            **admin.admin_site.each_context(request),
            "opts": admin.opts,
            "title": label,
            "says": says,
            "rows": [(row.pk, describe(row)) for row in rows],
            "form": filled,
            "action": request.POST["action"],
            "is_final": is_final,
            "checkbox": ACTION_CHECKBOX_NAME,
            **(facts(rows) if facts else {}),
        }
        request.current_app = admin.admin_site.name
        status = 400 if filled.is_bound else 200
        return TemplateResponse(request, "accounts/admin/confirm_act.html", context, status=status)

    action.short_description = label  # type: ignore[attr-defined]  # Django reads it there
    return action
