"""PINs on their way: the worker sends them, no web thread waits for the gateway, and no PIN is left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import PinDevice, SandboxSms, SmsMessage, User
from accounts.services import phones, pins
from accounts.sms import verify as verify
from accounts.tests.pins import NUMBER, enter, send
from accounts.tests.twilio_server import FakeTwilio
from kaizala_console.lib.circuit_breaker import CircuitBreaker
from kaizala_console.lib.errors import GatewayDown, RuleBroken

pytestmark = pytest.mark.postgresql


@pytest.fixture(autouse=True)
def closed_circuits(db: None) -> None:
    """No test inherits a gateway that was down."""
    for gateway in ("twilio-messages", "twilio-verify"):
        CircuitBreaker(f"sms:{gateway}").succeeded()


def test_a_gateway_that_hangs_holds_nobody_who_asks_and_the_pin_is_sealed_until_it_has_left(
    newcomer: User, twilio: FakeTwilio
) -> None:
    twilio.hang = True
    began = time.monotonic()
    device = phones.send_pin(user=newcomer, number=NUMBER, by=newcomer)
    assert time.monotonic() - began < 1
    assert twilio.requests == []
    twilio.hang = False
    assert device.sms.sealed
    assert pins.sweep() == 1
    assert pins.deliver(sms_id=device.sms_id)
    assert twilio.pin(NUMBER).encode() not in bytes(device.sms.sealed)
    device.refresh_from_db()
    assert (device.sms.status, device.sms.sealed, device.sms.next_attempt_at) == ("sent", None, None)
    assert not pins.deliver(sms_id=device.sms_id)
    assert len(twilio.texts[NUMBER]) == 1
    assert enter(newcomer, device, twilio.pin(NUMBER))


@pytest.mark.parametrize("kind", ["twilio", "twilio_verify"])
def test_after_five_failures_the_gateway_is_left_alone_and_people_hear_it_at_once(
    newcomer: User, kind: str, request: pytest.FixtureRequest
) -> None:
    server: FakeTwilio = request.getfixturevalue(kind)
    server.fail(503, times=5)
    for _ in range(5):
        assert send(newcomer).sms.status == "failed"
    with pytest.raises(GatewayDown):
        phones.send_pin(user=newcomer, number=NUMBER, by=newcomer)
    assert len(server.requests) == 5


def test_a_pin_that_no_worker_sent_in_time_is_wiped_and_not_sent(
    newcomer: User, twilio: FakeTwilio, travel: Callable[..., Any]
) -> None:
    device = phones.send_pin(user=newcomer, number=NUMBER, by=newcomer)
    travel(minutes=11)
    assert pins.sweep() == 1
    assert not pins.deliver(sms_id=device.sms_id)
    sms = SmsMessage.objects.get()
    assert (sms.status, sms.sealed, twilio.requests) == ("failed", None, [])
    with pytest.raises(RuleBroken, match="expired"):
        enter(newcomer, device, "123456")


def test_in_a_sandbox_the_pin_is_in_the_inbox_at_once(newcomer: User) -> None:
    device = phones.send_pin(user=newcomer, number=NUMBER, by=newcomer)
    assert device.sent_at
    assert SandboxSms.objects.get().number == NUMBER


@pytest.mark.django_db(transaction=True)
def test_checks_that_verify_does_not_answer_hold_few_threads_and_each_for_seconds(
    newcomer: User,
    twilio_verify: FakeTwilio,
    together: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> None:
    monkeypatch.setattr(verify, "CHECK_SECONDS", 1.0)
    device = send(newcomer)
    pin = twilio_verify.pin(NUMBER)
    twilio_verify.hang = True
    began = time.monotonic()
    seconds: list[float] = []
    lock = threading.Lock()

    def check() -> None:
        try:
            enter(newcomer, device, pin)
        finally:
            with lock:
                seconds.append(time.monotonic() - began)

    settings.PIN_TRIES = 20
    results = together(10, check)
    assert {type(result) for result in results} == {GatewayDown}
    assert max(seconds) < 4
    assert len([second for second in seconds if second < 0.9]) >= 6, seconds
    twilio_verify.hang = False
    assert enter(newcomer, PinDevice.objects.get(pk=device.pk), pin)


def test_a_worker_is_woken_for_a_pin(
    newcomer: User, twilio: FakeTwilio, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        device = phones.send_pin(user=newcomer, number=NUMBER, by=newcomer)
    device.refresh_from_db()
    assert device.sent_at
