"""Sign-in by PIN within limits: secrets, tries, and how many SMS a program can cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.audit.events import EventType
from accounts.models import AuditEvent, Notice, PinDevice, SmsMessage, User
from accounts.services import reauthentication
from accounts.tests.factories import make_person
from connectors.models import Grant, RefreshToken
from connectors.tests.pin_program import PinProgram, number_of, refused

pytestmark = pytest.mark.postgresql


def test_wrong_pins_run_out(pin_program: PinProgram, member: User) -> None:
    number = number_of(member)
    pin_program.ask(number)
    right = pin_program.phones.pin(number)
    wrong = "111111" if right != "111111" else "222222"
    for _try in range(5):
        refused(pin_program.login(number, pin=wrong), 400, "InvalidParameters")
    refused(pin_program.login(number, pin=right), 400, "InvalidParameters")
    assert not Grant.objects.exists()


@pytest.mark.parametrize("secret", [None, "", "wrong"])
def test_without_the_secret_nobody_signs_in(pin_program: PinProgram, member: User, secret: str | None) -> None:
    pin_program.ask(number_of(member))
    said = refused(pin_program.login(number_of(member), applicationSecret=secret), 401, "Unauthenticated")
    assert said == "Dont have correct applicationId and secret in header!"
    assert PinDevice.objects.get().tries == 0


def test_the_operator_can_let_the_oldest_programs_leave_the_secret_out(
    pin_program: PinProgram, member: User, settings: Any
) -> None:
    settings.PIN_LOGIN_WITHOUT_SECRET = True
    pin_program.ask(number_of(member))
    refused(pin_program.login(number_of(member), applicationSecret="wrong"), 401, "Unauthenticated")
    assert pin_program.login(number_of(member), applicationSecret=None).status_code == 200


def test_pins_are_throttled_for_each_number(pin_program: PinProgram, member: User, travel: Any) -> None:
    number, secret = number_of(member), pin_program.secret
    pin_program.ask(number, applicationSecret=secret)
    answer = pin_program.ask(number, applicationSecret=secret)
    refused(answer, 429, "TooManyRequests")
    assert int(answer["Retry-After"]) > 0
    for _n in range(9):
        travel(hours=1, seconds=5)
        assert pin_program.ask(number, applicationSecret=secret).status_code == 200
    travel(hours=1, seconds=5)
    refused(pin_program.ask(number, applicationSecret=secret), 429, "TooManyRequests")


def test_pins_are_throttled_for_each_connector(pin_program: PinProgram, settings: Any) -> None:
    settings.PIN_PER_CONNECTOR_PER_DAY = 2
    secret = pin_program.secret
    for n in range(2):
        assert pin_program.ask(make_person().number, applicationSecret=secret).status_code == 200, n
    refused(pin_program.ask(make_person().number, applicationSecret=secret), 429, "TooManyRequests")


def test_a_loop_without_the_secret_sends_few_sms_and_spends_them_for_itself_alone(
    pin_program: PinProgram, member: User, travel: Any
) -> None:
    travel()
    answers = [pin_program.ask(make_person().number, REMOTE_ADDR=f"2001:db8::{n}").status_code for n in range(30)]
    assert answers == [200] * 10 + [429] * 20
    # The connector's other users, and programs with the secret, go on; wherever they are.
    assert pin_program.ask(number_of(member), REMOTE_ADDR="2001:db8:0:1::1").status_code == 200
    elsewhere = {"applicationSecret": pin_program.secret, "REMOTE_ADDR": "2001:db8::1"}
    assert pin_program.ask(make_person().number, **elsewhere).status_code == 200


def test_many_addresses_without_the_secret_leave_those_with_it_alone(
    pin_program: PinProgram, settings: Any, travel: Any
) -> None:
    settings.PIN_WITHOUT_SECRET_PER_ADDRESS_PER_DAY = 1
    travel()
    answers = [pin_program.ask(make_person().number, REMOTE_ADDR=f"192.0.2.{n}").status_code for n in range(12)]
    assert answers == [200] * 10 + [429] * 2
    assert pin_program.ask(make_person().number, applicationSecret=pin_program.secret).status_code == 200


def test_a_stranger_cannot_spend_what_one_number_may_get(pin_program: PinProgram, member: User, travel: Any) -> None:
    number = number_of(member)
    for _n in range(9):
        pin_program.ask(number, REMOTE_ADDR="192.0.2.1")
        travel(hours=1, seconds=5)
    pin_program.ask(number, REMOTE_ADDR="192.0.2.1")
    assert pin_program.ask(number, REMOTE_ADDR="192.0.2.2").status_code == 200


def test_an_old_program_whose_users_sign_in_goes_on_without_the_secret(
    pin_program: PinProgram, settings: Any, travel: Any
) -> None:
    """All its users ask from its server's one address."""
    settings.PIN_WITHOUT_SECRET_PER_ADDRESS_PER_DAY = 2
    travel()
    for _n in range(8):
        assert pin_program.token(make_person().number)


def test_the_operator_can_require_the_secret_for_every_pin(
    pin_program: PinProgram, member: User, settings: Any
) -> None:
    settings.PIN_WITHOUT_SECRET_PER_ADDRESS_PER_DAY = 0
    refused(pin_program.ask(number_of(member)), 401, "Unauthenticated")
    assert pin_program.ask(number_of(member), applicationSecret=pin_program.secret).status_code == 200


def test_a_wrong_secret_sends_no_pin(pin_program: PinProgram, member: User) -> None:
    refused(pin_program.ask(number_of(member), applicationSecret="wrong"), 401, "Unauthenticated")
    assert not SmsMessage.objects.exists()


def test_wrong_secrets_alarm_the_owners_once_a_day(pin_program: PinProgram, member: User, travel: Any) -> None:
    travel()
    connector = pin_program.connector
    for n in range(40):
        pin_program.ask(number_of(member), applicationSecret=f"wrong {n}")
    event = AuditEvent.objects.get(tag=EventType.WRONG_SECRETS)
    assert event.connector_id == connector.pk
    notice = Notice.objects.get(template="connectors/wrong_secrets")
    assert notice.user == connector.owner
    assert pin_program.token(number_of(member)), "the alarm refuses the program itself nothing"
    travel(days=1, seconds=1)
    for n in range(40):
        pin_program.login(number_of(member), pin="123456", applicationSecret=f"wrong {n}")
    assert AuditEvent.objects.filter(tag=EventType.WRONG_SECRETS).count() == 2


@pytest.mark.usefixtures("travel")  # the window does not end between two of them
def test_programs_cannot_use_up_the_pins_that_people_need_here(
    pin_program: PinProgram, member: User, settings: Any
) -> None:
    settings.PIN_PER_NUMBER_PER_DAY = settings.PIN_PER_COUNTRY_PREFIX_PER_DAY = 1
    settings.PIN_WITHOUT_SECRET_PER_ADDRESS_PER_DAY = 1
    pin_program.ask(number_of(member))
    refused(pin_program.ask(number_of(member)), 429, "TooManyRequests")
    assert reauthentication.send_pin(user=member, by=member)


def test_tries_are_throttled_for_each_address(pin_program: PinProgram, member: User, travel: Any) -> None:
    travel()
    for _try in range(60):
        refused(pin_program.login(number_of(member), pin="123456", applicationSecret="x"), 401, "Unauthenticated")
    refused(pin_program.login(number_of(member), pin="123456", applicationSecret="x"), 429, "TooManyRequests")


@pytest.mark.django_db(transaction=True)
def test_one_pin_at_the_same_moment_makes_one_token(
    pin_program: PinProgram, member: User, together: Callable[..., list[Any]]
) -> None:
    number = number_of(member)
    pin_program.ask(number)
    pin = pin_program.phones.pin(number)
    answers = together(4, lambda: pin_program.login(number, pin=pin).status_code)
    assert sorted(answers) == [200, 400, 400, 400]
    assert RefreshToken.objects.count() == 1
