"""The developer's side of requests: "Send a request", its link, what became of it. Opening a link changes nothing."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from accounts.views.decorators import signed_in, user_of
from connectors.models import AccessRequest, Connector, ConnectorState, RequestState
from connectors.permissions import describe_permissions, list_labels
from connectors.queries import access_requests, connectors
from connectors.services import access_requests as requests
from connectors.services.access_requests import LONGEST_REASON, new_once
from connectors.views import links, permissions
from connectors.views.forms import (
    PERMISSION_CHOICES,
    PermissionsForm,
    WithEndDate,
    add_refusal,
    flash_refusals,
    last_day,
)
from kaizala_console.lib import clock, ids, live
from kaizala_console.lib.errors import Conflict, RuleBroken, TooSoon
from kaizala_console.statuses import STATUSES

PILLS = {
    RequestState.WAITING: "waiting",
    RequestState.APPROVED: "approved",
    RequestState.REFUSED: "refused",
    RequestState.WITHDRAWN: "withdrawn",
    RequestState.EXPIRED: "expired",
}
SHOWS = {
    "": STATUSES[PILLS[RequestState.WAITING]].word,
    **{state.value: STATUSES[pill].word for state, pill in PILLS.items() if state is not RequestState.WAITING},
    "earlier": gettext_lazy("Closed"),
    "all": gettext_lazy("All requests"),
}


@require_GET
@signed_in
def listing(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """The connector's requests: those that wait first of all. What cannot be understood in the address is left out."""
    connector, context = links.get_own(user_of(request), connector_id, "requests")
    show = links.get_choice(request, "show", SHOWS)
    search = request.GET.get("q", "").strip()[:120]
    page = access_requests.get_request_page(connector, show=show, search=search, cursor=request.GET.get("cursor"))
    shown = str(SHOWS[show]) if show in ("earlier", "all") else _("State: %(state)s") % {"state": SHOWS[show]}
    context |= {
        "rows": [get_row(asked) for asked in page.items],
        "show": show,
        "search": search,
        "shows": links.make_select("show", "", SHOWS, show)["options"],
        "chips": links.list_chips(request, search, show=show and shown),
        "first_page_url": request.path,
        "all_url": links.url_with(request, show="all", cursor=None),
        **links.pagination_links(request, page),
    }
    return render(request, "connectors/requests.html", context)


@require_http_methods(["GET", "POST"])
@signed_in(button_label=gettext_lazy("Send request"))
def send(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """ "Send a request". The same form sent twice is one request."""
    user = user_of(request)
    connector = connectors.get_own_connector(user, connector_id)
    if request.method != "POST":
        again = _asked_before(request, user, connector)
        return _form_page(request, connector, RequestForm.fresh(connector, again))
    form = RequestForm(request.POST, connector=connector)
    if form.is_valid():
        group: UUID | None = form.cleaned_data["group"]
        try:
            asked = requests.ask(
                connector=connector,
                by=user,
                permissions=form.cleaned_data["permissions"],
                once=form.cleaned_data["once"],
                reason=form.cleaned_data["reason"],
                ends_at=form.ends_at(),
                target=f"group:{group}" if group else "",
            )
        except Conflict as there:
            add_refusal(form, there, "group")
        except (RuleBroken, TooSoon) as broken:
            add_refusal(form, broken)
        else:
            messages.success(request, _("Request created. Send the link to a group admin."))
            return redirect("connectors:request", connector.pk, asked.pk)
    return _form_page(request, connector, form, status=400)


def _asked_before(request: HttpRequest, user: User, connector: Connector) -> AccessRequest | None:
    """What "Ask again" fills the form with: `?again=` names a request of this connector. Raises NotFound."""
    key = ids.parse_guid(request.GET.get("again", ""))
    return access_requests.get_own_request(user, connector, key) if key else None


@require_GET
@signed_in
@live.polled
def request_page(request: HttpRequest, connector_id: UUID, request_id: UUID) -> HttpResponse:
    """One request: its link to copy, and what became of it. An open page shows by itself that it was answered."""
    user = user_of(request)
    connector = connectors.get_own_connector(user, connector_id)
    etag = live.etag(user.pk, access_requests.get_request_version(request_id))
    if unchanged := live.unchanged(request, etag):
        return unchanged
    asked = access_requests.get_own_request(user, connector, request_id)
    can, cannot = describe_permissions(asked.permissions)
    waits = asked.state is RequestState.WAITING
    context = {
        **get_row(asked),
        "connector": connector,
        **(live.follow(request.path, etag) if waits else {}),
        "handoff_id": access_requests.get_handoff_to_claim(asked),
        "can": can,
        "cannot": cannot,
        "waits": waits,
        "why_over": "" if waits else requests.explain_over(asked),
        "link": reverse("groups:request", args=[asked.pk]),
        "crumbs": links.connector_crumbs(connector, "requests", here=where(asked)),
    }
    return render(request, "connectors/request.html", context)


@require_POST
@signed_in(button_label=gettext_lazy("Withdraw"))
def withdraw(request: HttpRequest, connector_id: UUID, request_id: UUID) -> HttpResponse:
    """The developer asks no more. Twice is once."""
    user = user_of(request)
    connector = connectors.get_own_connector(user, connector_id)
    asked = access_requests.get_own_request(user, connector, request_id)
    with flash_refusals(request):
        requests.withdraw(request=asked, by=user)
        messages.success(request, _("Request withdrawn. Its link no longer works."))
    return redirect("connectors:request", connector.pk, asked.pk)


def get_row(asked: AccessRequest) -> dict[str, Any]:
    """What a line about a request says, for both sides."""
    return {
        "asked": asked,
        "pill": PILLS[asked.state],
        "waits": asked.state is RequestState.WAITING,
        "where": where(asked),
        "permissions": ", ".join(list_labels(asked.permissions)),
        "given": ", ".join(list_labels(asked.given)),
        "is_more": asked.kind == AccessRequest.Kind.MORE,
        "again": _may_ask_again(asked),
    }


def _may_ask_again(asked: AccessRequest) -> bool:
    """More permissions are asked for by changing the connector's own (`views.permissions`)."""
    over = asked.state in (RequestState.REFUSED, RequestState.EXPIRED, RequestState.WITHDRAWN)
    return over and asked.kind == AccessRequest.Kind.ACCESS and asked.connector.state is ConnectorState.LIVE


def where(asked: AccessRequest) -> str:
    """What would be reached, as far as the developer may know: the name of a group only once its admin answered."""
    if asked.target_name:
        return asked.target_name
    if asked.by_link:
        return _("Request link")
    return _("Group %(id)s") % {"id": asked.target.partition(":")[2]}


def _form_page(request: HttpRequest, connector: Connector, form: RequestForm, *, status: int = 200) -> HttpResponse:
    chosen = form["permissions"].value() or ()
    context = {
        "connector": connector,
        "form": form,
        "choices": permissions.list_choices(chosen, connector.permissions),
        "crumbs": links.connector_crumbs(connector, "requests", here=_("Send a request")),
    }
    return render(request, "connectors/request_send.html", context, status=status)


# ----------------------------------------------------------------------------------------------------
# The forms by which a developer asks: for access, and for other permissions.


# What an admin sends to say which group it is, is mostly the address of its page.
IN_AN_ADDRESS = re.compile(r"/groups/([0-9A-Fa-f-]{32,36})(?:[/?#@]|$)")


class ReasonForm(forms.Form):
    """Why; the admin reads it."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=LONGEST_REASON,
        help_text=gettext_lazy("Tell the group admin what the program does, and for whom."),
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": LONGEST_REASON}),
    )


class RequestForm(PermissionsForm, WithEndDate, ReasonForm):
    """ "Send a request": what the connector should be allowed, where, until when, and why."""

    group = forms.CharField(
        label=gettext_lazy("Group ID"),
        required=False,
        help_text=gettext_lazy("If empty, you get a link, and the admin who opens it chooses the group."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "maxlength": 300}),
    )
    once = forms.CharField(widget=forms.HiddenInput, required=False)

    field_order = ["permissions", "group", "end_date", "reason"]

    def __init__(self, *args: Any, connector: Connector, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["permissions"].choices = [  # type: ignore[attr-defined]
            (value, label) for value, label in PERMISSION_CHOICES if value in connector.permissions
        ]

    def clean_group(self) -> UUID | None:
        typed: str = self.cleaned_data["group"].strip()
        address = IN_AN_ADDRESS.search(typed)
        key = ids.parse_guid(address[1] if address else typed) if typed else None
        if typed and key is None:
            raise ValidationError(_("A group ID looks like 0192f3a4-5b6c-7d8e-9f01-23456789abcd."))
        return key

    @classmethod
    def fresh(cls, connector: Connector, again: AccessRequest | None = None) -> RequestForm:
        """The form as it is opened: everything ticked that the connector has, or what was asked before.

        Of `again`, what the connector does not have any more and a day that has passed are left out; and the group,
        when the link's reader chose it.
        """
        if again is not None:
            initial: dict[str, Any] = {
                "permissions": list(again.permissions & connector.permissions),
                "group": "" if again.by_link else again.target.partition(":")[2],
                "end_date": last_day(again.ends_at if again.ends_at and again.ends_at > clock.now() else None),
                "reason": again.reason,
            }
        else:
            initial = {"permissions": list(connector.permissions)}
        return cls(initial={"once": new_once(), **initial}, connector=connector)


class ChangePermissionsForm(PermissionsForm, ReasonForm):
    """What the connector asks to be allowed from now on."""

    field_order = ["permissions", "reason"]
