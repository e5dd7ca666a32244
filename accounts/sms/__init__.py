"""SMS: one contract, three ways to keep it (`twilio_verify`, `twilio_messages`, `inbox`), and which of them is used."""

from __future__ import annotations

from django.conf import settings

from accounts.sms.contract import Gateway
from accounts.sms.inbox import Inbox
from accounts.sms.twilio_messages import TwilioMessages
from accounts.sms.twilio_verify import TwilioVerify


def gateway() -> Gateway:
    """The gateway of the settings: the inbox in a sandbox, Verify when it has a service, else plain messages."""
    if settings.SANDBOX:
        return Inbox()
    if settings.TWILIO_VERIFY_SERVICE_SID:
        return TwilioVerify()
    return TwilioMessages()
