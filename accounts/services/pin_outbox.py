"""PINs on their way: the worker sends them, so that a gateway that hangs holds no thread of the web server.

The row of the SMS is the queue (`kaizala_console.lib.outbox`). The PIN is sealed in it until it has left. A PIN gets
one try, because its reader waits for it and can ask again; another only when the worker was killed during the first.
"""

from __future__ import annotations

import datetime as dt
import json
from datetime import timedelta
from typing import Final

import structlog
from celery import signature
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import translation
from django.views.decorators.debug import sensitive_variables

from accounts import sms
from accounts.audit.record import SYSTEM, record
from accounts.audit.tags import Tag
from accounts.models import Organisation, PinDevice, SmsMessage
from accounts.sms.contract import Gateway, not_sent
from kaizala_console.lib import clock, crypto, outbox, phone_numbers
from kaizala_console.lib.background import after_commit
from kaizala_console.lib.circuit import Circuit
from kaizala_console.lib.errors import ConsoleError, GatewayDown

logger = structlog.get_logger(__name__)

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
        Tag.PIN_NOT_SENT,
        by=SYSTEM,
        subject=device,
        organisation=Organisation.objects.filter(pk=organisation_id).first() if organisation_id else None,
        after={"number": phone_numbers.mask(device.number), "purpose": device.purpose, "reason": code},
    )


def _wipe(sms_id: int, status: SmsMessage.Status, **facts: str) -> None:
    SmsMessage.objects.filter(pk=sms_id).update(status=status, sealed=None, next_attempt_at=None, **facts)


def _wake(message: SmsMessage) -> None:
    after_commit(signature(DELIVER), sms_id=message.pk)


def _circuit(gateway: str) -> Circuit:
    return Circuit(f"sms:{gateway}")


def _context(message: SmsMessage) -> bytes:
    return b"accounts.SmsMessage:" + str(message.pk).encode()
