"""What the tests of PINs share: asking for one, entering it, and a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import PinDevice, SmsMessage, User, VerifiedPhone
from accounts.services import phones, pins
from kaizala_console.lib import clock
from kaizala_console.lib.errors import RuleBroken

NUMBER = "+919876543210"
OTHER_NUMBER = "+919876543211"
Prove = Callable[[User, str], VerifiedPhone]  # what the fixture `prove` is


def send(user: User, number: str = NUMBER) -> PinDevice:
    """The account asks for a PIN to a number that it wants to hold, and the worker sends it."""
    device = phones.send_pin(user=user, number=number, by=user)
    pins.deliver(sms_id=device.sms_id)
    device.refresh_from_db()
    return device


def work() -> None:
    """The worker sends all PINs that wait."""
    for sms in SmsMessage.objects.waiting():
        pins.deliver(sms_id=sms.pk)


def enter(user: User, device: PinDevice, pin: str) -> VerifiedPhone:
    """The account enters what it read."""
    return phones.verify_pin(user=user, device_id=device.pk, pin=pin, by=user)


def wrong(pin: str) -> str:
    """Another PIN."""
    return f"{(int(pin) + 1) % 10**6:06d}"


def sent_long_ago(user: User) -> int:
    """A PIN to a number that the account wanted to hold once; the cool-down after it is over."""
    device = send(user)
    SmsMessage.objects.filter(pk=device.sms_id).update(created_at=clock.now() - timedelta(days=90))
    return device.pk


def refused(code: str) -> Any:
    """`with refused("pin_used"):` what is done there breaks the rule of this code."""
    return pytest.raises(RuleBroken, check=lambda error: getattr(error, "code", "") == code)
