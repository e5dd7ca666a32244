"""Twilio, through its official SDK: the transport, and what its error codes mean to us.

Codes: twilio.com/docs/api/errors. The SDK has no setting for another address and no time-out of its own: the
transport below brings both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
import structlog
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from accounts.sms.base import SmsRefused, country_refused
from kaizala_console.lib import deadlines
from kaizala_console.lib.errors import ConsoleError, GatewayDown, TooSoon

logger = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 10.0
# Not a number (21211, 21214, 21217, 21421, 60033, 60200), takes no SMS (21612, 21614, 60205), said STOP (21610).
NO_SMS_TO_NUMBER = frozenset({21211, 21214, 21217, 21421, 21610, 21612, 21614, 60033, 60200, 60205})
NO_SMS_TO_COUNTRY = frozenset({21408, 60410, 60605})  # not enabled by the operator, or blocked against SMS pumping
TOO_MANY_SENT = 60203  # five to a number in ten minutes
VERIFY_WINDOW_SECONDS = 600


class Transport(TwilioHttpClient):
    """The SDK's own client, with a deadline, without retries, and with the addresses of the settings."""

    def __init__(self, timeout: float = TIMEOUT_SECONDS) -> None:
        super().__init__(timeout=timeout, max_retries=0)
        self._seconds = timeout
        for adapter in self.session.adapters.values():
            deadlines.watch_connections(adapter.poolmanager)

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        """Sends to the configured base address instead of Twilio's.

        Raises TwilioException for any other host, and for an answer that is no JSON object: the SDK would stumble
        over the page of a proxy with whatever exception comes.
        """
        with deadlines.deadline(self._seconds):
            response = super().request(method, _address(url), *args, **kwargs)
        try:
            is_object = isinstance(json.loads(response.text), dict)
        except ValueError:
            is_object = False
        if not is_object:
            raise TwilioException("The answer is none of Twilio's.")
        return response


def client(timeout: float = TIMEOUT_SECONDS) -> Client:
    """The SDK with the credentials of the settings. `timeout` is in seconds, for the whole of a call."""
    return Client(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN, http_client=Transport(timeout))


@contextmanager
def errors_of_sending(gateway: str, down: GatewayDown) -> Iterator[None]:
    """Translates everything that the SDK and its transport raise into errors that say what to do."""
    try:
        yield
    except (TwilioException, requests.RequestException) as error:
        raise _translated(gateway, error, down) from None


def require_sid(sid: str | None) -> str:
    """The SID of what was made. Raises TwilioException when the answer has none: then nothing was."""
    if not sid:
        raise TwilioException("The answer names no SID.")
    return sid


def get_error_code(error: Exception) -> int:
    """Twilio's error code; 0 when the answer had none."""
    code = error.code if isinstance(error, TwilioRestException) else 0
    return code if isinstance(code, int) else 0


def _address(url: str) -> str:
    parts = urlsplit(url)
    product = (parts.hostname or "").split(".")[0]
    bases = {"api": settings.TWILIO_API_BASE_URL, "verify": settings.TWILIO_VERIFY_BASE_URL}
    if product not in bases or not (parts.hostname or "").endswith(".twilio.com"):
        raise TwilioException("The console calls only the api and verify hosts of Twilio.")
    return bases[product].rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")


def _translated(gateway: str, error: Exception, down: GatewayDown) -> ConsoleError:
    code = get_error_code(error)
    status = error.status if isinstance(error, TwilioRestException) else 0
    # Neither the error's text nor its address: the one may name the number, the other the account.
    logger.warning("sms.gateway_failed", gateway=gateway, error=type(error).__name__, status=status, code=code)
    if code in NO_SMS_TO_NUMBER:
        return SmsRefused(field="number")
    if code in NO_SMS_TO_COUNTRY:
        return country_refused()
    if code == TOO_MANY_SENT:
        return TooSoon(
            _("Too many PINs were sent in a short time. Wait ten minutes, then ask for a new one."),
            retry_after=VERIFY_WINDOW_SECONDS,
            code="pin_limit",
        )
    return down
