"""An access token kept warm for one grant: the developer entrusts its credentials, sees how it goes, and stops it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from accounts.views.decorators import reauthentication_required, require_reauthentication, user_of, with_phone
from connectors.models import CachedToken, CachedTokenState, Grant
from connectors.queries import connectors
from connectors.services import token_cache
from connectors.views import links
from connectors.views.forms import get_posted, show_refusals
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotFound

SENSITIVE = ["secret", "refresh_token"]
PILLS = {
    CachedTokenState.READY: "ready",
    CachedTokenState.WAITING: "running",
    CachedTokenState.TROUBLED: "troubled",
    CachedTokenState.REFUSED: "refused",
}


class EntrustForm(forms.Form):
    """The two credentials of a program. They are never shown again, and never filled in."""

    secret = forms.CharField(
        label=gettext_lazy("Connector secret"),
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": gettext_lazy("Enter a secret of this connector.")},
    )
    refresh_token = forms.CharField(
        label=gettext_lazy("Refresh token"),
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": gettext_lazy("Enter the refresh token for this group.")},
    )


@sensitive_post_parameters(*SENSITIVE)
@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Keep it ready"))
@sensitive_variables("form")
def cached_token(request: HttpRequest, connector_id: UUID, grant_id: UUID) -> HttpResponse:
    """GET shows the status, POST entrusts the credentials."""
    grant = _own_grant(user_of(request), connector_id, grant_id)
    form = EntrustForm(get_posted(request))
    if form.is_valid():
        require_reauthentication(request)
        with show_refusals(form):
            token_cache.enable(grant=grant, by=user_of(request), **form.cleaned_data)
            messages.success(request, _("The console now keeps an access token ready."))
            return redirect("connectors:cached_token", connector_id, grant_id)
    return render(request, "connectors/cached_token.html", _context(grant, form), status=400 if form.errors else 200)


@require_POST
@reauthentication_required(button_label=gettext_lazy("Stop"))
def cached_token_stop(request: HttpRequest, connector_id: UUID, grant_id: UUID) -> HttpResponse:
    """Wipes what was entrusted and fetched."""
    grant = _own_grant(user_of(request), connector_id, grant_id)
    if token_cache.disable(grant=grant, by=user_of(request)):
        messages.success(request, _("Stopped. The stored credentials and tokens are deleted."))
    else:
        messages.info(request, _("No access token is kept ready."))
    return redirect("connectors:cached_token", connector_id, grant_id)


def _own_grant(user: User, connector_id: UUID, grant_id: UUID) -> Grant:
    connector = connectors.get_own_connector(user, connector_id)
    grant = Grant.objects.present().filter(pk=grant_id, connector=connector).first()
    if grant is None:
        raise NotFound
    grant.connector = connector
    return grant


def _context(grant: Grant, form: EntrustForm) -> dict[str, Any]:
    now, connector = clock.now(), grant.connector
    cached = CachedToken.objects.select_related("asked_by").filter(grant=grant).first()
    state = cached and cached.state(now)
    return {
        "connector": connector,
        "grant": grant,
        "form": form,
        "cached": cached,
        "pill": PILLS[state] if state else None,
        "is_ready": cached is not None and cached.is_ready(now),
        "is_refused": state is CachedTokenState.REFUSED,
        "crumbs": links.connector_crumbs(connector, "groups", here=_("Access token")),
    }
