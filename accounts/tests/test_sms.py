"""The gateways: one contract for all three, and Twilio's failures through the official SDK over a real socket."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings
from twilio.base.exceptions import TwilioException

from accounts import sms
from accounts.models import SandboxSms
from accounts.sms.base import Gateway, PinMaker, SmsRefused
from accounts.sms.messages import TwilioMessages
from accounts.sms.sandbox import KEPT, SandboxInbox
from accounts.sms.twilio import Transport
from accounts.sms.verify import TwilioVerify
from accounts.tests import twilio_server
from accounts.tests.twilio_server import FakeTwilio
from kaizala_console.lib.errors import GatewayDown, TooSoon
from kaizala_console.tests.ports import free_port

NUMBER = "+919820000001"


@dataclass
class Line:
    """A gateway, and the phone at its other end."""

    gateway: Gateway
    pin_on_phone: Callable[[], str]
    texts_on_phone: Callable[[], list[str]]


@pytest.fixture(params=["inbox", "twilio-messages", "twilio-verify"])
def line(request: pytest.FixtureRequest, settings: Settings) -> Line:
    """Each gateway as the settings choose it."""
    if request.param == "inbox":
        phones = request.getfixturevalue("phones")
        return Line(sms.gateway(), lambda: phones.pin(NUMBER), lambda: phones.texts(NUMBER))
    server = request.getfixturevalue("twilio" if request.param == "twilio-messages" else "twilio_verify")
    return Line(sms.gateway(), lambda: server.pin(NUMBER), lambda: server.texts[NUMBER])


def test_a_pin_reaches_the_phone_in_one_sms_and_has_a_reference(line: Line) -> None:
    pin = "" if isinstance(line.gateway, PinMaker) else "012345"
    reference = line.gateway.send(number=NUMBER, pin=pin, minutes=10)
    assert 0 < len(reference) <= 64
    (text,) = line.texts_on_phone()
    assert len(text) <= 160
    assert line.pin_on_phone() == pin or isinstance(line.gateway, PinMaker)


def test_a_text_reaches_the_phone_as_it_is_and_has_a_reference(line: Line) -> None:
    sender = sms.text_sender()
    assert sender is not None
    assert 0 < len(sender.send_text(number=NUMBER, text="Hello & <goodbye>")) <= 64
    assert line.texts_on_phone() == ["Hello & <goodbye>"]


def test_verify_alone_sends_no_texts(twilio_verify: FakeTwilio, settings: Settings) -> None:
    assert isinstance(sms.gateway(), TwilioVerify)
    settings.TWILIO_FROM = ""
    assert sms.text_sender() is None


@pytest.mark.django_db
def test_the_inbox_is_for_the_sandbox_alone(settings: Settings) -> None:
    settings.SANDBOX = False
    with pytest.raises(ImproperlyConfigured):
        SandboxInbox().send(number=NUMBER, pin="123456", minutes=10)
    with pytest.raises(ImproperlyConfigured):
        SandboxInbox().send_text(number=NUMBER, text="Hello")
    assert not SandboxSms.objects.exists()
    assert not isinstance(sms.gateway(), SandboxInbox)


@pytest.mark.django_db
def test_the_inbox_forgets_the_oldest() -> None:
    oldest = SandboxInbox().send(number=NUMBER, pin="000000", minutes=10)
    SandboxSms.objects.bulk_create(SandboxSms(number=NUMBER, text="000001") for _ in range(KEPT - 1))
    assert SandboxSms.objects.filter(pk=oldest).exists()
    SandboxInbox().send(number=NUMBER, pin="000002", minutes=10)
    assert not SandboxSms.objects.filter(pk=oldest).exists()
    assert SandboxSms.objects.count() == KEPT


def test_a_messaging_service_is_a_sender_too(twilio: FakeTwilio, settings: Settings) -> None:
    settings.TWILIO_FROM = "MG" + "3" * 32
    TwilioMessages().send(number=NUMBER, pin="123456", minutes=10)
    _path, form = twilio.requests[0]
    assert form["MessagingServiceSid"] == "MG" + "3" * 32
    assert "From" not in form


TWILIOS = pytest.mark.parametrize("gateway", [TwilioMessages, TwilioVerify])


@TWILIOS
@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, 21211, SmsRefused),
        (400, 21614, SmsRefused),
        (403, 60205, SmsRefused),
        (403, 60410, SmsRefused),
        (429, 60203, TooSoon),
        (429, 20429, GatewayDown),
        (401, 20003, GatewayDown),
        (500, 20500, GatewayDown),
        (503, None, GatewayDown),
    ],
)
def test_an_error_of_twilio_becomes_one_that_says_what_to_do(
    twilio_verify: FakeTwilio,
    gateway: type[TwilioMessages | TwilioVerify],
    status: int,
    code: int | None,
    error: type[Exception],
) -> None:
    twilio_verify.fail(status, code)
    with pytest.raises(error) as caught:
        gateway().send(number=NUMBER, pin="123456", minutes=10)
    assert type(caught.value) is error
    assert NUMBER not in str(caught.value)
    assert len(twilio_verify.requests) == 1, "nothing is sent twice"
    assert not twilio_verify.texts


@TWILIOS
@pytest.mark.parametrize(
    "text", ["<html>502 Bad Gateway</html>", "", "[]", "null", "{}", '{"code": "x"', '{"code": [], "sid": 0}']
)
def test_an_answer_that_is_no_json_of_twilio_is_a_gateway_that_is_down(
    twilio_verify: FakeTwilio, gateway: type[TwilioMessages | TwilioVerify], text: str
) -> None:
    for status in (200, 201, 502):
        twilio_verify.fail(status, text=text)
        with pytest.raises(GatewayDown):
            gateway().send(number=NUMBER, pin="123456", minutes=10)


@TWILIOS
def test_a_gateway_that_hangs_or_is_not_there_costs_its_time_out_and_no_more(
    twilio_verify: FakeTwilio, settings: Settings, gateway: type[TwilioMessages | TwilioVerify]
) -> None:
    twilio_verify.hang = True
    began = time.monotonic()
    with pytest.raises(GatewayDown):
        gateway(timeout=0.3).send(number=NUMBER, pin="123456", minutes=10)
    with pytest.raises(GatewayDown):
        TwilioVerify(timeout=0.3).check(reference="VE1", pin="123456")
    assert time.monotonic() - began < 5
    settings.TWILIO_API_BASE_URL = settings.TWILIO_VERIFY_BASE_URL = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(GatewayDown):
        gateway().send(number=NUMBER, pin="123456", minutes=10)


def test_only_twilios_own_hosts_are_mapped_and_called(settings: Settings) -> None:
    with pytest.raises(TwilioException):
        Transport().request("GET", "https://lookups.twilio.com/v1/PhoneNumbers")
    with pytest.raises(TwilioException):
        Transport().request("GET", "https://api.twilio.com.example/2010-04-01")


def test_neither_pin_nor_number_nor_token_gets_into_the_log(
    twilio_verify: FakeTwilio, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    TwilioMessages().send(number=NUMBER, pin="987654", minutes=10)
    assert caplog.messages == [], "the SDK of Twilio would log each message"
    caplog.set_level(logging.DEBUG)
    reference = TwilioVerify().send(number=NUMBER, pin="", minutes=10)
    pin = twilio_verify.pin(NUMBER)
    TwilioVerify().check(reference=reference, pin=pin)
    twilio_verify.fail(400, 21211, times=2)
    for gateway in (TwilioMessages(), TwilioVerify()):
        with pytest.raises(SmsRefused):
            gateway.send(number=NUMBER, pin="987654", minutes=10)
    written = caplog.text + capsys.readouterr().out
    assert "sms.gateway_failed" in written
    for secret in ("987654", pin, NUMBER, twilio_server.AUTH_TOKEN):
        assert secret not in written
