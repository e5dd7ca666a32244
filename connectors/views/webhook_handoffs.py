"""Registering the address that is told of a connector's handoffs. For owners, after a fresh confirmation."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.views.decorators import require_reauthentication, user_of, with_phone
from connectors.models.webhook import MOST_URL_CHARACTERS
from connectors.queries import connectors
from connectors.views import links
from connectors.webhooks import handoff_address
from connectors.webhooks import queries as webhook_queries
from kaizala_console.lib.errors import Conflict, RuleBroken, TooSoon


class AddressForm(forms.Form):
    """Where the connector's program listens."""

    address = forms.CharField(
        label=gettext_lazy("Address"),
        help_text=gettext_lazy(
            "It must begin with https:// and be public. It is asked once with ?validationToken=…, and must answer with "
            "that token as plain text."
        ),
        error_messages={"required": gettext_lazy("Enter the address that is to be told.")},
        max_length=MOST_URL_CHARACTERS,
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Register address"))
def register(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """GET asks for the address; POST has it answer the handshake, and keeps it. Twice is once."""
    user = user_of(request)
    connector = connectors.own_connector(user, connector_id)
    form = AddressForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        require_reauthentication(request)
        try:
            made = handoff_address.register(connector=connector, callback_url=form.cleaned_data["address"], by=user)
        except (RuleBroken, Conflict, TooSoon) as refused:
            form.add_error("address", str(refused))
        else:
            messages.success(request, _("%(host)s is told of handoffs from now on.") % {"host": made.host})
            return redirect("connectors:webhook_settings", connector_id, made.pk)
    elif request.method == "GET":
        present = webhook_queries.of_handoffs(connector)
        if present is not None:
            return redirect("connectors:webhook_settings", connector_id, present.pk)
    context = {
        "connector": connector,
        "form": form,
        "crumbs": links.connector_crumbs(
            connector,
            (_("Webhooks"), reverse("connectors:webhooks", args=[connector.pk])),
            (_("Handoffs"), ""),
        ),
    }
    return render(request, "connectors/webhook_handoffs.html", context, status=400 if form.is_bound else 200)
