"""The token inspector: what is the matter with this credential, and would this call work? Nothing is stored."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.views.decorators import signed_in, user_of
from connectors import policies
from connectors.services import introspection
from connectors.views import links
from connectors.views.forms import get_posted
from kaizala_console.api.endpoint import Operation, list_operations
from kaizala_console.api.routing import get_routes
from kaizala_console.lib import rate_limit
from kaizala_console.lib.errors import TooSoon
from kaizala_console.lib.rate_limit import Limit

PER_MINUTE = 30


class _Forgetful(forms.Textarea):
    """Never repeats what was pasted."""

    def format_value(self, value: Any) -> None:
        return None


class InspectorForm(forms.Form):
    """A credential, and, to ask whether a call would work, which one and on which group."""

    token = forms.CharField(
        label=gettext_lazy("Token"),
        max_length=introspection.LONGEST_TEXT,
        help_text=gettext_lazy(
            "An access token, refresh token or secret. For your own, the first 21 characters are enough."
        ),
        error_messages={"required": gettext_lazy("Paste a token first.")},
        widget=_Forgetful(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )
    call = forms.ChoiceField(
        label=gettext_lazy("Would this call work?"), required=False, help_text=gettext_lazy("Optional check.")
    )
    group_id = forms.CharField(
        label=gettext_lazy("On the group"),
        max_length=64,
        required=False,
        help_text=gettext_lazy("As the program sends it."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Declared in English, translated with the explorer's words.
        labels = [(name, name + ": " + _(operation.summary)) for name, operation in list_calls().items()]
        self.fields["call"].choices = [("", "—"), *labels]  # type: ignore[attr-defined]


def list_calls() -> dict[str, Operation]:
    """Every call that needs an access token, by method and path, in the order of the protocol."""
    declared = list_operations(get_routes(settings.API_URLCONF))
    return {f"{method} /{route}": operation for method, route, operation in declared if operation.authenticate}


@sensitive_post_parameters("token")
@require_http_methods(["GET", "POST"])
@signed_in(button_label=gettext_lazy("Inspect"))
@sensitive_variables()
def inspector(request: HttpRequest) -> HttpResponse:
    """The form, and under it what was found. The token is in no address, no history and no log."""
    user = user_of(request)
    form = InspectorForm(get_posted(request))
    crumbs = links.crumbs((_("Connectors"), reverse("connectors:list")), (_("Inspect a token"), ""))
    context: dict[str, Any] = {"form": form, "crumbs": crumbs}
    if form.is_valid():
        _not_too_often(user)
        found = introspection.introspect(text=form.cleaned_data["token"], by=user)
        connector = found.connector
        operation = list_calls().get(form.cleaned_data["call"])
        predicted = introspection.explain_call(found, operation, form.cleaned_data["group_id"]) if operation else []
        lacks_group = "<group_id>" in form.cleaned_data["call"] and not form.cleaned_data["group_id"].strip()
        context |= {
            "found": found,
            "lacks_group": lacks_group,
            "call": form.cleaned_data["call"],
            "predicted": predicted,
            "call_works": found.works and all(check.passed for check in predicted),
            "may_open": connector is not None and connector.deleted_at is None and policies.can_see(user, connector),
        }
    response = render(request, "connectors/inspector.html", context, status=400 if form.errors else 200)
    add_never_cache_headers(response)
    return response


def _not_too_often(user: User) -> None:
    refusal = rate_limit.hit(Limit(f"inspector:{user.pk}", PER_MINUTE))
    if refusal is not None:
        raise TooSoon(_("Too many tokens inspected. Try again in a minute."), retry_after=refusal.retry_after)
