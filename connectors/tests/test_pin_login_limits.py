"""Sign-in by PIN within limits: secrets, tries, and how many SMS a program can cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import PinDevice, User
from accounts.services import confirmations
from accounts.tests.factories import make_person
from connectors.models import Grant, RefreshToken
from connectors.tests.pin_program import PinProgram, number_of, refused


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
    number = number_of(member)
    pin_program.ask(number)
    answer = pin_program.ask(number)
    refused(answer, 429, "TooManyRequests")
    assert int(answer["Retry-After"]) > 0
    for _n in range(9):
        travel(hours=1, seconds=5)
        assert pin_program.ask(number).status_code == 200
    travel(hours=1, seconds=5)
    refused(pin_program.ask(number), 429, "TooManyRequests")


def test_pins_are_throttled_for_each_connector_and_address(pin_program: PinProgram, settings: Any, travel: Any) -> None:
    settings.PIN_PER_CONNECTOR_PER_DAY = 2
    for n in range(2):
        assert pin_program.ask(make_person().number).status_code == 200, n
    refused(pin_program.ask(make_person().number), 429, "TooManyRequests")


@pytest.mark.usefixtures("travel")  # the window does not end between two of them
def test_programs_cannot_use_up_the_pins_that_people_need_here(
    pin_program: PinProgram, member: User, settings: Any
) -> None:
    settings.PIN_PER_NUMBER_PER_DAY = settings.PIN_PER_COUNTRY_PREFIX_PER_DAY = 1
    pin_program.ask(number_of(member))
    refused(pin_program.ask(number_of(member)), 429, "TooManyRequests")
    assert confirmations.send_pin(user=member, by=member)


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
