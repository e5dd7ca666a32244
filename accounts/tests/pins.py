"""What the tests of PINs share: asking for one, entering it, and a wrong one."""

from __future__ import annotations

from accounts.models import PinDevice, User, VerifiedPhone
from accounts.services import phones

NUMBER = "+919876543210"
OTHER_NUMBER = "+919876543211"


def send(user: User, number: str = NUMBER) -> PinDevice:
    """The account asks for a PIN to a number that it wants to hold."""
    return phones.send_pin(user=user, number=number, by=user)


def enter(user: User, device: PinDevice, pin: str) -> VerifiedPhone:
    """The account enters what it read."""
    return phones.verify_pin(user=user, device_id=device.pk, pin=pin, by=user)


def wrong(pin: str) -> str:
    """Another PIN."""
    return f"{(int(pin) + 1) % 10**6:06d}"
