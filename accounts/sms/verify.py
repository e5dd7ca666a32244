"""Twilio Verify: Twilio makes the PIN, keeps it, and says whether what was typed is right."""

from __future__ import annotations

from typing import ClassVar

import requests
import structlog
from django.conf import settings
from twilio.base.exceptions import TwilioException
from twilio.rest.verify.v2.service import ServiceContext

from accounts.sms import twilio
from accounts.sms.base import Verdict, not_checked, not_sent

logger = structlog.get_logger(__name__)

NOT_FOUND = 20404  # Verify forgets a verification once it was approved, expired, or tried too often
TOO_MANY_TRIES = 60202
CHECK_SECONDS = 4.0  # a person waits, in a thread that serves everybody else
VERDICTS = {"approved": Verdict.RIGHT, "pending": Verdict.WRONG}


class TwilioVerify:
    """The Verify service of the settings; it must be set to six digits and ten minutes, its defaults."""

    name: ClassVar[str] = "twilio-verify"
    is_local: ClassVar[bool] = False

    def __init__(self, timeout: float = twilio.TIMEOUT_SECONDS) -> None:
        self._timeout = timeout

    def send(self, *, number: str, pin: str, minutes: int, program: str = "") -> str:
        """See Gateway; the reference is the verification's SID. Within ten minutes it is the same PIN again."""
        with twilio.errors_of_sending(self.name, not_sent()):
            verification = self._service().verifications.create(to=number, channel="sms")
            return twilio.require_sid(verification.sid)

    def check(self, *, reference: str, pin: str) -> Verdict:
        """See PinMaker. By the reference, not the number: another verification of the same number is not ours."""
        try:
            checked = self._service(CHECK_SECONDS).verification_checks.create(verification_sid=reference, code=pin)
        except TwilioException as error:
            if twilio.get_error_code(error) in {NOT_FOUND, TOO_MANY_TRIES}:
                return Verdict.OVER
            logger.warning("sms.check_failed", gateway=self.name, code=twilio.get_error_code(error))
            raise not_checked() from None
        except requests.RequestException as error:
            logger.warning("sms.check_failed", gateway=self.name, error=type(error).__name__)
            raise not_checked() from None
        return VERDICTS.get(checked.status or "", Verdict.OVER)

    def _service(self, most: float = twilio.TIMEOUT_SECONDS) -> ServiceContext:
        return twilio.client(min(self._timeout, most)).verify.v2.services(settings.TWILIO_VERIFY_SERVICE_SID)
