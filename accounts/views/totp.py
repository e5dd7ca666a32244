"""One's own authenticator app: set up with its first code, and removed. Operators set theirs up by the same page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import segno
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import policies, queries
from accounts.models import AuthenticatorApp, User
from accounts.services import reauthentication, totp
from accounts.views.decorators import reauthentication_required, user_of
from accounts.views.forms import CodeForm, add_error
from accounts.views.phones import crumbs
from kaizala_console.lib.errors import ConsoleError, RuleBroken, TooSoon


@sensitive_post_parameters("pin")
@never_cache
@require_http_methods(["GET", "POST"])
@reauthentication_required(on_get=True, button_label=gettext_lazy("Set up"))
def set_up(request: HttpRequest) -> HttpResponse:
    """From Settings, for everybody who holds a number. A fresh PIN comes before the key is shown."""
    user = user_of(request)
    if queries.totp_device(user) is not None:  # pressed twice, or set up in another tab
        messages.info(request, _("Your authenticator app is already set up."))
        return redirect("accounts:settings")

    def done(device: AuthenticatorApp) -> HttpResponse:
        reauthentication.remember_confirmation(request.session, user)
        messages.success(request, _("Authenticator app set up. You now confirm with its codes."))
        return redirect("accounts:settings")

    return setting_up(request, user, template="accounts/authenticator_set_up.html", back="accounts:settings", done=done)


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=gettext_lazy("Remove this app"))
def remove(request: HttpRequest) -> HttpResponse:
    """Says what follows, and does it on POST. Setting up a new one then asks for a PIN, however fresh this was."""
    user = user_of(request)
    policies.require_may_remove_app(user, by=user)
    device = queries.totp_device(user)
    if device is None:  # pressed twice, or removed by an operator meanwhile
        messages.info(request, _("There is no authenticator app to remove."))
        return redirect("accounts:settings")
    if request.method == "POST":
        try:
            totp.remove(user=user, by=user)
        except RuleBroken as cooling_off:
            messages.error(request, str(cooling_off))
        else:
            reauthentication.forget_confirmation(request.session)
            messages.success(request, _("Authenticator app removed. You now confirm with a PIN by SMS."))
        return redirect("accounts:settings")
    words = {"device": device, "crumbs": crumbs(_("Remove your authenticator app"))}
    return render(request, "accounts/authenticator_remove.html", words)


def setting_up(
    request: HttpRequest, user: User, *, template: str, back: str, done: Callable[[AuthenticatorApp], HttpResponse]
) -> HttpResponse:
    """Shows the key of a new app, as a picture and as text, and wants its first code; then `done(device)` answers.

    Leads `back` with the reason while the account cools off.
    """
    try:
        device = totp.begin(user=user)
    except RuleBroken as cooling_off:
        messages.error(request, str(cooling_off))
        return redirect(back)
    form, status = CodeForm(), 200
    form.fields["pin"].widget.attrs["autofocus"] = False  # the page begins with the picture
    if request.method == "POST":
        form, status = CodeForm(request.POST), 400
        if form.is_valid():
            try:
                return done(totp.enrol(user=user, device=device, code=form.cleaned_data["pin"], by=user))
            except ConsoleError as error:
                add_error(form, error)
                status = 429 if isinstance(error, TooSoon) else 400
    picture = segno.make(totp.build_uri(device), error="m").svg_data_uri(scale=6, border=3, dark="#000", light="#fff")
    words: dict[str, Any] = {
        "form": form,
        "picture": picture,
        "key": totp.format_secret(device),
        "crumbs": crumbs(_("Set up your authenticator app")),
    }
    return render(request, template, words, status=status)
