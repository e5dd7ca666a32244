"""Adding a connector, in two screens. Nothing is stored between them: the second carries the first in hidden fields."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts.views.decorators import require_reauthentication, user_of, with_phone
from connectors.queries import connectors as queries
from connectors.services import connectors
from connectors.services import one_time_secrets as shown_secrets
from connectors.views import links, one_time_secrets, permission_choices
from connectors.views.end_dates import SecretEndForm
from connectors.views.forms import DetailsForm, PermissionsForm, add_broken_rule, form_key_of
from kaizala_console.lib.errors import Conflict, RuleBroken

STEPS = [gettext_lazy("Name and details"), gettext_lazy("Permissions")]
CREATE = gettext_lazy("Create Connector")
SAID = tuple(DetailsForm.base_fields)


class ConnectorForm(DetailsForm, SecretEndForm):
    """The first screen: what the connector says about itself, and how long its first secret works."""


CARRIED = tuple(ConnectorForm.base_fields)


@sensitive_post_parameters("idempotency_key")
@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Continue"))
def details(request: HttpRequest) -> HttpResponse:
    """The first screen, and "Back" to it: name, description, home page, redirect URLs, the secret's end."""
    if request.method == "POST" and "back" not in request.POST:
        form = ConnectorForm(request.POST, taken=queries.names_of(user_of(request)))
        if form.is_valid():
            return _second_screen(request, form, PermissionsForm(initial=_chosen_in(request.POST)), request.POST)
        return _first_screen(request, form, request.POST)
    typed = request.POST if request.method == "POST" else None
    return _first_screen(request, ConnectorForm(initial=(typed or QueryDict()).dict()), typed)


@sensitive_post_parameters("idempotency_key")
@require_http_methods(["GET", "POST"])
@with_phone(button_label=CREATE)
@sensitive_variables("idempotency_key")
def permissions(request: HttpRequest) -> HttpResponse:
    """The second screen: permissions, and "Create Connector". Opened without the first, it leads there."""
    if request.method != "POST":
        return redirect("connectors:create")
    typed = request.POST
    form = ConnectorForm(typed)
    chosen = PermissionsForm(typed)
    idempotency_key = form_key_of(typed)
    if shown_secrets.find(user=user_of(request), idempotency_key=idempotency_key) is not None:
        return _create(request, form, chosen, idempotency_key)  # this form has been confirmed and sent before
    if not form.is_valid():
        return _first_screen(request, form, typed)
    if not chosen.is_valid():
        return _second_screen(request, form, chosen, typed)
    require_reauthentication(request)
    return _create(request, form, chosen, idempotency_key)


@sensitive_variables("idempotency_key", "token")
def _create(request: HttpRequest, form: ConnectorForm, chosen: PermissionsForm, idempotency_key: str) -> HttpResponse:
    fields = {name: form.cleaned_data.get(name, "") for name in SAID} if form.is_valid() else {"name": ""}
    ends_at = form.ends_at() if form.is_valid() else None
    granted = chosen.cleaned_data["permissions"] if chosen.is_valid() else []
    user = user_of(request)
    try:
        connector, token = connectors.create(
            owner=user, by=user, idempotency_key=idempotency_key, permissions=granted, secret_ends_at=ends_at, **fields
        )
    except RuleBroken as broken:
        if broken.field in form.fields:
            add_broken_rule(form, broken)
            return _first_screen(request, form, request.POST)
        add_broken_rule(chosen, broken)
        return _second_screen(request, form, chosen, request.POST)
    except Conflict as used:
        chosen.add_error(None, str(used))
        return _second_screen(request, form, chosen, None)
    return one_time_secrets.connector_page(request, connector, token, idempotency_key)


def _first_screen(request: HttpRequest, form: ConnectorForm, typed: QueryDict | None) -> HttpResponse:
    carried = [("idempotency_key", form_key_of(typed))]
    carried += [("permissions", value) for value in _chosen_in(typed)["permissions"]]
    return render(request, "connectors/create_details.html", {"form": form, "carried": carried, **_frame()})


def _second_screen(
    request: HttpRequest, form: ConnectorForm, chosen: PermissionsForm, typed: QueryDict | None
) -> HttpResponse:
    carried = [("idempotency_key", form_key_of(typed))]
    carried += [(name, form[name].value() or "") for name in CARRIED]
    context: dict[str, Any] = {
        "form": chosen,
        "connector_name": form.cleaned_data.get("name", ""),
        "carried": carried,
        **_frame(),
        "choices": permission_choices.rows(chosen["permissions"].value() or ()),
        **permission_choices.summary(),
    }
    return render(request, "connectors/create_permissions.html", context)


def _frame() -> dict[str, Any]:
    crumbs = links.crumbs((_("Connectors"), reverse("connectors:list")), (_("Add Connector"), ""))
    return {"steps": STEPS, "crumbs": crumbs}


def _chosen_in(typed: QueryDict | None) -> dict[str, list[str]]:
    return {"permissions": typed.getlist("permissions") if typed else []}
