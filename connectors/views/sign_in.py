"""How a program signs its users in with Kaizala: its addresses, and whether PKCE is required. For owners."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.views.decorators import reauthentication_required, user_of
from connectors.queries import connectors
from connectors.services import oauth
from connectors.views import links


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=gettext_lazy("Save"))
def sign_in(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """The addresses of the OAuth endpoints, filled in, and the one switch."""
    user = user_of(request)
    connector = connectors.own_connector(user, connector_id)
    if request.method == "POST":
        connector = oauth.require_pkce(connector=connector, required="pkce_required" in request.POST, by=user)
        messages.success(request, _("PKCE is required now.") if connector.pkce_required else _("PKCE is optional now."))
        return redirect("connectors:sign_in", connector.pk)
    context = {
        "connector": connector,
        "pkce_required": connector.pkce_required,
        "authorize_url": f"{settings.CONSOLE_BASE_URL}/api/oauth/authorize",
        "token_url": f"{settings.CONSOLE_BASE_URL}/api/oauth/token",
        "crumbs": links.connector_crumbs(connector, (_("Sign-in with Kaizala"), "")),
    }
    return render(request, "connectors/sign_in.html", context)
