"""Step-up: "is it still you?" A PIN to the primary number, or a code of the authenticator app.

Then the form that waited for it is carried out by itself; or, where no form waits, one goes back to where one came
from. A form that waits for no PIN, after a sign-in or when another tab has confirmed, waits for its button.

Before a phone number is changed, Office365 itself asks again who sits there ("Sign in again").
"""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.base.constants import AuthProcess
from csp.decorators import csp_update
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import queries
from accounts.models import PinDevice, User
from accounts.services import phones, reauthentication
from accounts.views import pending_forms
from accounts.views.decorators import safe_path, signed_in, user_of
from accounts.views.forms import CodeForm, PinForm, add_error
from accounts.views.pending_forms import PendingForm
from accounts.views.phones import pin_words
from kaizala_console.lib import clock, phone_numbers
from kaizala_console.lib.errors import ConsoleError, GatewayDown, NotFound

SEND = "send"


@sensitive_post_parameters("pin")
@require_http_methods(["GET", "POST"])
@signed_in
def confirm(request: HttpRequest) -> HttpResponse:
    """Asks for the PIN, and sends it for a form that has just come here; or for the button alone."""
    user = user_of(request)
    back = safe_path(request.GET.get("next"), reverse("home"))
    pending = pending_forms.find(request, request.GET.get("pending", ""))
    if reauthentication.is_confirmed(request) or (pending is not None and not pending.needs_confirmation):
        return _answer_confirmed(request, user, pending, back)
    if queries.primary_person(user) is None:
        return redirect(f"{reverse('home')}?{urlencode({'next': request.get_full_path()})}")
    if request.POST.get("act") == SEND:
        _send(request, user, pending)
        return redirect(request.get_full_path())
    by_app = reauthentication.uses_totp(user)
    # A GET sends a PIN for a form alone, whose id nobody else knows, and once: not for a link, nor when it is reloaded.
    is_first = request.method == "GET" and pending is not None and pending_forms.mark_opened(request, pending)
    if is_first and not by_app and not _has_pin(user):
        _send(request, user, pending)
    kind = CodeForm if by_app else PinForm
    form, status = kind(), 200
    if request.method == "POST":
        form, status = kind(request.POST), 400
        if form.is_valid():
            try:
                reauthentication.confirm(user=user, pin=form.cleaned_data["pin"])
            except ConsoleError as error:
                add_error(form, error)
                status = 503 if isinstance(error, GatewayDown) else 400
            else:
                reauthentication.remember_confirmation(request.session, user)
                return pending_forms.carry_out(request, pending) if pending is not None else _to_page(request, back)
    words = {"form": form, "by_app": by_app, **_pin_words(user)}
    return _page(request, "accounts/confirm.html", pending, back, words, status)


def _answer_confirmed(request: HttpRequest, user: User, pending: PendingForm | None, back: str) -> HttpResponse:
    """Nothing is done by opening an address: a form that waits is carried out by a press."""
    if pending is None:
        return _to_page(request, back)
    if request.method == "POST":
        return pending_forms.carry_out(request, pending)
    return _page(request, "accounts/pending_form.html", pending, back, {"name": user.name, "email": user.email})


def _to_page(request: HttpRequest, back: str) -> HttpResponse:
    if request.method == "POST" and "pending" in request.GET:
        messages.info(request, _("This form was already sent or has expired. Send it again if needed."))
    return redirect(back)


def _page(
    request: HttpRequest,
    template: str,
    pending: PendingForm | None,
    back: str,
    words: dict[str, Any],
    status: int = 200,
) -> HttpResponse:
    response = render(request, template, {"pending": pending, "back": back, **words}, status=status)
    if pending is None or not pending.goes_to:
        return response
    # Browsers hold form-action against the redirects that answer the form, too: the last one leads to a program.
    wider = csp_update({"form-action": [pending.goes_to]})
    return cast(HttpResponse, wider(lambda _request: response)(request))


def _send(request: HttpRequest, user: User, pending: PendingForm | None) -> None:
    try:
        reauthentication.send_pin(user=user, by=user)
    except ConsoleError as error:
        if queries.open_pin(user, PinDevice.Purpose.CONFIRM) is None:
            messages.error(request, str(error))
        else:  # pressed twice, or too early: the PIN before still works
            messages.info(request, _("The PIN sent a moment ago still works. %(why)s") % {"why": error})
    else:
        if pending is not None:
            pending_forms.extend(request, pending)


def _has_pin(user: User) -> bool:
    """Whether a PIN that still works was sent, or is on its way."""
    is_open, unsent = queries.latest_pins(user, PinDevice.Purpose.CONFIRM)
    return is_open is not None or (unsent is not None and unsent.is_sending(clock.now()))


def _pin_words(user: User) -> dict[str, Any]:
    person = queries.primary_person(user)
    return {
        **pin_words(*queries.latest_pins(user, PinDevice.Purpose.CONFIRM)),
        "fresh_minutes": settings.STEP_UP_SECONDS // 60,
        "number": phone_numbers.mask_unbroken(person.number) if person is not None else "",
        "wait": phones.seconds_until_next_pin(user=user),
    }


@require_http_methods(["GET", "POST"])
@signed_in
def sign_in_again(request: HttpRequest) -> HttpResponse | HttpResponseBase:
    """One button, which leads to Office365 and back to where one came from; done already, it leads there at once."""
    back = safe_path(request.GET.get("next"), reverse("home"))
    if reauthentication.has_recent_login(request):
        return redirect(back)
    if request.method == "POST":
        providers = get_adapter().list_providers(request)
        if not providers:
            raise NotFound
        answer: HttpResponseBase = providers[0].redirect(
            request,
            process=AuthProcess.LOGIN,
            next_url=back,
            auth_params=dict(reauthentication.ASK_ANEW),
        )
        return answer
    words = {
        "back": back.partition("?")[0],
        "name": user_of(request).name,
        "is_unknown": reauthentication.is_login_time_unknown(request),
        "minutes": max(settings.SIGN_IN_AGAIN_SECONDS // 60, 1),
    }
    return render(request, "accounts/sign_in_again.html", words)
