"""The list of connectors: own ones first of all, or everybody's. What is asked for stands in the address."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from accounts.models import AuditEvent, User
from accounts.views.decorators import (
    reauthentication_required,
    require_reauthentication,
    signed_in,
    user_of,
    with_phone,
)
from accounts.views.timeline import rows
from connectors import policies
from connectors.models import Connector, ConnectorState
from connectors.permissions import DESCRIPTIONS, describe_permissions, sort_permissions
from connectors.queries import connectors as connector_queries
from connectors.queries import usage as usage_queries
from connectors.services import connectors
from connectors.services import one_time_secrets as one_time_secret_service
from connectors.views import links, one_time_secrets, permissions, usage
from connectors.views.forms import (
    DetailsForm,
    PermissionsForm,
    SecretEndForm,
    add_refusal,
    get_idempotency_key,
    get_posted,
    show_refusals,
)
from connectors.views.states import list_changes
from kaizala_console.lib import pictures
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken
from kaizala_console.lib.pagination import paginate
from kaizala_console.statuses import STATUSES

SHOWS = {"mine": gettext_lazy("My Connectors"), "all": gettext_lazy("All Connectors")}
STATES = {
    "": gettext_lazy("Any state"),
    **{
        state.value: STATUSES[state.value].word
        for state in (ConnectorState.LIVE, ConnectorState.DEACTIVATED, ConnectorState.SUSPENDED)
    },
}
SORTS = {
    "": gettext_lazy("By name"),
    "newest": gettext_lazy("Newest first"),
    "oldest": gettext_lazy("Oldest first"),
    "used": gettext_lazy("Last used first"),
    "ends": gettext_lazy("Ends next"),
}
NAMED_IN_A_ROW = 3


@require_GET
@signed_in
def connector_list(request: HttpRequest) -> HttpResponse:
    """One page of the list. What cannot be understood in the address is left out rather than refused."""
    show = _show(request)
    everybodys = show == "all"
    offered = connector_queries.list_sorts(everybodys=everybodys)
    sorts = {key: label for key, label in SORTS.items() if (key or "name") in offered}
    state = links.get_choice(request, "state", STATES)
    sort = links.get_choice(request, "sort", sorts)
    search = request.GET.get("q", "").strip()[:120]
    page = connector_queries.get_connector_page(
        user_of(request),
        everybodys=everybodys,
        search=search,
        state=state,
        sort=sort or "name",
        cursor=request.GET.get("cursor"),
    )
    sparks = {} if everybodys else usage_queries.get_daily_calls(page.items)
    context = {
        "rows": [_row(connector, sparks.get(connector.pk)) for connector in page.items],
        "everybodys": everybodys,
        "search": search,
        "selects": [
            links.make_select("show", _("Whose connectors"), SHOWS, show),
            links.make_select("state", _("State"), STATES, state),
            links.make_select("sort", _("Order"), sorts, sort),
        ],
        "chips": links.list_chips(request, search, state=state and _("State: %(state)s") % {"state": STATES[state]}),
        "filtered": bool(search or state),
        "first_page_url": links.url_with(request, q=None, state=None, cursor=None),
        **links.pagination_links(request, page),
    }
    return render(request, "connectors/list.html", context)


def _show(request: HttpRequest) -> str:
    """Which list: their own, unless they ask for all, or administer the organisation and own none."""
    asked, user = request.GET.get("show"), user_of(request)
    if asked in SHOWS:
        return asked
    return "all" if user.is_organisation_admin and not connector_queries.list_own_connectors(user).exists() else "mine"


def _row(connector: Connector, days: list[int] | None) -> dict[str, Any]:
    names = [str(DESCRIPTIONS[permission].label) for permission in sort_permissions(connector.permissions)]
    return {
        "connector": connector,
        "state": connector.state.value,
        "named": ", ".join(names[:NAMED_IN_A_ROW]),
        "more": max(0, len(names) - NAMED_IN_A_ROW),
        "all": ", ".join(names),
        "spark": usage.spark(days) if days else None,
    }


# ----------------------------------------------------------------------------------------------------
# Adding a connector, in two screens. Nothing is stored between them: the second carries the first in hidden fields.


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
        form = ConnectorForm(request.POST, taken=connector_queries.list_names(user_of(request)))
        if form.is_valid():
            return _second_screen(request, form, PermissionsForm(initial=_get_chosen(request.POST)), request.POST)
        return _first_screen(request, form, request.POST)
    typed = request.POST if request.method == "POST" else None
    return _first_screen(request, ConnectorForm(initial=(typed or QueryDict()).dict()), typed)


@sensitive_post_parameters("idempotency_key")
@require_http_methods(["GET", "POST"])
@with_phone(button_label=CREATE)
@sensitive_variables("idempotency_key")
def create_permissions(request: HttpRequest) -> HttpResponse:
    """The second screen: permissions, and "Create Connector". Opened without the first, it leads there."""
    if request.method != "POST":
        return redirect("connectors:create")
    typed = request.POST
    form = ConnectorForm(typed)
    chosen = PermissionsForm(typed)
    idempotency_key = get_idempotency_key(typed)
    if one_time_secret_service.find(user=user_of(request), idempotency_key=idempotency_key) is not None:
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
            add_refusal(form, broken)
            return _first_screen(request, form, request.POST)
        add_refusal(chosen, broken)
        return _second_screen(request, form, chosen, request.POST)
    except Conflict as used:
        chosen.add_error(None, str(used))
        return _second_screen(request, form, chosen, None)
    return one_time_secrets.page(request, one_time_secrets.describe_connector(connector), token, idempotency_key)


def _first_screen(request: HttpRequest, form: ConnectorForm, typed: QueryDict | None) -> HttpResponse:
    carried = [("idempotency_key", get_idempotency_key(typed))]
    carried += [("permissions", value) for value in _get_chosen(typed)["permissions"]]
    return render(request, "connectors/create_details.html", {"form": form, "carried": carried, **_frame()})


def _second_screen(
    request: HttpRequest, form: ConnectorForm, chosen: PermissionsForm, typed: QueryDict | None
) -> HttpResponse:
    carried = [("idempotency_key", get_idempotency_key(typed))]
    carried += [(name, form[name].value() or "") for name in CARRIED]
    context: dict[str, Any] = {
        "form": chosen,
        "connector_name": form.cleaned_data.get("name", ""),
        "carried": carried,
        **_frame(),
        "choices": permissions.list_choices(chosen["permissions"].value() or ()),
        **permissions.get_summary(),
    }
    return render(request, "connectors/create_permissions.html", context)


def _frame() -> dict[str, Any]:
    crumbs = links.crumbs((_("Connectors"), reverse("connectors:list")), (_("Add Connector"), ""))
    return {"steps": STEPS, "crumbs": crumbs}


def _get_chosen(typed: QueryDict | None) -> dict[str, list[str]]:
    return {"permissions": typed.getlist("permissions") if typed else []}


# ----------------------------------------------------------------------------------------------------
# One connector: what it is and may do, for everybody of its organisation; the rest of its pages is for owners.


@require_GET
@signed_in
def overview(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """What the connector is and may do; owners also see the way on, and how to stop it."""
    user = user_of(request)
    connector = connector_queries.get_connector(user, connector_id)
    can, cannot = describe_permissions(connector.permissions)
    context: dict[str, Any] = {
        "can": can,
        "cannot": cannot,
        "co_owners": list(connector.co_owners.order_by("name")),
        "may_name_owners": policies.can_name_owners(user, connector),
        "key": connector.keys.live().first(),
    }
    if policies.can_see_credentials(user, connector):
        context |= {
            **links.get_frame(connector, "details"),
            "verbs": list_changes(connector),
            "exchange": one_time_secrets.get_exchange_command(connector),
            "ending_secret": connector_queries.get_secret_to_end_next(connector),
        }
    else:
        context |= {"connector": connector, "state": connector.state.value, "crumbs": links.connector_crumbs(connector)}
    return render(request, "connectors/details.html", context)


# ----------------------------------------------------------------------------------------------------
# Changing what a connector says about itself.


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Save"))
def change(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Name, description, home page and redirect URLs; for owners."""
    user = user_of(request)
    connector = connector_queries.get_own_connector(user, connector_id)
    taken = connector_queries.list_names(connector.owner, but=connector)
    form = DetailsForm.of(connector, get_posted(request), taken=taken)
    if form.is_valid():
        require_reauthentication(request)
        with show_refusals(form):
            connectors.update(connector=connector, by=user, **form.cleaned_data)
            messages.success(request, _("Saved."))
            return redirect("connectors:details", connector.pk)
    crumbs = links.connector_crumbs(connector, "change")
    return render(request, "connectors/change.html", {"connector": connector, "form": form, "crumbs": crumbs})


PAGE_SIZE = 50


@require_GET
@signed_in
def activity(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """One page of events, the newest first."""
    connector, context = links.get_own(user_of(request), connector_id, "activity")
    events = AuditEvent.objects.filter(connector_id=connector.pk)
    page = paginate(events, ("-id",), request.GET.get("cursor"), PAGE_SIZE)
    context |= {
        "events": rows(page.items),
        **links.pagination_links(request, page),
    }
    return render(request, "connectors/activity.html", context)


# Somebody uploaded it: no browser may take it for a page of the console. Its address has its hash, so it never changes.
_LOGO_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, max-age=31536000, immutable",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


class LogoForm(forms.Form):
    """One picture. What is in it is judged by the service."""

    logo = forms.FileField(
        label=gettext_lazy("Picture"),
        help_text=gettext_lazy("PNG, JPEG or WebP, up to 256 kB, 32 to 1024 pixels a side. Square is best."),
        error_messages={
            "required": gettext_lazy("Choose a picture."),
            "empty": gettext_lazy("Choose a picture: this file is empty."),
        },
        widget=forms.FileInput(attrs={"accept": ",".join(pictures.EXTENSIONS)}),
    )


@require_http_methods(["GET", "POST"])
@reauthentication_required(on_get=True, button_label=gettext_lazy("Save logo"))  # before a file is chosen
def logo(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """The logo that is there, another one instead, or none; for owners."""
    user = user_of(request)
    connector = connector_queries.get_own_connector(user, connector_id)
    form = LogoForm(get_posted(request), request.FILES or None)
    if form.is_valid():
        upload = form.cleaned_data["logo"]
        with show_refusals(form):
            connectors.set_logo(
                connector=connector,
                by=user,
                content=upload.read(connectors.MOST_LOGO_BYTES + 1),
                name=upload.name or "",
                content_type=upload.content_type or "",
            )
            messages.success(request, _("Logo saved."))
            return redirect("connectors:details", connector_id)
    crumbs = links.connector_crumbs(connector, "change", here=_("Logo"))
    context = {"connector": connector, "form": form, "crumbs": crumbs}
    return render(request, "connectors/logo.html", context, status=400 if form.is_bound else 200)


@require_POST
@reauthentication_required(button_label=gettext_lazy("Remove logo"))
def remove_logo(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Without a logo from now on; twice is once."""
    user = user_of(request)
    connectors.remove_logo(connector=connector_queries.get_own_connector(user, connector_id), by=user)
    messages.success(request, _("Logo removed."))
    return redirect("connectors:details", connector_id)


@require_safe
def logo_file(request: HttpRequest, connector_id: UUID, sha256: str) -> HttpResponse:
    """The picture. NotFound for everybody else, and for one that was replaced: no browser is led to sign in for it."""
    if not isinstance(request.user, User):
        raise NotFound
    found = connector_queries.get_logo(request.user, connector_id, sha256)
    return HttpResponse(bytes(found.content), content_type=found.content_type, headers=_LOGO_HEADERS)
