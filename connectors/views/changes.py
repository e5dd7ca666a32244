"""Changing what a connector says about itself."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.views.decorators import require_reauthentication, user_of, with_phone
from connectors.queries import connectors as queries
from connectors.services import connectors
from connectors.views import links
from connectors.views.forms import DetailsForm, add_broken_rule
from kaizala_console.lib.errors import RuleBroken


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Save"))
def change(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Name, description, home page and redirect URLs; for owners."""
    user = user_of(request)
    connector = queries.own_connector(user, connector_id)
    typed = request.POST if request.method == "POST" else None
    form = DetailsForm.of(connector, typed, taken=queries.names_of(connector.owner, but=connector))
    if request.method == "POST" and form.is_valid():
        require_reauthentication(request)
        try:
            connectors.update(connector=connector, by=user, **form.cleaned_data)
        except RuleBroken as broken:
            add_broken_rule(form, broken)
        else:
            messages.success(request, _("Saved."))
            return redirect("connectors:details", connector.pk)
    crumbs = links.connector_crumbs(connector, (_("Change details"), ""))
    return render(request, "connectors/change.html", {"connector": connector, "form": form, "crumbs": crumbs})
