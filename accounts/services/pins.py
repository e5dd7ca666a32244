"""PINs by SMS: sent within limits, accepted once. What a PIN is good for, its callers say (phones, confirmations)."""

from __future__ import annotations

import datetime as dt
import json
import math
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import BoundedSemaphore
from types import SimpleNamespace
from typing import Any, Final, TypeVar

import django_otp
import structlog
from celery import signature
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from accounts import sms
from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, Actor, record
from accounts.models import Organisation, PinDevice, SmsMessage, User
from accounts.sms.base import Gateway, PinMaker, Verdict, not_checked, not_sent
from kaizala_console.lib import clock, crypto, outbox, phone_numbers, request_context
from kaizala_console.lib.background import after_commit
from kaizala_console.lib.circuit_breaker import CircuitBreaker
from kaizala_console.lib.client_address import get_network
from kaizala_console.lib.errors import ConsoleError, GatewayDown, RuleBroken, TooSoon

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
    require_gateway(gateway)
    address = request_context.current().client_address
    now = clock.now()
    audience = program.key if program is not None else ""
    device = PinDevice(user=user, name=purpose.value, number=number, purpose=purpose, audience=audience)
    device.valid_until = now + timedelta(seconds=settings.PIN_SECONDS)
    pin = ""
    if not isinstance(gateway, PinMaker):
        pin = f"{secrets.randbelow(10**settings.PIN_DIGITS):0{settings.PIN_DIGITS}d}"
        device.set_pin(pin)
    with transaction.atomic():
        lock_limits()
        with_secret = program is None or program.with_secret
        require_within_limits(
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
            number_tag=number_tag(number),
            country_prefix=phone_numbers.country_prefix(number),
            purpose=purpose,
            client_address=address or None,
            gateway=gateway.name,
            created_at=now,
        )
        device.save()
        _record_event(EventType.PIN_REQUESTED, device, by, program)
        queue(
            device=device, pin=pin, program=program.name if program else "", organisation=_organisation(device, program)
        )
    if gateway.is_local:
        deliver(sms_id=device.sms_id)
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


def send_login_pin(*, number: str, program: Program, by: Actor) -> None:
    """Sends the PIN with which a person lets a program act for them, to a valid number. Raises as `send`.

    No account is asked for or looked up, so that the answer does not tell whether anybody here has the number.
    """
    send(user=None, number=number, purpose=PinDevice.Purpose.LOGIN, by=by, program=program)


@sensitive_variables("pin")
def accept_login_pin(*, number: str, program: Program, pin: str, by: Actor, then: Callable[[], Result]) -> Result:
    """Checks the PIN that was sent last to this number for this program; what `then` does, in the same transaction.

    Raises RuleBroken with the code `pin_missing` when none was asked for; else as `accept`.
    """
    sent = PinDevice.objects.select_related("sms").filter(
        audience=program.key, number=number, purpose=PinDevice.Purpose.LOGIN, sent_at__isnull=False
    )
    device = sent.order_by("-id").first()
    if device is None:
        raise RuleBroken(_("Ask for a PIN first."), code="pin_missing", field="pin")
    return accept(user=None, device=device, pin=pin, by=by, then=then, program=program)


@transaction.atomic
def forget_old() -> int:
    """Deletes PINs whose day is over; the SMS log, without numbers, stays. Returns how many."""
    return PinDevice.objects.filter(valid_until__lt=clock.now() - timedelta(days=1)).delete()[0]


def _record_event(tag: EventType, device: PinDevice, by: Actor, program: Program | None, **facts: str) -> None:
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
        _record_event(EventType.PIN_REFUSED, device, by, program)


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


# ----------------------------------------------------------------------------------------------------
# How often a PIN may be sent: a growing pause between two, and caps over 24 hours. An SMS costs money.
#
# Counted in the SMS log, which is exact and outlives a cache. What the gateway refused or did not send does not count.
# A success ends the pause but not the caps: an SMS pump uses its PINs, too.


logger = structlog.get_logger(__name__)

DAY = dt.timedelta(days=1)
LONGEST_PAUSE = dt.timedelta(hours=1)
_ADDRESSES_WITHOUT_SECRET = 10  # a connector's PINs without its secret: as many as of so many addresses
_LOCK = 0x5049_4E53  # "PINS": any number, the same in every process


def lock_limits() -> None:
    """Lets one request at a time count and write, until its transaction ends; so no two slip under a cap together.

    On SQLite the transaction itself does that (transaction_mode IMMEDIATE).
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def require_within_limits(
    *,
    user: User | None,
    number: str,
    address: str,
    at: dt.datetime,
    purpose: str,
    audience: str = "",
    with_secret: bool = True,
) -> None:
    """Raises TooSoon when `user`, or a program's user, has to wait before another PIN leaves for `number`.

    The pause follows from the account's own sends alone, and all caps answer the same: nobody learns here what others
    do with a number. A program's users are counted apart (`audience`): nobody can use up, through a program, what
    people need to sign in here; those of a program that sent no secret are counted by where they ask from (ADR 0072).
    """
    lately = SmsMessage.objects.counted(at - DAY)
    tag = number_tag(number)
    if user is not None:
        pause = _pause(_newest_first(lately.filter(user=user)), at)
        caps = _caps_of_account(lately.filter(audience=""), user, number, address, purpose)
    elif with_secret:
        sent = lately.filter(audience=audience, with_secret=True)
        pause = _pause(_newest_first(sent.filter(number_tag=tag)), at)
        caps = {
            "connector": (sent.count(), settings.PIN_PER_CONNECTOR_PER_DAY),
            "number": (sent.filter(number_tag=tag).count(), settings.PIN_PER_NUMBER_PER_DAY),
        }
    else:
        rows = _newest_first(lately.filter(audience=audience, with_secret=False))
        from_there = [row for row in rows if get_network(row.client_address or "") == get_network(address)]
        pause = _pause([row for row in from_there if row.number_tag == tag], at)
        caps = _caps_without_secret(rows, from_there, tag)
    if pause > 0:
        raise TooSoon(_wait(pause), retry_after=pause, code="pin_pause")
    reached = next((kind for kind, (count, most) in caps.items() if count >= most), "")
    if reached:
        logger.warning(
            "pin.cap_reached",
            cap=reached,
            prefix=phone_numbers.country_prefix(number),
            user_id=user and user.pk,
            audience=audience,
        )
        message = _("Too many PINs were asked for. Try again tomorrow, or use another number.")
        if not with_secret:
            message = _("Too many PINs were asked for without applicationSecret. Send it too, or try again tomorrow.")
        raise TooSoon(message, retry_after=int(DAY.total_seconds()), code="pin_limit")


def seconds_to_wait(*, user: User, at: dt.datetime) -> int:
    """What is left of the account's pause; the account's own caps count, those that others share do not show."""
    if SmsMessage.objects.counted(at - DAY).filter(user=user).count() >= settings.PIN_PER_ACCOUNT_PER_DAY:
        return int(DAY.total_seconds())
    return _pause(_newest_first(SmsMessage.objects.counted(at - DAY).filter(user=user)), at)


def number_tag(number: str) -> str:
    """A keyed digest by which the log finds the same number again without holding it."""
    return crypto.hmac_tag("sms-number", number).hex()


def pause_length(unused: int) -> dt.timedelta:
    """How long to wait after so many PINs in a row that were sent and not used: doubling, up to an hour."""
    if unused == 0:
        return dt.timedelta(0)
    seconds = settings.PIN_COOLDOWN_SECONDS * 2 ** min(unused - 1, 20)
    return min(dt.timedelta(seconds=seconds), LONGEST_PAUSE)


def _newest_first(sent: QuerySet[SmsMessage]) -> list[SmsMessage]:
    return list(sent.only("created_at", "used_at", "client_address", "number_tag").order_by("-id"))


def _pause(sent: list[SmsMessage], at: dt.datetime) -> int:
    """How long to wait after these, the newest first."""
    unused = next((index for index, row in enumerate(sent) if row.used_at is not None), len(sent))
    if not unused:
        return 0
    return max(0, math.ceil((sent[0].created_at + pause_length(unused) - at).total_seconds()))


def _caps_of_account(
    lately: QuerySet[SmsMessage], user: User, number: str, address: str, purpose: str
) -> dict[str, tuple[int, int]]:
    """What was sent, and the most. Confirmations go to the owner of a number alone, so others cannot use them up."""
    prefix = phone_numbers.country_prefix(number)
    caps = {
        "account": (lately.filter(user=user).count(), settings.PIN_PER_ACCOUNT_PER_DAY),
        "number": (
            lately.filter(number_tag=number_tag(number), purpose=purpose).count(),
            settings.PIN_PER_NUMBER_PER_DAY,
        ),
        "country prefix": (lately.filter(country_prefix=prefix).count(), settings.PIN_PER_COUNTRY_PREFIX_PER_DAY),
    }
    if address:
        caps["address"] = (lately.filter(client_address=address).count(), settings.PIN_PER_ADDRESS_PER_DAY)
    return caps


def _caps_without_secret(rows: list[SmsMessage], from_there: list[SmsMessage], tag: str) -> dict[str, tuple[int, int]]:
    """PINs that were used make room for as many more: all users of an old program ask from its server's address."""
    most = settings.PIN_WITHOUT_SECRET_PER_ADDRESS_PER_DAY
    to_number = sum(row.number_tag == tag for row in rows)
    to_number_from_there = sum(row.number_tag == tag for row in from_there)
    return {
        "address": (_unused_beyond_used(from_there), most),
        "connector": (_unused_beyond_used(rows), _ADDRESSES_WITHOUT_SECRET * most),
        "number": (to_number, settings.PIN_PER_NUMBER_PER_DAY),
        "number from one address": (to_number_from_there, max(1, settings.PIN_PER_NUMBER_PER_DAY // 2)),
    }


def _unused_beyond_used(rows: list[SmsMessage]) -> int:
    used = sum(row.used_at is not None for row in rows)
    return len(rows) - 2 * used


def _wait(seconds: int) -> str:
    if seconds < 100:
        return ngettext(
            "A PIN was just sent. You can ask for a new one in %(count)d second.",
            "A PIN was just sent. You can ask for a new one in %(count)d seconds.",
            seconds,
        ) % {"count": seconds}
    minutes = -(-seconds // 60)
    return ngettext(
        "Several PINs were sent. You can ask for a new one in %(count)d minute.",
        "Several PINs were sent. You can ask for a new one in %(count)d minutes.",
        minutes,
    ) % {"count": minutes}


# ----------------------------------------------------------------------------------------------------
# PINs on their way: the worker sends them, so that a gateway that hangs holds no thread of the web server.
#
# The row of the SMS is the queue (`kaizala_console.lib.outbox`). The PIN is sealed in it until it has left. A PIN gets
# one try, because its reader waits for it and can ask again; another only when the worker was killed during the first.


DELIVER: Final = "accounts.tasks.deliver_pin"  # by name: this layer does not import the tasks above it
LEASE: Final = dt.timedelta(seconds=45)  # longer than the task may take
ATTEMPTS: Final = 3


def require_gateway(gateway: Gateway) -> None:
    """Raises GatewayDown while the gateway is known not to answer: then it is better said at once."""
    if not gateway.is_local and _circuit(gateway.name).is_open:
        raise not_sent()


@sensitive_variables("pin")
def queue(*, device: PinDevice, pin: str, program: str, organisation: Organisation | None) -> None:
    """Seals what has to be sent in the SMS of `device`, and has a worker send it after the caller's transaction."""
    message = device.sms
    letter = {
        "pin": pin,
        "program": program,
        "organisation": str(organisation.pk) if organisation is not None else None,
        "language": translation.get_language() or settings.LANGUAGE_CODE,
    }
    message.sealed = crypto.seal(json.dumps(letter).encode(), context=_context(message))
    message.next_attempt_at = message.scheduled_at = message.created_at
    message.save(update_fields=["sealed", "next_attempt_at", "scheduled_at"])
    if not settings.SANDBOX:
        _wake(message)


@sensitive_variables("letter")
def deliver(*, sms_id: int) -> bool:
    """Sends the PIN if it is due and of use; True when this call sent it. No transaction is open meanwhile."""
    if not _claim(sms_id):
        return False
    device = PinDevice.objects.select_related("sms").filter(sms_id=sms_id).first()
    if device is None:
        _wipe(sms_id, SmsMessage.Status.FAILED, error="pin_gone")
        return False
    try:
        letter = json.loads(crypto.open_sealed(device.sms.sealed or b"", context=_context(device.sms)))
    except crypto.WrongKey:
        _failed(device, "wrong_key", None)
        return False
    if device.superseded_at is not None or clock.now() >= device.valid_until or device.sms.attempts > ATTEMPTS:
        _failed(device, "pin_expired", letter["organisation"])
        return False
    gateway = sms.gateway() if not device.audience else sms.gateway_for_programs()
    if gateway is None or gateway.name != device.sms.gateway:
        _failed(device, "gateway_changed", letter["organisation"])
        return False
    try:
        with translation.override(letter["language"]):
            reference = _send(gateway, device, letter["pin"], letter["program"])
    except ConsoleError as error:
        _failed(device, error.code, letter["organisation"])
        return False
    _sent(device, reference)
    return True


def sweep() -> int:
    """Wakes a worker for every PIN that is due, whatever became of the first message; the number of them."""
    return outbox.sweep(SmsMessage.objects.waiting(), now=clock.now(), wake=_wake)


def _claim(sms_id: int) -> bool:
    mine = SmsMessage.objects.filter(pk=sms_id)
    return outbox.claim(mine, now=clock.now(), lease=LEASE, attempts=F("attempts") + 1) is not None


@sensitive_variables("pin")
def _send(gateway: Gateway, device: PinDevice, pin: str, program: str) -> str:
    circuit = _circuit(gateway.name)
    if not gateway.is_local and not circuit.allows():
        raise not_sent()
    try:
        reference = gateway.send(number=device.number, pin=pin, minutes=settings.PIN_SECONDS // 60, program=program)
    except GatewayDown:
        circuit.failed()
        raise
    except ConsoleError:
        circuit.succeeded()
        raise
    if not gateway.is_local:
        circuit.succeeded()
    return reference


@transaction.atomic
def _sent(device: PinDevice, reference: str) -> None:
    now = clock.now()
    _wipe(device.sms_id, SmsMessage.Status.SENT, reference=reference[:64])
    earlier = PinDevice.objects.filter(
        user=device.user_id, audience=device.audience, purpose=device.purpose, number=device.number
    )
    earlier.filter(pk__lt=device.pk, used_at=None, superseded_at=None).update(superseded_at=now)
    PinDevice.objects.filter(pk=device.pk).update(
        sent_at=now, valid_until=now + timedelta(seconds=settings.PIN_SECONDS)
    )


@transaction.atomic
def _failed(device: PinDevice, code: str, organisation_id: str | None) -> None:
    _wipe(device.sms_id, SmsMessage.Status.FAILED, error=code[:200])
    record(
        EventType.PIN_NOT_SENT,
        by=SYSTEM,
        subject=device,
        organisation=Organisation.objects.filter(pk=organisation_id).first() if organisation_id else None,
        after={"number": phone_numbers.mask(device.number), "purpose": device.purpose, "reason": code},
    )


def _wipe(sms_id: int, status: SmsMessage.Status, **facts: str) -> None:
    SmsMessage.objects.filter(pk=sms_id).update(status=status, sealed=None, next_attempt_at=None, **facts)


def _wake(message: SmsMessage) -> None:
    after_commit(signature(DELIVER), sms_id=message.pk)


def _circuit(gateway: str) -> CircuitBreaker:
    return CircuitBreaker(f"sms:{gateway}")


def _context(message: SmsMessage) -> bytes:
    return b"accounts.SmsMessage:" + str(message.pk).encode()
