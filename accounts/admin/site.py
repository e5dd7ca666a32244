"""Who gets to the operators' pages, and by which way."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import auth
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext_lazy as _
from django_otp.admin import OTPAdminSite

from accounts.admin import second_factor
from accounts.views.decorators import safe_path


class OperatorsSite(OTPAdminSite):
    """Asks for `is_staff` and for a session that an authenticator app has opened.

    The way in: sign in with Office365, then the second factor; whoever has none yet sets one up, which asks for a fresh
    PIN. There is no password anywhere.
    """

    site_header = site_title = _("Kaizala Console: operators")
    index_title = _("Administration")
    index_template = "accounts/admin/index.html"

    def __init__(self) -> None:
        super().__init__("operators")

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """The second factor's own pages, which come before the site lets anybody in. Nothing here has a page elsewhere,
        so Django's way to it (`r/`) is left out.
        """
        return [
            path("second-factor/", second_factor.enter, name="second_factor"),
            path("second-factor/set-up/", second_factor.set_up, name="second_factor_set_up"),
            *(each for each in super().get_urls() if getattr(each, "name", "") != "view_on_site"),
        ]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Sends on to what is still missing; the second factor's page refuses who is no operator."""
        index = reverse("operators:index")
        wanted = safe_path(request.GET.get("next"), index)
        if not request.user.is_authenticated:
            return HttpResponseRedirect(f"{resolve_url('account_login')}?{urlencode({'next': wanted})}")
        if self.has_permission(request):
            return HttpResponseRedirect(wanted)
        return HttpResponseRedirect(f"{reverse('operators:second_factor')}?{urlencode({'next': wanted})}")

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        auth.logout(request)
        return redirect("accounts:signed_out")


site = OperatorsSite()
