"""How often a PIN may be sent: a growing pause, and caps, which hold for requests at the same moment, too."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import PinDevice, User, VerifiedPhone
from accounts.services import phones as service
from accounts.services import pins, reauthentication
from accounts.tests.factories import make_user
from accounts.tests.pins import NUMBER, OTHER_NUMBER, enter, send
from kaizala_console.lib import request_context
from kaizala_console.lib.errors import TooSoon

pytestmark = pytest.mark.postgresql


@pytest.fixture
def slow_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between counting and writing passes enough time that without a lock all would have counted first."""
    require_really = pins.require_within_limits

    def slowly(**arguments: Any) -> None:
        require_really(**arguments)
        time.sleep(0.1)

    monkeypatch.setattr(pins, "require_within_limits", slowly)


@pytest.mark.django_db(transaction=True)
def test_a_button_pressed_many_times_at_once_sends_one_sms(
    newcomer: User, phones: Any, together: Callable[..., list[Any]], slow_counting: None
) -> None:
    results = together(4, lambda: send(newcomer))
    assert sum(isinstance(result, PinDevice) for result in results) == 1, results
    assert sum(isinstance(result, TooSoon) for result in results) == 3
    assert len(phones.texts(NUMBER)) == 1


@pytest.mark.django_db(transaction=True)
def test_accounts_that_ask_at_once_for_one_number_stay_under_its_cap_together(
    organisation: Any, phones: Any, settings: Settings, together: Callable[..., list[Any]], slow_counting: None
) -> None:
    settings.PIN_PER_NUMBER_PER_DAY = 2
    accounts = [make_user(f"Account {index}", organisation, number=None) for index in range(4)]
    waiting = iter(accounts)
    results = together(4, lambda: send(next(waiting)))
    assert sum(isinstance(result, PinDevice) for result in results) == 2, results
    assert len(phones.texts(NUMBER)) == 2


def test_the_pause_between_two_pins_grows_and_a_used_pin_ends_it(
    newcomer: User, phones: Any, travel: Callable[..., Any]
) -> None:
    for pause in (30, 60, 120, 240):
        device = send(newcomer)
        assert service.seconds_until_next_pin(user=newcomer) == pause
        with pytest.raises(TooSoon) as caught:
            send(newcomer, OTHER_NUMBER)
        assert (caught.value.code, caught.value.retry_after) == ("pin_pause", pause)
        travel(seconds=pause - 1)
        with pytest.raises(TooSoon) as caught:
            send(newcomer)
        assert caught.value.retry_after == 1
        travel(seconds=1)
    assert enter(newcomer, device, phones.pin(NUMBER))
    assert service.seconds_until_next_pin(user=newcomer) == 0
    assert send(newcomer)


def test_the_pause_never_exceeds_an_hour() -> None:
    assert pins.pause_length(1).total_seconds() == 30
    assert pins.pause_length(1000).total_seconds() == 3600


@pytest.mark.parametrize(
    "limit",
    ["PIN_PER_NUMBER_PER_DAY", "PIN_PER_ACCOUNT_PER_DAY", "PIN_PER_ADDRESS_PER_DAY", "PIN_PER_COUNTRY_PREFIX_PER_DAY"],
)
def test_each_cap_holds_for_a_day_though_every_pin_was_used_and_all_answer_the_same(
    newcomer: User, phones: Any, settings: Settings, travel: Callable[..., Any], limit: str
) -> None:
    setattr(settings, limit, 2)
    with request_context.use(request_context.RequestContext(client_address="192.0.2.7")):
        for _ in range(2):
            enter(newcomer, send(newcomer), phones.pin(NUMBER))
        with pytest.raises(TooSoon) as caught:
            send(newcomer)
        assert caught.value.code == "pin_limit"
        assert str(caught.value) == "Too many PINs were asked for. Try again tomorrow, or use another number."
        assert caught.value.retry_after == 86400
        assert len(phones.texts(NUMBER)) == 2
        travel(hours=24)
        assert send(newcomer)


def test_others_who_ask_for_a_number_do_not_lock_its_owner_out_of_confirmations(
    member: User, organisation: Any, phones: Any, settings: Settings
) -> None:
    settings.PIN_PER_NUMBER_PER_DAY = 3
    number = VerifiedPhone.objects.active().get(user=member).person.number
    for index in range(3):
        assert send(make_user(f"Account {index}", organisation, number=None), number)
    with pytest.raises(TooSoon):
        send(make_user("One more", organisation, number=None), number)
    assert reauthentication.send_pin(user=member, by=member)


def test_the_pause_of_one_account_says_nothing_to_another_that_asks_for_the_same_number(
    newcomer: User, organisation: Any
) -> None:
    send(newcomer)
    other = make_user("Ravi Iyer", organisation, number=None)
    assert send(other), "no hint that somebody else just asked"
