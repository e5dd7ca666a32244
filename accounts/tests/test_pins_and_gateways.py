"""PINs that Twilio Verify keeps, and what becomes of a PIN when a gateway fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import AuditEvent, PinDevice, SmsMessage, User
from accounts.services import phones as service
from accounts.services import pins
from accounts.services.pins import Program
from accounts.tests.pins import NUMBER, OTHER_NUMBER, enter, send, wrong
from accounts.tests.twilio_server import FakeTwilio
from kaizala_console.lib.errors import GatewayDown, RuleBroken

# Twilio Verify keeps the PIN ------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_pin_of_verify_is_accepted_once_and_never_stored_before(newcomer: User, twilio_verify: FakeTwilio) -> None:
    device = send(newcomer)
    assert PinDevice.objects.get().digest == ""
    pin = twilio_verify.pin(NUMBER)
    with pytest.raises(RuleBroken) as caught:
        enter(newcomer, device, wrong(pin))
    assert caught.value.code == "pin_wrong"
    assert enter(newcomer, device, pin)
    device.refresh_from_db()
    assert device.tries == 1
    with pytest.raises(RuleBroken) as caught:
        enter(newcomer, device, pin)
    assert caught.value.code == "pin_used"


def test_five_wrong_tries_end_a_pin_of_verify_without_asking_it_again(
    newcomer: User, twilio_verify: FakeTwilio
) -> None:
    device = send(newcomer)
    pin = twilio_verify.pin(NUMBER)
    codes = []
    for _ in range(6):
        with pytest.raises(RuleBroken) as caught:
            enter(newcomer, device, wrong(pin))
        codes.append(caught.value.code)
    assert codes == ["pin_wrong"] * 4 + ["pin_exhausted"] * 2
    checks = [path for path, _form in twilio_verify.requests if path.endswith("VerificationCheck")]
    assert len(checks) == 5


@pytest.mark.django_db(transaction=True)
def test_of_many_requests_with_the_right_pin_of_verify_exactly_one_is_accepted(
    newcomer: User, twilio_verify: FakeTwilio, together: Callable[..., list[Any]]
) -> None:
    device = send(newcomer)
    pin = twilio_verify.pin(NUMBER)
    results = together(5, lambda: enter(newcomer, device, pin))
    accepted = [result for result in results if not isinstance(result, Exception)]
    assert len(accepted) == 1, results
    assert newcomer.verified_phones.count() == 1


@pytest.mark.django_db(transaction=True)
def test_guessing_at_verify_with_many_requests_at_once_gets_five_tries_too(
    newcomer: User, twilio_verify: FakeTwilio, together: Callable[..., list[Any]]
) -> None:
    device = send(newcomer)
    pin = twilio_verify.pin(NUMBER)
    twilio_verify.seconds_to_think = 0.3
    together(8, lambda: enter(newcomer, device, wrong(pin)))
    checks = [path for path, _form in twilio_verify.requests if path.endswith("VerificationCheck")]
    assert 0 < len(checks) <= 5


def test_a_check_that_verify_does_not_answer_costs_no_try_and_the_pin_stays_good(
    newcomer: User, twilio_verify: FakeTwilio
) -> None:
    device = send(newcomer)
    pin = twilio_verify.pin(NUMBER)
    for _ in range(7):
        twilio_verify.fail(503)
        with pytest.raises(GatewayDown):
            enter(newcomer, device, pin)
    device.refresh_from_db()
    assert device.tries == 0
    assert enter(newcomer, device, pin)


def test_a_verification_that_twilio_forgot_has_expired(newcomer: User, twilio_verify: FakeTwilio) -> None:
    device = send(newcomer)
    twilio_verify.verifications.clear()
    with pytest.raises(RuleBroken) as caught:
        enter(newcomer, device, "123456")
    assert caught.value.code == "pin_expired"


def test_when_the_operator_changes_the_gateway_a_new_pin_is_needed(
    newcomer: User, twilio_verify: FakeTwilio, settings: Settings
) -> None:
    device = send(newcomer)
    pin = twilio_verify.pin(NUMBER)
    settings.TWILIO_VERIFY_SERVICE_SID = ""
    with pytest.raises(RuleBroken) as caught:
        enter(newcomer, device, pin)
    assert caught.value.code == "pin_expired"


# When the gateway fails -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["twilio", "twilio_verify"])
def test_a_gateway_that_is_down_loses_nothing_and_counts_nothing(
    newcomer: User, kind: str, request: pytest.FixtureRequest, settings: Settings, travel: Callable[..., Any]
) -> None:
    server: FakeTwilio = request.getfixturevalue(kind)
    settings.PIN_PER_NUMBER_PER_DAY = 2
    earlier = send(newcomer)
    pin = server.pin(NUMBER)
    travel(seconds=31)
    server.fail(503, times=4)
    for _ in range(4):
        assert send(newcomer).sent_at is None
    assert list(SmsMessage.objects.values_list("status", "error")) == [("failed", "sms_down")] * 4 + [("sent", "")]
    assert AuditEvent.objects.filter(tag="phone:pin:failed").count() == 4
    assert service.seconds_until_next_pin(user=newcomer) == 0
    assert enter(newcomer, earlier, pin), "the earlier PIN is still good"
    assert send(newcomer), "and another one may be asked for"


def test_a_number_that_takes_no_sms_is_told_and_costs_nothing(newcomer: User, twilio: FakeTwilio) -> None:
    twilio.fail(400, 21614)
    assert send(newcomer).sms.error == "number_refused"
    assert send(newcomer, OTHER_NUMBER).sent_at


# PINs that people give to a program -----------------------------------------------------------------------------------


def test_a_program_never_gets_a_pin_of_verify_which_would_prove_the_number_here_too(
    newcomer: User, twilio_verify: FakeTwilio, settings: Settings
) -> None:
    program = Program(key="x", name="Shift Planner", organisation=newcomer.organisation)
    settings.TWILIO_FROM = ""
    with pytest.raises(RuleBroken, match="no sender"):
        pins.send_login_pin(number=NUMBER, program=program, by=newcomer)
    assert twilio_verify.requests == []
    settings.TWILIO_FROM = "+14155550100"
    pins.send_login_pin(number=NUMBER, program=program, by=newcomer)
    pins.deliver(sms_id=SmsMessage.objects.get().pk)
    ((path, form),) = twilio_verify.requests
    assert path.endswith("/Messages.json")
    assert "Shift Planner" in form["Body"]
    assert PinDevice.objects.get().digest
