"""The second factor of the operators' pages: enter a code, or set the authenticator app up first."""

from __future__ import annotations

from urllib.parse import urlencode

import django_otp
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import policies, queries
from accounts.audit.events import EventType
from accounts.models import AuthenticatorApp, User
from accounts.services import reauthentication, totp
from accounts.views import totp as views_totp
from accounts.views.decorators import reauthentication_required, safe_path, signed_in, user_of
from accounts.views.forms import CodeForm, add_error
from kaizala_console.lib.errors import ConsoleError, TooSoon


@sensitive_post_parameters("pin")
@never_cache
@require_http_methods(["GET", "POST"])
@signed_in
def enter(request: HttpRequest) -> HttpResponse:
    """Asks for the code of the app; leads to the set-up whoever has none."""
    user = _operator(request)
    device = queries.totp_device(user)
    if device is None:
        return HttpResponseRedirect(_with_next(request, "operators:second_factor_set_up"))
    form, status = CodeForm(), 200
    if request.method == "POST":
        form, status = CodeForm(request.POST), 400
        if form.is_valid():
            try:
                totp.check(
                    user=user, device=device, code=form.cleaned_data["pin"], by=user, tag=EventType.OPERATOR_ENTERED
                )
            except ConsoleError as error:
                add_error(form, error)
                status = 429 if isinstance(error, TooSoon) else 400
            else:
                return _open_session(request, user, device)
    return render(request, "accounts/admin/second_factor.html", {"form": form}, status=status)


@sensitive_post_parameters("pin")
@never_cache
@require_http_methods(["GET", "POST"])
@reauthentication_required(on_get=True, button_label=_("Set up"))
def set_up(request: HttpRequest) -> HttpResponse:
    """Shows the key of a new app, as a picture and as text, and wants its first code. Asks for a fresh PIN before."""
    user = _operator(request)
    if queries.totp_device(user) is not None:
        return HttpResponseRedirect(_with_next(request, "operators:second_factor"))
    return views_totp.setting_up(
        request,
        user,
        template="accounts/admin/set_up.html",
        back="home",
        done=lambda device: _open_session(request, user, device),
    )


def _operator(request: HttpRequest) -> User:
    user = user_of(request)
    if not policies.may_operate(user):
        raise PermissionDenied
    return user


def _open_session(request: HttpRequest, user: User, device: AuthenticatorApp) -> HttpResponseRedirect:
    request.session.cycle_key()  # more is allowed from here on: a session that somebody planted must not come along
    django_otp.login(request, device)
    reauthentication.remember_confirmation(request.session, user)
    return HttpResponseRedirect(safe_path(request.GET.get("next"), reverse("operators:index")))


def _with_next(request: HttpRequest, name: str) -> str:
    wanted = safe_path(request.GET.get("next"), reverse("operators:index"))
    return f"{reverse(name)}?{urlencode({'next': wanted})}"
