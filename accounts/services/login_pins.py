"""The PIN with which a person lets a program act for them: sent to a number, whether or not anybody here has it.

No account is asked for or looked up: that what is answered does not tell whether a number is known follows from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.record import Actor
from accounts.models import PinDevice
from accounts.services import pins
from accounts.services.pins import Program
from kaizala_console.lib.errors import RuleBroken

Result = TypeVar("Result")


def send_login_pin(*, number: str, program: Program, by: Actor) -> None:
    """Sends a PIN to a valid number, for this program alone. Raises as `pins.send`."""
    pins.send(user=None, number=number, purpose=PinDevice.Purpose.LOGIN, by=by, program=program)


@sensitive_variables("pin")
def accept_login_pin(*, number: str, program: Program, pin: str, by: Actor, then: Callable[[], Result]) -> Result:
    """Checks the PIN that was sent last to this number for this program; what `then` does, in the same transaction.

    Raises RuleBroken with the code `pin_missing` when none was asked for; else as `pins.accept`.
    """
    sent = PinDevice.objects.select_related("sms").filter(
        audience=program.key, number=number, purpose=PinDevice.Purpose.LOGIN, sent_at__isnull=False
    )
    device = sent.order_by("-id").first()
    if device is None:
        raise RuleBroken(_("Ask for a PIN first."), code="pin_missing", field="pin")
    return pins.accept(user=None, device=device, pin=pin, by=by, then=then, program=program)
