"""An authenticator app, as a person holds it in their hand."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django_otp.oath import TOTP

from accounts.models import AuthenticatorApp


def code_of(device: AuthenticatorApp, *, steps: int = 0) -> str:
    """What the app would show now, or so many half minutes later."""
    generator = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    generator.time = time.time() + steps * device.step
    return f"{generator.token():06d}"


@dataclass(frozen=True)
class CodeNow:
    """For a table of forms: what the app shows at the moment when the form is filled in."""

    device: AuthenticatorApp

    def __str__(self) -> str:
        return code_of(self.device)


def wrong_code(device: AuthenticatorApp) -> str:
    """A code that it shows neither now nor half a minute before or after."""
    right = {code_of(device, steps=steps) for steps in (-1, 0, 1)}
    return next(code for code in (f"{number:06d}" for number in range(10)) if code not in right)
