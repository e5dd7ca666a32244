"""Changing what a connector asks to be allowed: what would follow is shown first, then done."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from accounts.pages.decorators import freshly_confirmed, signed_in, user_of
from accounts.pages.kept_forms import kept_form
from connectors import queries, request_queries, usage_queries
from connectors.models import Connector
from connectors.pages import links, permission_choices
from connectors.pages.request_forms import ChangePermissionsForm
from connectors.scopes import DESCRIPTIONS, Permission, in_order
from connectors.services import permissions
from kaizala_console.lib.errors import RuleBroken

CHANGE = gettext_lazy("Change permissions")


@require_http_methods(["GET", "POST"])
@signed_in(press=gettext_lazy("Continue"))
def change(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Boxes first, then what would follow, then the change. For owners."""
    connector = queries.own_connector(user_of(request), connector_id)
    if request.method != "POST":
        return _boxes(request, connector, _form(connector, kept_form(request)))
    form = ChangePermissionsForm(request.POST)
    if "back" in request.POST or not form.is_valid():
        shown = form if "back" not in request.POST else _form(connector, request.POST)
        return _boxes(request, connector, shown, status=400 if shown.is_bound else 200)
    chosen = frozenset(form.cleaned_data["permissions"])
    if chosen == connector.permissions:
        messages.info(request, _("Nothing was changed: these are its permissions already."))
        return redirect("connectors:details", connector.pk)
    if "sure" not in request.POST:
        return _preview(request, connector, form, chosen)
    return _change_when_confirmed(request, connector_id=connector_id, connector=connector, form=form, chosen=chosen)


def _change(
    request: HttpRequest,
    *,
    connector_id: UUID,
    connector: Connector,
    form: ChangePermissionsForm,
    chosen: frozenset[Permission],
) -> HttpResponse:
    try:
        changed = permissions.change(
            connector=connector, permissions=chosen, reason=form.cleaned_data["reason"], by=user_of(request)
        )
    except RuleBroken as broken:
        form.add_error(broken.field if broken.field in form.fields else None, str(broken))
        return _boxes(request, connector, form, status=400)
    messages.success(request, _("The permissions are changed."))
    if changed.requests_made:
        asked = ngettext(
            "%(count)d group is asked for the rest. Until its admin answers, it goes on as before.",
            "%(count)d groups are asked for the rest. Until their admins answer, they go on as before.",
            changed.requests_made,
        )
        messages.info(request, asked % {"count": changed.requests_made})
    return redirect("connectors:details", connector_id)


def _here(connector_id: UUID, **_more: Any) -> str:
    return reverse("connectors:permissions", args=[connector_id])


_change_when_confirmed = freshly_confirmed(_change, form_at=_here, press=gettext_lazy("Continue"))


def _form(connector: Connector, typed: Any) -> ChangePermissionsForm:
    if typed is None:
        return ChangePermissionsForm(initial={"permissions": list(connector.permissions)})
    return ChangePermissionsForm(
        initial={"permissions": typed.getlist("permissions"), "reason": typed.get("reason", "")}
    )


def _boxes(
    request: HttpRequest, connector: Connector, form: ChangePermissionsForm, *, status: int = 200
) -> HttpResponse:
    context = {
        **_frame(connector),
        "form": form,
        "choices": permission_choices.rows(form["permissions"].value() or ()),
        **permission_choices.summary(),
    }
    return render(request, "connectors/permissions.html", context, status=status)


def _preview(
    request: HttpRequest, connector: Connector, form: ChangePermissionsForm, chosen: frozenset[Permission]
) -> HttpResponse:
    added, removed = chosen - connector.permissions, connector.permissions - chosen
    lost = usage_queries.lost_by_endpoint(connector, removed)
    reach = request_queries.concerned_by(connector, added=added, removed=removed)
    context = {
        **_frame(connector),
        "form": form,
        "carried": [("permissions", permission.value) for permission in in_order(chosen)]
        + [("reason", form.cleaned_data["reason"])],
        "added": [DESCRIPTIONS[permission].can for permission in in_order(added)],
        "removed": [DESCRIPTIONS[permission].cannot for permission in in_order(removed)],
        "asked": reach.asked,
        "facts": [
            {"label": _("grants that lose something"), "count": reach.cut},
            {
                "label": _("calls of the last 30 days that would have failed"),
                "count": sum(endpoint.calls for endpoint in lost),
            },
        ],
        "lost": lost[: usage_queries.MOST_LINES],
    }
    return render(request, "connectors/permissions_preview.html", context)


def _frame(connector: Connector) -> dict[str, Any]:
    return {"connector": connector, "crumbs": links.connector_crumbs(connector, (str(CHANGE), ""))}
