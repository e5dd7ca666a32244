"""The logo of a connector: its page for owners, and the picture itself for everybody who may see the connector."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from accounts.views.decorators import reauthentication_required, user_of
from connectors.queries import connectors
from connectors.services import connectors as services_connectors
from connectors.views import links
from connectors.views.forms import add_broken_rule
from kaizala_console.lib import pictures
from kaizala_console.lib.errors import NotFound, RuleBroken

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
        help_text=gettext_lazy(
            "PNG, JPEG or WebP, up to 256 kB, each side between 32 and 1024 pixels. Shown small: a square is best."
        ),
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
    connector = connectors.get_own_connector(user, connector_id)
    form = LogoForm(request.POST, request.FILES) if request.method == "POST" else LogoForm()
    if form.is_bound and form.is_valid():
        upload = form.cleaned_data["logo"]
        try:
            services_connectors.set_logo(
                connector=connector,
                by=user,
                content=upload.read(services_connectors.MOST_LOGO_BYTES + 1),
                name=upload.name or "",
                content_type=upload.content_type or "",
            )
        except RuleBroken as broken:
            add_broken_rule(form, broken)
        else:
            messages.success(request, _("The logo is saved."))
            return redirect("connectors:details", connector_id)
    change = reverse("connectors:change", args=[connector_id])
    crumbs = links.connector_crumbs(connector, (_("Change details"), change), (_("Logo"), ""))
    context = {"connector": connector, "form": form, "crumbs": crumbs}
    return render(request, "connectors/logo.html", context, status=400 if form.is_bound else 200)


@require_POST
@reauthentication_required(button_label=gettext_lazy("Remove logo"))
def remove_logo(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Without a logo from now on; twice is once."""
    user = user_of(request)
    services_connectors.remove_logo(connector=connectors.get_own_connector(user, connector_id), by=user)
    messages.success(request, _("The logo is removed."))
    return redirect("connectors:details", connector_id)


@require_safe
def logo_file(request: HttpRequest, connector_id: UUID, sha256: str) -> HttpResponse:
    """The picture. NotFound for everybody else, and for one that was replaced: no browser is led to sign in for it."""
    if not isinstance(request.user, User):
        raise NotFound
    found = connectors.get_logo(request.user, connector_id, sha256)
    return HttpResponse(bytes(found.content), content_type=found.content_type, headers=_LOGO_HEADERS)
