"""Twilio Messages: the words are ours, and leave as a plain SMS from `TWILIO_FROM`."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings

from accounts.sms import base, twilio
from accounts.sms.base import not_sent


class TwilioMessages:
    """`TWILIO_FROM` is a number in E.164, an alphanumeric sender, or a messaging service (`MG…`)."""

    name: ClassVar[str] = "twilio-messages"
    is_local: ClassVar[bool] = False

    def __init__(self, timeout: float = twilio.TIMEOUT_SECONDS) -> None:
        self._timeout = timeout

    def send(self, *, number: str, pin: str, minutes: int, program: str = "") -> str:
        """See Gateway; the reference is the message's SID."""
        return self.send_text(number=number, text=base.pin_text(pin, minutes, program))

    def send_text(self, *, number: str, text: str) -> str:
        """See TextSender; the reference is the message's SID."""
        sender = settings.TWILIO_FROM
        origin = {"messaging_service_sid": sender} if sender.startswith("MG") else {"from_": sender}
        with twilio.errors_of_sending(self.name, not_sent()):
            message = twilio.client(self._timeout).messages.create(to=number, body=text, **origin)
            return twilio.require_sid(message.sid)
