"""Step-up: "is it still you?" A PIN to the primary number, or a code of the authenticator app; then back again."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import queries
from accounts.models import PinDevice, User
from accounts.pages import numbers
from accounts.pages.decorators import safe_path, user_of, with_phone
from accounts.pages.forms import CodeForm, PinForm, add_error
from accounts.pages.phones import pin_words
from accounts.services import confirmations, phones
from kaizala_console.lib.errors import ConsoleError, GatewayDown, NotFound

SEND = "send"


@sensitive_post_parameters("pin")
@require_http_methods(["GET", "POST"])
@with_phone
def confirm(request: HttpRequest) -> HttpResponse:
    """Three states of one page: ask for a PIN, enter it, done (also when it was done in another tab meanwhile)."""
    user = user_of(request)
    if confirmations.is_fresh(request):
        return redirect(safe_path(request.GET.get("next"), reverse("accounts:home")))
    if request.POST.get("act") == SEND:
        return _send(request, user)
    by_app = confirmations.uses_totp(user)
    kind = CodeForm if by_app else PinForm
    form, status = kind(), 200
    if request.method == "POST":
        form, status = kind(request.POST), 400
        if form.is_valid():
            try:
                confirmations.confirm(user=user, pin=form.cleaned_data["pin"])
            except ConsoleError as error:
                add_error(form, error)
                status = 503 if isinstance(error, GatewayDown) else 400
            else:
                confirmations.remember(request.session, user)
                return redirect(safe_path(request.GET.get("next"), reverse("accounts:home")))
    words = {"form": form, "by_app": by_app, "back": _back(request), **_pin_words(user)}
    return render(request, "accounts/confirm.html", words, status=status)


def _send(request: HttpRequest, user: User) -> HttpResponse:
    try:
        confirmations.send_pin(user=user, by=user)
    except ConsoleError as error:
        if queries.open_pin(user, PinDevice.Purpose.CONFIRM) is None:
            messages.error(request, str(error))
        else:  # pressed twice, or too early: the PIN before still works
            messages.info(request, _("A PIN was sent a moment ago, and still works. %(why)s") % {"why": error})
    return redirect(request.get_full_path())


def _back(request: HttpRequest) -> str:
    """Where "Not now" leads: the page one came from, as it was before."""
    return safe_path(request.GET.get("next"), reverse("accounts:home")).partition("?")[0]


def _pin_words(user: User) -> dict[str, Any]:
    person = queries.primary_person(user)
    if person is None:
        raise NotFound  # the number was removed in another tab since `with_phone` looked
    return {
        **pin_words(*queries.latest_pins(user, PinDevice.Purpose.CONFIRM)),
        "fresh_minutes": settings.STEP_UP_SECONDS // 60,
        "number": numbers.masked(person.number),
        "wait": phones.seconds_until_next_pin(user=user),
    }
