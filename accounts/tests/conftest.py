"""What only this app's tests need: Twilio as a local server, and the settings that lead there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from accounts.tests import twilio_server
from accounts.tests.twilio_server import FakeTwilio


@pytest.fixture
def twilio(settings: Settings) -> Iterator[FakeTwilio]:
    """A server that speaks Twilio's JSON, with the settings of production pointing to it: plain messages."""
    with twilio_server.running() as server:
        settings.SANDBOX = False
        settings.TWILIO_ACCOUNT_SID = twilio_server.ACCOUNT_SID
        settings.TWILIO_AUTH_TOKEN = twilio_server.AUTH_TOKEN
        settings.TWILIO_VERIFY_SERVICE_SID = ""
        settings.TWILIO_FROM = twilio_server.FROM
        settings.TWILIO_API_BASE_URL = server.base_url
        settings.TWILIO_VERIFY_BASE_URL = server.base_url
        yield server


@pytest.fixture
def twilio_verify(twilio: FakeTwilio, settings: Settings) -> FakeTwilio:
    """The same, with a Verify service."""
    settings.TWILIO_VERIFY_SERVICE_SID = twilio_server.SERVICE_SID
    return twilio


@pytest.fixture
def broken_trail(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """`broken_trail()`: from now on no audit row can be written."""

    def broken_trail() -> None:
        def fails(*args: object, **kwargs: object) -> None:
            raise OSError("the audit table is full")

        monkeypatch.setattr("accounts.models.AuditEvent.objects.create", fails)

    return broken_trail
