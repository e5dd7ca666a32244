"""What only this app's tests need: Twilio and Office365 as local servers, a newcomer, and an operator at the desk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.audit import chain
from accounts.models import AuthenticatorApp, Organisation, User, VerifiedPhone
from accounts.services import notifications, reauthentication
from accounts.services import phones as phones_service
from accounts.tests import office365_server, sign_in_walk, twilio_server
from accounts.tests.authenticator import code_of
from accounts.tests.factories import make_user
from accounts.tests.office365_server import Office365
from accounts.tests.pins import Prove
from accounts.tests.twilio_server import FakeTwilio
from kaizala_console.dashboard.pending_actions import Waiting
from kaizala_console.lib.tests.cast import BrowserOf


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


@pytest.fixture
def newcomer(organisation: Organisation) -> User:
    """Signed in for the first time: no phone yet."""
    return make_user("Nina Joshi", organisation, number=None)


@pytest.fixture
def prove(phones: Any) -> Prove:
    """`prove(user, number)`: has a PIN sent, and enters it."""

    def prove(user: User, number: str) -> VerifiedPhone:
        device = phones_service.send_pin(user=user, number=number, by=user)
        return phones_service.verify_pin(user=user, device_id=device.pk, pin=phones.pin(number), by=user)

    return prove


@pytest.fixture
def app(operator: User) -> AuthenticatorApp:
    """The operator's authenticator app."""
    return AuthenticatorApp.objects.create(user=operator, name="app", confirmed=True)


@pytest.fixture
def desk(operator: User, app: AuthenticatorApp, browser_of: BrowserOf) -> Client:
    """An operator's browser that has passed the second factor."""
    browser = browser_of(operator)
    assert browser.post("/operators/second-factor/", {"pin": code_of(app)}).status_code == 302
    return browser


@pytest.fixture
def some_of_everything(developer: User) -> None:
    """A row of each model."""
    reauthentication.send_pin(user=developer, by=developer)
    notifications.queue(user=developer, template="accounts/phone_added", key="k", context={"number": "+91 •• 001"})
    AuthenticatorApp.objects.create(user=developer, name="app")
    chain.chain()


@pytest.fixture
def office365(settings: Settings) -> Iterator[Office365]:
    """Office365, with one person of the allowed tenant."""
    with office365_server.running() as server:
        sign_in_walk.use(settings, server, [sign_in_walk.TENANT])
        server.add_person("anita", sign_in_walk.claims_of("Anita Desai"))
        yield server


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what is asked for each page's menu."""
    monkeypatch.setattr("kaizala_console.dashboard.pending_actions.count_waiting", lambda _user: Waiting())
