"""Changing what a connector asks to be allowed: what would follow is shown first, then done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from accounts.views.decorators import require_reauthentication, signed_in, user_of
from connectors.models import Connector, Grant, RefreshToken
from connectors.permissions import DESCRIPTIONS, ORGANISATION_WIDE, PERMISSIONS, Permission, sort_permissions
from connectors.queries import access_requests, connectors, usage
from connectors.services import permissions
from connectors.views import access_requests as request_pages
from connectors.views import links
from connectors.views.forms import TypedNameForm, add_refusal
from connectors.views.usage import get_listener_facts
from kaizala_console.lib import bounded, clock
from kaizala_console.lib.errors import RuleBroken


@dataclass(frozen=True, slots=True)
class PermissionChoice:
    """One box: `value` is sent, `label` is the portal's, the rest says what it means."""

    value: str
    label: Promise
    can: Promise
    why: Promise
    chosen: bool
    is_organisation_wide: bool


def list_choices(chosen: Collection[str], among: Collection[Permission] = PERMISSIONS) -> list[PermissionChoice]:
    """One row for each permission of `among`, in the portal's order."""
    return [
        PermissionChoice(
            value=permission.value,
            label=DESCRIPTIONS[permission].label,
            can=DESCRIPTIONS[permission].can,
            why=DESCRIPTIONS[permission].why,
            chosen=permission.value in chosen,
            is_organisation_wide=permission in ORGANISATION_WIDE,
        )
        for permission in sort_permissions(among)
    ]


def get_summary() -> dict[str, list[tuple[str, Promise]]]:
    """Every sentence of both columns with its permission: the style sheet shows those that the boxes call for."""
    return {
        "can": [(permission.value, DESCRIPTIONS[permission].can) for permission in PERMISSIONS],
        "cannot": [(permission.value, DESCRIPTIONS[permission].cannot) for permission in PERMISSIONS],
    }


CHANGE = gettext_lazy("Change permissions")


@require_http_methods(["GET", "POST"])
@signed_in(button_label=gettext_lazy("Continue"))
def change(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Boxes first, then what would follow, then the change; of what takes something away, with the name typed."""
    connector = connectors.get_own_connector(user_of(request), connector_id)
    if request.method != "POST":
        return _boxes(request, connector, _form(connector, None))
    form = request_pages.ChangePermissionsForm(request.POST)
    if "back" in request.POST or not form.is_valid():
        shown = form if "back" not in request.POST else _form(connector, request.POST)
        return _boxes(request, connector, shown, status=400 if shown.is_bound else 200)
    chosen = frozenset(form.cleaned_data["permissions"])
    if chosen == connector.permissions:
        messages.info(request, _("Nothing changed."))
        return redirect("connectors:details", connector.pk)
    sure = "sure" in request.POST
    typed = TypedNameForm(request.POST if sure else None, initial=request.POST.dict(), name=connector.name)
    if not sure or (connector.permissions - chosen and not typed.is_valid()):
        return _preview(request, connector, form, typed)
    require_reauthentication(request)
    return _change(request, connector=connector, form=form, chosen=chosen)


def _change(
    request: HttpRequest,
    *,
    connector: Connector,
    form: request_pages.ChangePermissionsForm,
    chosen: frozenset[Permission],
) -> HttpResponse:
    try:
        changed = permissions.change(
            connector=connector, permissions=chosen, reason=form.cleaned_data["reason"], by=user_of(request)
        )
    except RuleBroken as broken:
        add_refusal(form, broken)
        return _boxes(request, connector, form, status=400)
    messages.success(request, _("Permissions changed."))
    if changed.requests_made:
        asked = ngettext(
            "%(count)d group must approve the added permissions.",
            "%(count)d groups must approve the added permissions.",
            changed.requests_made,
        )
        messages.info(request, asked % {"count": changed.requests_made})
    return redirect("connectors:details", connector.pk)


def _form(connector: Connector, typed: Any) -> request_pages.ChangePermissionsForm:
    if typed is None:
        return request_pages.ChangePermissionsForm(initial={"permissions": list(connector.permissions)})
    return request_pages.ChangePermissionsForm(
        initial={"permissions": typed.getlist("permissions"), "reason": typed.get("reason", "")}
    )


def _boxes(
    request: HttpRequest, connector: Connector, form: request_pages.ChangePermissionsForm, *, status: int = 200
) -> HttpResponse:
    context = {
        **_frame(connector),
        "form": form,
        "choices": list_choices(form["permissions"].value() or ()),
        **get_summary(),
    }
    return render(request, "connectors/permissions.html", context, status=status)


def _preview(
    request: HttpRequest, connector: Connector, form: request_pages.ChangePermissionsForm, typed: TypedNameForm
) -> HttpResponse:
    chosen = frozenset(form.cleaned_data["permissions"])
    added, removed = chosen - connector.permissions, connector.permissions - chosen
    reach = access_requests.get_concerned(connector, added=added, removed=removed)
    context = {
        **_frame(connector),
        "typed": typed if removed else None,
        "carried": [("permissions", permission.value) for permission in sort_permissions(chosen)]
        + [("reason", form.cleaned_data["reason"])],
        "added": [DESCRIPTIONS[permission].can for permission in sort_permissions(added)],
        "removed": [DESCRIPTIONS[permission].cannot for permission in sort_permissions(removed)],
        "asked": reach.asked,
        **(_what_stops(connector, reach.cut, removed) if removed else {}),
    }
    return render(request, "connectors/permissions_preview.html", context, status=400 if typed.is_bound else 200)


def _what_stops(connector: Connector, cut: list[Grant], removed: frozenset[Permission]) -> dict[str, Any]:
    """What "What will stop" counts: the grants and their tokens, the calls by endpoint, and webhooks, if they end."""
    lost = usage.count_lost_by_endpoint(connector, removed)
    grants = Grant.objects.filter(pk__in=[grant.pk for grant in cut])
    live = RefreshToken.objects.live(clock.now()).filter(grant__in=grants)
    ends_webhooks = Permission.OUTGOING_WEBHOOKS in removed
    listening = get_listener_facts(grants) if ends_webhooks else {"listening": 0}
    return {
        "facts": [
            {"label": _("access that loses permissions"), "count": len(cut)},
            {"label": _("groups"), "count": sum(1 for grant in cut if grant.kind == Grant.Kind.GROUP)},
            {"label": _("live refresh tokens that lose permissions"), "count": bounded.count(live)},
            {
                "label": _("calls of the last 24 hours that would have failed"),
                "count": sum(endpoint.day for endpoint in lost),
            },
            {
                "label": _("calls of the last 7 days that would have failed"),
                "count": sum(endpoint.week for endpoint in lost),
            },
            {
                "label": _("calls of the last 30 days that would have failed"),
                "count": sum(endpoint.calls for endpoint in lost),
            },
            {"label": _("active webhooks"), "count": listening["listening"]},
        ],
        "lost": lost[: usage.MOST_LINES],
        **listening,
    }


def _frame(connector: Connector) -> dict[str, Any]:
    return {"connector": connector, "crumbs": links.connector_crumbs(connector, here=str(CHANGE))}
