"""The owners of a connector: who they are, a further one, one less, and handing it on to somebody else."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.views.decorators import reauthentication_required, require_reauthentication, user_of, with_phone
from connectors import policies
from connectors.models import Connector
from connectors.queries import connectors
from connectors.services import owners as services
from connectors.views import links
from connectors.views.forms import TypedNameForm, flash_refusals, get_posted, show_refusals
from kaizala_console.lib.errors import NotFound


class ColleagueForm(forms.Form):
    """Somebody of the same organisation, by the address that they sign in with."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        help_text=gettext_lazy("A colleague who has signed in before."),
        error_messages={"required": gettext_lazy("Enter a colleague’s e-mail address.")},
        widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class TransferForm(ColleagueForm, TypedNameForm):
    """The new owner, whether the old one stays as a co-owner, and the connector's name to confirm it."""

    stay = forms.BooleanField(label=gettext_lazy("Stay a co-owner"), required=False)
    field_order = ("email", "stay", "typed")


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Add co-owner"))
def owners(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """GET lists them; POST makes a colleague a co-owner."""
    user = user_of(request)
    connector = _connector(user, connector_id)
    may_name = policies.can_name_owners(user, connector)
    if request.method == "POST" and not may_name:
        raise NotFound
    form = ColleagueForm(get_posted(request))
    if form.is_valid():
        require_reauthentication(request)
        with show_refusals(form):
            added = services.add(connector=connector, by=user, **form.cleaned_data)
            messages.success(request, _("%(name)s is now a co-owner. We notified them.") % {"name": added.name})
            return redirect("connectors:owners", connector.pk)
    context = {
        "connector": connector,
        "rows": _rows(user, connector, may_name=may_name),
        "may_name": may_name,
        "is_left": not connector.owner.is_active,
        "form": form,
        "crumbs": links.connector_crumbs(connector, "owners"),
    }
    return render(request, "connectors/owners.html", context, status=400 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=gettext_lazy("Remove co-owner"))
def remove(request: HttpRequest, connector_id: UUID, user_id: int) -> HttpResponse:
    """GET tells what would happen, POST takes a co-owner's rights away: somebody's, or one's own."""
    user = user_of(request)
    connector = _connector(user, connector_id)
    if not (policies.can_name_owners(user, connector) or user.pk == user_id):
        raise NotFound
    co_owner = connector.co_owners.filter(pk=user_id).first()
    if co_owner is None:
        raise NotFound
    leaves = co_owner.pk == user.pk
    if request.method == "POST":
        with flash_refusals(request):
            services.remove(connector=connector, user=co_owner, by=user)
            says = _("You are no longer a co-owner.") if leaves else _("%(name)s is no longer a co-owner.")
            messages.success(request, says % {"name": co_owner.name})
        return redirect("connectors:details" if leaves else "connectors:owners", connector.pk)
    context = {
        "connector": connector,
        "co_owner": co_owner,
        "leaves": leaves,
        "crumbs": links.connector_crumbs(connector, "owners", here=_("Remove co-owner")),
    }
    return render(request, "connectors/owner_remove.html", context)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Transfer ownership"))
def transfer(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """GET tells what it means, POST with the connector's name makes a colleague the owner."""
    user = user_of(request)
    connector = _connector(user, connector_id)
    if not policies.can_name_owners(user, connector):
        raise NotFound
    form = TransferForm(get_posted(request), initial={"stay": True}, name=connector.name)
    is_owner = connector.owner_id == user.pk
    if not is_owner:
        del form.fields["stay"]  # of an account that is switched off
    if form.is_valid():
        require_reauthentication(request)
        chosen = form.cleaned_data
        with show_refusals(form):
            new = services.transfer(connector=connector, email=chosen["email"], stay=chosen.get("stay", False), by=user)
            messages.success(request, _("%(name)s is now the owner. We notified them.") % {"name": new.name})
            return redirect("connectors:details", connector.pk)
    context = {
        "connector": connector,
        "form": form,
        "is_owner": is_owner,
        "crumbs": links.connector_crumbs(connector, "owners", here=_("Transfer ownership")),
    }
    return render(request, "connectors/owner_transfer.html", context, status=400 if form.is_bound else 200)


def _connector(user: User, connector_id: UUID) -> Connector:
    """For its owners, and for who may name others in the place of an owner whose account is switched off."""
    connector = connectors.get_connector(user, connector_id)
    if not (policies.is_owner(user, connector) or policies.can_name_owners(user, connector)):
        raise NotFound
    return connector


def _rows(user: User, connector: Connector, *, may_name: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{"person": connector.owner, "is_owner": True, "act": "", "url": ""}]
    for person in connector.co_owners.order_by("name", "pk"):
        act = _("Leave") if person.pk == user.pk else _("Remove") if may_name else ""
        url = reverse("connectors:owner_remove", args=[connector.pk, person.pk]) if act else ""
        rows.append({"person": person, "is_owner": False, "act": act, "url": url})
    return rows
