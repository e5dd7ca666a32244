"""Who may do what in this app: the one place that decides. "Not yours" and "not there" are the same answer."""

from __future__ import annotations

import datetime as dt

from django.utils.translation import gettext as _

from accounts.audit.record import Actor, SystemActor
from accounts.models import PinDevice, User, VerifiedPhone
from kaizala_console.lib import clock, moments
from kaizala_console.lib.errors import NotAllowed, NotFound, RuleBroken


def own_phone(user: User, phone_id: int) -> VerifiedPhone:
    """The held number `phone_id` of this very account; NotFound for anything else."""
    phone = user.verified_phones.active().select_related("person", "user").filter(pk=phone_id).first()
    if phone is None:
        raise NotFound
    return phone


def own_pin(user: User, device_id: int, purpose: PinDevice.Purpose) -> PinDevice:
    """The PIN `device_id` that was sent for this very account and purpose; NotFound for anything else."""
    pins = PinDevice.objects.select_related("sms", "user__organisation")
    device = pins.filter(pk=device_id, user=user, purpose=purpose).first()
    if device is None:
        raise NotFound
    return device


def require_own_phone(user: User, phone: VerifiedPhone) -> None:
    """Raises NotFound unless it is the account's own number, or an operator tidies up."""
    if phone.user_id != user.pk and not may_operate(user):
        raise NotFound


def may_operate(user: User) -> bool:
    """Whether the operators' pages are for this account; they ask for a second factor besides."""
    return user.is_active and user.is_staff


def require_operator(by: Actor) -> None:
    """Raises NotAllowed unless an operator acts, or the console itself (a command, the worker)."""
    if not isinstance(by, SystemActor) and not (isinstance(by, User) and may_operate(by)):
        raise NotAllowed


def require_organisation_admin(user: User) -> None:
    """Raises NotAllowed for anyone but an admin of the organisation."""
    if not user.is_organisation_admin:
        raise NotAllowed(_("Only an organisation admin can do this."))


def require_somebody_else(by: Actor, user: User) -> None:
    """Raises NotAllowed for who would decide about their own account."""
    if by == user:
        raise NotAllowed(_("Only another operator can change this on your account."))


def require_may_remove_app(user: User, *, by: User) -> None:
    """Raises NotAllowed unless `by` may take the authenticator app from `user`: themselves, or another operator.

    An operator does not do it to themselves: whoever sat down at their desk would set up their own next.
    """
    if by.pk == user.pk and may_operate(user):
        raise NotAllowed(_("Only another operator can remove the authenticator app of an operator."))
    if by.pk != user.pk and not may_operate(by):
        raise NotAllowed(_("Only an operator can remove someone else’s authenticator app."))


def credential_hold_end(user: User) -> dt.datetime | None:
    """Until when the account makes and sees no credentials (accounts.services.credential_hold); None when it may."""
    until = user.credentials_locked_until
    return until if until is not None and until > clock.now() else None


def require_no_credential_hold(by: object) -> None:
    """Raises RuleBroken (code `cooling_off`) for an account whose phone number changed a short while ago.

    For services that make or show credentials. Who is no account (a program, the console itself) passes.
    """
    until = credential_hold_end(by) if isinstance(by, User) else None
    if until is not None:
        raise RuleBroken(
            _(
                "Your credentials are locked until %(until)s because a phone number changed. You can still "
                "revoke, suspend and remove. If it’s urgent, ask the operator of this console."
            )
            % {"until": moments.exact(until)},
            code="cooling_off",
        )
