"""Actions of the operators' lists: each shows what it does to the chosen rows, and is confirmed before it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.read_only import carry_out, operator_of
from accounts.models import User
from kaizala_console.lib.errors import RuleBroken

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
        if expected:  # last, as the confirmation of what stands above
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
    name: str,
    label: str | Promise,
    says: str | Promise,
    form: type[ConfirmForm] = ConfirmForm,
    facts: Callable[[Rows], Mapping[str, Any]] | None = None,
    describe: Callable[[Any], str] = str,
    is_final: bool = False,
    typed: Callable[[Any], str] = str,
) -> Action:
    """An action of a list. `act(row, by=…, **fields of the form)` is called for each row after the confirmation.

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
            by: User = operator_of(request)
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
            "action": name,
            "is_final": is_final,
            "checkbox": ACTION_CHECKBOX_NAME,
            **(facts(rows) if facts else {}),
        }
        request.current_app = admin.admin_site.name
        status = 400 if filled.is_bound else 200
        return TemplateResponse(request, "accounts/admin/confirm_act.html", context, status=status)

    action.short_description = label  # type: ignore[attr-defined]  # Django reads it there
    action.__name__ = name
    return action
