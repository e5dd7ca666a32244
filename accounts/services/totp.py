"""The authenticator app of an account: set up, checked, removed. Codes are checked through django-otp alone."""

from __future__ import annotations

import base64
import math
from urllib.parse import quote, urlencode

import django_otp
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from accounts import policies, queries
from accounts.audit.events import EventType
from accounts.audit.record import Actor, record
from accounts.models import AuthenticatorApp, User
from accounts.services import notifications
from kaizala_console.lib import clock, moments
from kaizala_console.lib.errors import Conflict, NotAllowed, RuleBroken, TooSoon

NAME = "authenticator app"


@transaction.atomic
def begin(*, user: User) -> AuthenticatorApp:
    """The device that somebody is about to set up for themselves: not confirmed yet, and the same one until it is.

    Conflict when there is one already: it is removed first; RuleBroken while the account cools off.
    """
    policies.require_no_credential_hold(user)
    User.objects.select_for_update().get(pk=user.pk)
    if queries.totp_device(user) is not None:
        raise Conflict(_("An authenticator app is already set up. Remove it first."), code="totp_exists")
    device = AuthenticatorApp.objects.filter(user=user, confirmed=False).order_by("id").first()
    if device is not None and not device.has_key:
        device.delete()
        device = None
    return device or AuthenticatorApp.objects.create(user=user, name=NAME, confirmed=False)


@sensitive_variables("code")
def enrol(*, user: User, device: AuthenticatorApp, code: str, by: Actor) -> AuthenticatorApp:
    """Makes the device that `begin` gave count, once the app has shown a right code. Errors as `begin` and `check`.

    NotAllowed unless `by` sets up their own.
    """
    if by != user:
        raise NotAllowed
    policies.require_no_credential_hold(user)
    if device.confirmed or queries.totp_device(user) is not None:
        raise Conflict(_("An authenticator app is already set up. Remove it first."), code="totp_exists")
    with transaction.atomic():
        if _is_right(user, device, code):
            AuthenticatorApp.objects.filter(pk=device.pk).update(confirmed=True, created_at=clock.now())
            AuthenticatorApp.objects.filter(user=user, confirmed=False).delete()
            record(EventType.TOTP_ENROLLED, by=by, subject=user, organisation=user.organisation)
            notifications.queue(
                user=user, template="accounts/totp_enrolled", key=f"totp:{device.pk}:enrolled", context={}
            )
            device.refresh_from_db()
            return device
    raise _wrong(device)


@sensitive_variables("code")
def check(*, user: User, device: AuthenticatorApp, code: str, by: Actor, tag: EventType = EventType.CONFIRMED) -> None:
    """Accepts a code once. RuleBroken (`totp_wrong`) for a wrong or used one; TooSoon, growing, after wrong ones.

    RuleBroken (`totp_key_missing`) when the console has lost the pepper that the app was set up with.
    """
    with transaction.atomic():
        if _is_right(user, device, code):
            record(tag, by=by, subject=user, organisation=user.organisation, after={"by": "totp"})
            return
        record(EventType.TOTP_REFUSED, by=by, subject=user, organisation=user.organisation)
    raise _wrong(device)


@transaction.atomic
def remove(*, user: User, by: User) -> None:
    """Removes the authenticator app of `user`: their own hand, or an operator's when the phone is lost.

    NotAllowed as `policy.require_may_remove_app`; Conflict when there is none; RuleBroken (`cooling_off`) by their own
    hand while the account cools off: PINs to a number that just changed would confirm instead of the app.
    """
    policies.require_may_remove_app(user, by=by)
    until = policies.credential_hold_end(user)
    if until is not None and by.pk == user.pk:
        raise RuleBroken(
            _(
                "A phone number changed recently, so your authenticator app can’t be removed until "
                "%(until)s. If it’s urgent, ask the operator of this console."
            )
            % {"until": moments.exact(until)},
            code="cooling_off",
        )
    User.objects.select_for_update().get(pk=user.pk)
    removed, _each = AuthenticatorApp.objects.filter(user=user).delete()
    if not removed:
        raise Conflict(_("There is no authenticator app to remove."), code="totp_missing")
    record(EventType.TOTP_REMOVED, by=by, subject=user, organisation=user.organisation, before={"user": user.name})
    notifications.queue(
        user=user,
        template="accounts/totp_removed",
        key=f"totp:{user.pk}:removed:{clock.now().isoformat()}",
        context={"removed_by": by.name},
    )


def format_secret(device: AuthenticatorApp) -> str:
    """The key as authenticator apps take it by hand: base32 in groups of four (RFC 4648 §6)."""
    text = base64.b32encode(device.bin_key).decode("ascii").rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def build_uri(device: AuthenticatorApp) -> str:
    """The key as authenticator apps read it from a picture (github.com/google/google-authenticator, Key Uri Format)."""
    issuer = settings.OTP_TOTP_ISSUER
    values = {
        "secret": format_secret(device).replace(" ", ""),
        "issuer": issuer,
        "digits": device.digits,
        "period": device.step,
    }
    label = f"{quote(issuer)}:{quote(device.user.email or device.user.name)}"
    return f"otpauth://totp/{label}?{urlencode(values, quote_via=quote)}"


@sensitive_variables("code")
def _is_right(user: User, device: AuthenticatorApp, code: str) -> bool:
    digits = "".join(code.split())
    if not digits.isascii() or not digits.isdigit() or len(digits) != device.digits:
        raise RuleBroken(_("A code has %(count)d digits.") % {"count": device.digits}, code="pin_format", field="pin")
    _require_no_lock(device)
    if not device.has_key:
        raise RuleBroken(
            _(
                "The console can’t check this app any longer: its key was removed. Ask another operator to "
                "remove the app, then set up a new one."
            ),
            code="totp_key_missing",
            field="pin",
        )
    return django_otp.verify_token(user, device.persistent_id, digits) is not None


def _require_no_lock(device: AuthenticatorApp) -> None:
    device.refresh_from_db()
    allowed, why = device.verify_is_allowed()
    if allowed:
        return
    seconds = max(1, math.ceil((why["locked_until"] - clock.now()).total_seconds()))
    raise TooSoon(
        ngettext(
            "Too many wrong codes. Wait %(count)d second, then enter the current code.",
            "Too many wrong codes. Wait %(count)d seconds, then enter the current code.",
            seconds,
        )
        % {"count": seconds},
        retry_after=seconds,
        code="totp_locked",
        field="pin",
    )


def _wrong(device: AuthenticatorApp) -> RuleBroken:
    wrong = _("This code is wrong or already used. Wait for the next one and try again.")
    # By how much it is wrong is not said: who guesses codes would learn which one becomes right.
    clock_wrong = _("If every code is refused, set your phone’s clock to automatic.")
    return RuleBroken(f"{wrong} {clock_wrong}", code="totp_wrong", field="pin")
