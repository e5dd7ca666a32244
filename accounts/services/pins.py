"""PINs by SMS: sent within limits, accepted once. What a PIN is good for, its callers say (phones, confirmations)."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import BoundedSemaphore
from types import SimpleNamespace
from typing import Any, Final, TypeVar

import django_otp
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from accounts import sms
from accounts.audit.record import Actor, record
from accounts.audit.tags import Tag
from accounts.models import Organisation, PinDevice, SmsMessage, User
from accounts.services import pin_limits, pin_outbox
from accounts.sms.contract import PinMaker, Verdict, not_checked
from kaizala_console.lib import clock, context, phone_numbers
from kaizala_console.lib.errors import ConsoleError, RuleBroken

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Program:
    """A program that asks for its user's PIN, to act for them: `key` tells it from all others.

    `with_secret` says whether it has proven itself by its secret.
    """

    key: str
    name: str
    organisation: Organisation
    with_secret: bool = True


_checking: Final = BoundedSemaphore(4)
# Who verifies the PIN of a program's user: no account, whether or not one holds the number.
_NOBODY: Final[Any] = SimpleNamespace(pk=None)


@sensitive_variables("pin")
def send(
    *, user: User | None, number: str, purpose: PinDevice.Purpose, by: Actor, program: Program | None = None
) -> PinDevice:
    """Sends a PIN to a valid number and returns the device that accepts it. For an account, or for a program's user.

    The worker sends it: whether it could be sent, the device's `sms` says (`SmsMessage.status`). Until it has left, an
    earlier PIN stays good; if it cannot be sent, the pause does not grow. The sandbox's inbox has it at once.

    Raises TooSoon within a pause or above a cap; GatewayDown while the gateway is known not to answer; RuleBroken
    for a program when no gateway can send it.
    """
    gateway = sms.gateway() if program is None else sms.gateway_for_programs()
    if gateway is None:
        raise RuleBroken(
            _("This console sends no PINs for programs: its operator has set no sender for plain SMS (TWILIO_FROM)."),
            code="no_sms_for_programs",
        )
    pin_outbox.require_gateway(gateway)
    address = context.current().client_address
    now = clock.now()
    audience = program.key if program is not None else ""
    device = PinDevice(user=user, name=purpose.value, number=number, purpose=purpose, audience=audience)
    device.valid_until = now + timedelta(seconds=settings.PIN_SECONDS)
    pin = ""
    if not isinstance(gateway, PinMaker):
        pin = f"{secrets.randbelow(10**settings.PIN_DIGITS):0{settings.PIN_DIGITS}d}"
        device.set_pin(pin)
    with transaction.atomic():
        pin_limits.serialise()
        with_secret = program is None or program.with_secret
        pin_limits.require(
            user=user,
            audience=audience,
            with_secret=with_secret,
            number=number,
            address=address,
            at=now,
            purpose=purpose,
        )
        device.sms = SmsMessage.objects.create(
            user=user,
            audience=audience,
            with_secret=with_secret,
            masked_number=phone_numbers.mask(number),
            number_tag=pin_limits.number_tag(number),
            country_prefix=phone_numbers.country_prefix(number),
            purpose=purpose,
            client_address=address or None,
            gateway=gateway.name,
            created_at=now,
        )
        device.save()
        _tell(Tag.PIN_REQUESTED, device, by, program)
        pin_outbox.queue(
            device=device, pin=pin, program=program.name if program else "", organisation=_organisation(device, program)
        )
    if gateway.is_local:
        pin_outbox.deliver(sms_id=device.sms_id)
        device.refresh_from_db()
    return device


@sensitive_variables("pin", "digits")
def accept(
    *,
    user: User | None,
    device: PinDevice,
    pin: str,
    by: Actor,
    then: Callable[[], Result],
    program: Program | None = None,
) -> Result:
    """Checks what `user` typed for `device`; if it is right, returns what `then` does in the same transaction.

    A PIN is accepted once, however many requests bring it at the same moment. What goes wrong is a RuleBroken with the
    code `pin_format`, `pin_wrong`, `pin_used`, `pin_superseded`, `pin_expired` or `pin_exhausted`; only a wrong PIN
    counts as a try. GatewayDown when the gateway keeps the PIN and does not answer.
    """
    digits = _digits(pin)
    _require_open(device)
    approved = not device.digest and _approved_by_gateway(device, digits, by, program)
    with transaction.atomic():
        if approved:
            # The gateway has spoken; the digest lets the device say it once. The try that was counted is given back.
            device.set_pin(digits)
            PinDevice.objects.filter(pk=device.pk).update(
                tries=F("tries") - 1, pepper_id=device.pepper_id, salt=device.salt, digest=device.digest
            )
        # django-otp locks the row, so that of several requests with the right PIN the first one wins.
        if django_otp.verify_token(user or _NOBODY, device.persistent_id, digits) is not None:
            SmsMessage.objects.filter(pk=device.sms_id).update(used_at=clock.now())
            return then()
        _refused(device, by, program)
    # Raised after the commit: a wrong try must count.
    _require_open(device)
    raise _wrong(device)


@transaction.atomic
def forget_old() -> int:
    """Deletes PINs whose day is over; the SMS log, without numbers, stays. Returns how many."""
    return PinDevice.objects.filter(valid_until__lt=clock.now() - timedelta(days=1)).delete()[0]


def _tell(tag: Tag, device: PinDevice, by: Actor, program: Program | None, **facts: str) -> None:
    record(
        tag,
        by=by,
        subject=device,
        organisation=_organisation(device, program),
        after={"number": phone_numbers.mask(device.number), "purpose": device.purpose, **facts},
    )


def _organisation(device: PinDevice, program: Program | None) -> Organisation | None:
    if program is not None:
        return program.organisation
    return device.user.organisation if device.user is not None else None


@sensitive_variables("pin")
def _approved_by_gateway(device: PinDevice, pin: str, by: Actor, program: Program | None) -> bool:
    """True when the gateway finds the PIN right; else raises what `accept` says.

    The try is counted before the gateway is asked, so that many requests at once have five tries together, too.
    """
    gateway = sms.gateway()
    if not isinstance(gateway, PinMaker) or gateway.name != device.sms.gateway:
        raise _expired()  # the operator changed the gateway within the last minutes
    mine = PinDevice.objects.filter(pk=device.pk)
    if not mine.filter(used_at=None, tries__lt=settings.PIN_TRIES).update(tries=F("tries") + 1):
        device.refresh_from_db()
        _require_open(device)
        raise _expired()
    try:
        verdict = _check(gateway, device.sms.reference, pin)
    except ConsoleError:
        mine.update(tries=F("tries") - 1)
        raise
    if verdict is Verdict.RIGHT:
        return True
    with transaction.atomic():
        _refused(device, by, program)
    _require_open(device)
    raise _expired() if verdict is Verdict.OVER else _wrong(device)


@sensitive_variables("pin")
def _check(gateway: PinMaker, reference: str, pin: str) -> Verdict:
    """Asks the gateway, in few threads at a time: the others are to serve everybody else."""
    if not _checking.acquire(blocking=False):
        raise not_checked()
    try:
        return gateway.check(reference=reference, pin=pin)
    finally:
        _checking.release()


def _refused(device: PinDevice, by: Actor, program: Program | None) -> None:
    """Tells of a wrong PIN, but not of the second click on a right one."""
    device.refresh_from_db()
    if device.used_at is None:
        _tell(Tag.PIN_REFUSED, device, by, program)


def _digits(pin: str) -> str:
    """The digits of what was typed, in any script, without spaces and hyphens."""
    typed = "".join(pin.split()).replace("-", "")
    digits = "".join(str(unicodedata.decimal(character, "x")) for character in typed)
    if len(digits) != settings.PIN_DIGITS or not digits.isdecimal():
        raise RuleBroken(
            _("A PIN has %(count)d digits.") % {"count": settings.PIN_DIGITS}, code="pin_format", field="pin"
        )
    return digits


def _require_open(device: PinDevice) -> None:
    if device.used_at is not None:
        raise RuleBroken(
            _("This PIN was already used. If something is still to be confirmed, ask for a new one."),
            code="pin_used",
            field="pin",
        )
    if device.superseded_at is not None:
        raise RuleBroken(
            _("A newer PIN was sent in the meantime. Use the one from the latest SMS."),
            code="pin_superseded",
            field="pin",
        )
    if device.sent_at is None or clock.now() >= device.valid_until:
        raise _expired()
    if device.tries >= settings.PIN_TRIES:
        raise RuleBroken(
            _("That was wrong too many times, so this PIN is no longer good. Ask for a new one."),
            code="pin_exhausted",
            field="pin",
        )


def _expired() -> RuleBroken:
    return RuleBroken(_("This PIN has expired. Ask for a new one."), code="pin_expired", field="pin")


def _wrong(device: PinDevice) -> RuleBroken:
    left = settings.PIN_TRIES - device.tries
    return RuleBroken(
        ngettext(
            "This is not the PIN from the SMS. You have %(count)d more try.",
            "This is not the PIN from the SMS. You have %(count)d more tries.",
            left,
        )
        % {"count": left},
        code="pin_wrong",
        field="pin",
    )
