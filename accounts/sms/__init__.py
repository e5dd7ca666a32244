"""SMS: gateways (`verify`, `messages`, `sandbox`) and the contracts they keep (`base`). The settings say which."""

from __future__ import annotations

from django.conf import settings

from accounts.sms.base import Gateway, TextSender
from accounts.sms.messages import TwilioMessages
from accounts.sms.sandbox import SandboxInbox
from accounts.sms.verify import TwilioVerify


def gateway() -> Gateway:
    """The gateway of the settings: the inbox in a sandbox, Verify when it has a service, else plain messages."""
    if settings.SANDBOX:
        return SandboxInbox()
    if settings.TWILIO_VERIFY_SERVICE_SID:
        return TwilioVerify()
    return TwilioMessages()


def gateway_for_programs() -> Gateway | None:
    """The gateway of PINs that people give to a program: never Verify, which sends a number one PIN for all purposes.

    Else a program could be given, in good faith, the very PIN that proves a number here; and Verify cannot say for
    which program a PIN is. None without `TWILIO_FROM`.
    """
    if settings.SANDBOX:
        return SandboxInbox()
    return TwilioMessages() if settings.TWILIO_FROM else None


def text_sender() -> TextSender | None:
    """Who sends texts that carry no PIN: the inbox in a sandbox, else Twilio Messages. None without `TWILIO_FROM`."""
    if settings.SANDBOX:
        return SandboxInbox()
    return TwilioMessages() if settings.TWILIO_FROM else None
