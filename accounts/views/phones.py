"""Phone numbers: add one ("Generate PIN", then the PIN), choose the primary one, give one back."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import policies, queries, sandbox
from accounts.models import PinDevice, User, VerifiedPhone
from accounts.services import phones, reauthentication
from accounts.sms.base import why_not_sent
from accounts.views.decorators import recent_login_required, safe_path, signed_in, user_of
from accounts.views.forms import PhoneForm, PinForm, add_error, region_of_reader
from kaizala_console.lib import clock, phone_numbers
from kaizala_console.lib.errors import ConsoleError, GatewayDown, TooSoon

SLOW = dt.timedelta(seconds=20)  # then the page says that the SMS is late
GENERATE = gettext_lazy("Generate PIN")


def phone_form(request: HttpRequest) -> PhoneForm:
    """An empty form with the reader's likely country; in the sandbox with the demo number of who signs in first."""
    user, initial = user_of(request), {"region": region_of_reader(request.headers.get("Accept-Language", ""))}
    number = sandbox.get_demo_number(user) if settings.SANDBOX else ""
    if number and not queries.has_held_a_number(user):
        initial["number"] = number
    return PhoneForm(initial=initial)


@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Asks for a number and sends it a PIN. The first needs a sign-in only; each later one, that it is a recent one."""
    if request.user.is_authenticated and queries.has_held_a_number(user_of(request)):
        return _add_another(request)
    return _add_first(request)


def _add(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    form, status = phone_form(request), 200
    if request.method == "POST":
        form, status = PhoneForm(request.POST), 400
        if form.is_valid():
            number, region = form.cleaned_data["number"], form.cleaned_data["region"]
            try:
                device = phones.send_pin(user=user, number=number, region=region, by=user)
                return _to_pin_page(request, device)
            except TooSoon as error:
                waiting = _find_waiting_pin(user, number, region)
                if waiting is not None:  # pressed twice, or come back: the PIN is on its way already
                    messages.info(request, _("A PIN was just sent to this number. Use that one."))
                    return _to_pin_page(request, waiting)
                add_error(form, error)
                status = 429
            except ConsoleError as error:
                add_error(form, error)
                status = 503 if isinstance(error, GatewayDown) else 400
    is_newcomer = not queries.has_held_a_number(user)
    words = {
        "form": form,
        "action": add_url(request),
        "crumbs": [] if is_newcomer else crumbs(_("Add a Phone Number")),
        "cool_off_hours": 0 if is_newcomer else settings.COOL_OFF_HOURS,
    }
    return render(request, "accounts/phone_add.html", words, status=status)


_add_first = signed_in(_add, button_label=GENERATE)
_add_another = recent_login_required(_add, button_label=GENERATE, on_get=True)


@sensitive_post_parameters("pin")
@require_http_methods(["GET", "POST"])
@signed_in
def pin(request: HttpRequest, device_id: int) -> HttpResponse:
    """Six boxes for the PIN that was sent to a number of one's own choice."""
    user = user_of(request)
    device = _own_pin(user, device_id)
    if _is_held(user, device):
        return _verified(request, device)
    newest = queries.open_pin(user, PinDevice.Purpose.VERIFY, number=device.number)
    is_sending = device.is_sending(clock.now())
    if request.method == "GET" and newest is not None and newest.pk != device.pk and not is_sending:
        if device.pk > newest.pk:
            messages.warning(request, why_not_sent(device.sms.error))
        return _to_pin_page(request, newest)
    form, status = PinForm(), 200
    if request.method == "POST":
        form, status = PinForm(request.POST), 400
        if form.is_valid():
            try:
                phones.verify_pin(user=user, device_id=device.pk, pin=form.cleaned_data["pin"], by=user)
            except ConsoleError as error:
                if _is_held(user, device):  # pressed twice: the first one did it
                    return _verified(request, device)
                add_error(form, error)
                status = 503 if isinstance(error, GatewayDown) else 400
            else:
                if not reauthentication.uses_totp(user):  # else this would be the weaker way in
                    reauthentication.remember_confirmation(request.session, user)
                return _verified(request, device)
        device.refresh_from_db()
    words = {
        "form": form,
        **pin_words(device, device if device.sent_at is None else None),
        "number": phone_numbers.display_unbroken(device.number),
        "wait": phones.seconds_until_next_pin(user=user),
        "again": _with_next(request, reverse("accounts:phone_pin_again", args=[device.pk])),
        "other": add_url(request),
    }
    return render(request, "accounts/phone_pin.html", words, status=status)


@require_POST
def pin_again(request: HttpRequest, device_id: int) -> HttpResponse:
    """Sends a new PIN to the same number, when the cool-down is over. However old the PIN before it is, this is `add`
    once more, and asks the same first: whoever has the SIM of a number of long ago would confirm with it.
    """
    is_newcomer = not (request.user.is_authenticated and queries.has_held_a_number(user_of(request)))
    return (_pin_again_first if is_newcomer else _pin_again_another)(request, device_id=device_id)


def _pin_again(request: HttpRequest, *, device_id: int) -> HttpResponseRedirect:
    user = user_of(request)
    device = _own_pin(user, device_id)
    try:
        device = phones.send_pin(user=user, number=device.number, by=user)
        messages.success(request, _("A new PIN is on its way."))
    except ConsoleError as error:
        messages.warning(request, str(error))
    return _to_pin_page(request, device)


AGAIN = gettext_lazy("Send a new PIN")
_pin_again_first = signed_in(_pin_again, button_label=AGAIN)
_pin_again_another = recent_login_required(_pin_again, button_label=AGAIN)


@require_POST
@recent_login_required(button_label=gettext_lazy("Make primary"))
def make_primary(request: HttpRequest, phone_id: int) -> HttpResponseRedirect:
    """From now on PINs go to this number, and the account goes by it."""
    user = user_of(request)
    if _was_released(user, phone_id):  # Settings had been open since before
        return _removed_already(request)
    phone = policies.own_phone(user, phone_id)
    phones.make_primary(phone=phone, by=user)
    number = phone_numbers.display_unbroken(phone.person.number)
    messages.success(request, _("%(number)s is now your primary number.") % {"number": number})
    return redirect("accounts:settings")


@require_http_methods(["GET", "POST"])
@recent_login_required(button_label=gettext_lazy("Remove this number"))
def release(request: HttpRequest, phone_id: int) -> HttpResponse:
    """Says what follows from giving a number back, and does it on POST."""
    user = user_of(request)
    if _was_released(user, phone_id):  # pressed twice, or Settings had been open since before
        return _removed_already(request)
    phone = policies.own_phone(user, phone_id)
    number = phone_numbers.display_unbroken(phone.person.number)
    if request.method == "POST":
        phones.release(phone=phone, by=user)
        messages.success(request, _("%(number)s removed.") % {"number": number})
        return redirect("accounts:settings")
    others = queries.held_phones(user).exclude(pk=phone.pk).exists()
    words = {"phone": phone, "number": number, "others": others, "crumbs": crumbs(_("Remove a phone number"))}
    return render(request, "accounts/phone_release.html", words)


def crumbs(here: str) -> list[dict[str, str]]:
    return [{"label": _("Settings"), "url": reverse("accounts:settings")}, {"label": here}]


def add_url(request: HttpRequest) -> str:
    """Where the form for a number is sent; carries on where to go afterwards."""
    return _with_next(request, reverse("accounts:phone_add"))


def pin_url(request: HttpRequest, device: PinDevice) -> str:
    """Where the PIN is entered; carries on where to go afterwards."""
    return _with_next(request, reverse("accounts:phone_pin", args=[device.pk]))


def pin_words(device: PinDevice | None, unsent: PinDevice | None = None) -> dict[str, Any]:
    """What a page says about a PIN: whether it may be tried, how often still, and how long it is good. Of a newer one
    that has not left: whether it is on its way or could not be sent.
    """
    left = 0 if device is None else max(0, settings.PIN_TRIES - device.tries)
    now = clock.now()
    is_sending = unsent is not None and unsent.is_sending(now)
    return {
        "device": device,
        "is_open": device is not None and device.is_open(now),
        "is_sending": is_sending,
        "is_slow": is_sending and unsent is not None and now - unsent.sms.created_at > SLOW,
        "why_not_sent": "" if unsent is None or is_sending else why_not_sent(unsent.sms.error),
        "tries_left": left,
        "minutes": settings.PIN_SECONDS // 60,
    }


def _own_pin(user: User, device_id: int) -> PinDevice:
    return policies.own_pin(user, device_id, PinDevice.Purpose.VERIFY)


def _find_waiting_pin(user: User, number: str, region: str) -> PinDevice | None:
    """The PIN that still waits for this number; `send_pin` has accepted the number by now."""
    e164 = phone_numbers.parse(number, region, must_be_valid=True)
    is_open, unsent = queries.latest_pins(user, PinDevice.Purpose.VERIFY, number=e164)
    return unsent if unsent is not None and unsent.is_sending(clock.now()) else is_open


def _is_held(user: User, device: PinDevice) -> bool:
    return device.used_at is not None and queries.held_people(user).filter(number=device.number).exists()


def _was_released(user: User, phone_id: int) -> bool:
    return VerifiedPhone.objects.filter(pk=phone_id, user=user, released_at__isnull=False).exists()


def _removed_already(request: HttpRequest) -> HttpResponseRedirect:
    messages.info(request, _("This number was already removed."))
    return redirect("accounts:settings")


def _verified(request: HttpRequest, device: PinDevice) -> HttpResponseRedirect:
    number = phone_numbers.display_unbroken(device.number)
    messages.success(request, _("%(number)s verified.") % {"number": number})
    is_only = queries.held_phones(user_of(request)).count() < 2
    return redirect(_next(request, reverse("home" if is_only else "accounts:settings")))


def _to_pin_page(request: HttpRequest, device: PinDevice) -> HttpResponseRedirect:
    return redirect(pin_url(request, device))


def _next(request: HttpRequest, fallback: str) -> str:
    return safe_path(request.GET.get("next"), fallback)


def _with_next(request: HttpRequest, path: str) -> str:
    next_path = _next(request, "")
    return f"{path}?{urlencode({'next': next_path})}" if next_path else path
