"""Adding a phone number, from "Add a Phone Number" to Home; making one primary; giving one back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import Organisation, PinDevice, SandboxSms, User
from accounts.tests import factories
from accounts.tests.pages import url_with
from accounts.tests.pins import work
from accounts.tests.twilio_server import FakeTwilio

NUMBER = "+919820012345"
TYPED = {"region": "IN", "number": "98200 12345"}
ADD = "/console/phones/add/"


@pytest.fixture
def newcomer(organisation: Organisation) -> User:
    """Signed in for the first time: no phone yet."""
    return factories.make_user("Nisha Patel", organisation, number=None)


@pytest.fixture
def browser(newcomer: User, browser_of: Callable[..., Client]) -> Client:
    return browser_of(newcomer, confirmed=False)


def wrong(pin: str) -> str:
    return f"{(int(pin) + 1) % 1_000_000:06d}"


def pin_page(answer: Any) -> str:
    assert answer.status_code == 302, answer.content.decode()
    return str(answer.headers["Location"])


# The way to a verified phone


def test_home_shows_the_phone_card_alone_until_a_phone_is_verified(browser: Client) -> None:
    shown = browser.get("/console/").content.decode()
    assert "Add a Phone Number" in shown
    assert "Generate PIN" in shown
    assert "Recent activity" not in shown


def test_a_newcomer_verifies_a_phone_and_lands_on_home_confirmed(browser: Client, newcomer: User, phones: Any) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    assert "+91 98200 12345" in browser.get(page).content.decode().replace("\xa0", " ")
    answer = browser.post(page, {"pin": phones.pin(NUMBER)}, follow=True)
    assert answer.redirect_chain == [("/console/", 302)]
    assert "verified." in answer.content.decode()
    held = newcomer.verified_phones.active().get()
    assert (held.person.number, held.is_primary) == (NUMBER, True)
    # A PIN a moment ago is a confirmation: the next step asks for none.
    assert browser.get(ADD).status_code == 200


@pytest.mark.parametrize("form_of", ["{0}{1}{2} {3}{4}{5}", " {0}{1}{2}-{3}{4}{5} ", "{0} {1} {2} {3} {4} {5}"])
def test_a_pin_may_be_pasted_with_spaces_and_hyphens(
    browser: Client, newcomer: User, phones: Any, form_of: str
) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    browser.post(page, {"pin": form_of.format(*phones.pin(NUMBER))})
    assert newcomer.verified_phones.active().exists()


def test_a_number_with_a_plus_wins_over_the_chosen_country(browser: Client) -> None:
    browser.post(ADD, {"region": "DE", "number": NUMBER})
    assert PinDevice.objects.get().number == NUMBER


def test_the_way_goes_on_to_where_the_phone_was_missed(browser: Client, phones: Any) -> None:
    answer = browser.post(f"{ADD}?next=/console/settings/%3Fkept%3Dabc", TYPED)
    done = browser.post(pin_page(answer), {"pin": phones.pin(NUMBER)})
    assert done.headers["Location"] == "/console/settings/?kept=abc"


def test_the_way_never_goes_on_to_another_site(browser: Client, phones: Any) -> None:
    answer = browser.post(f"{ADD}?next=https://evil.example/", TYPED)
    done = browser.post(pin_page(answer), {"pin": phones.pin(NUMBER)})
    assert done.headers["Location"] == "/console/"


# What bad input gets


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("", "Enter a phone number."),
        ("12", "too few digits"),
        ("1" * 30, "too many digits"),
        ("not a number", "This is not a phone number"),
        ("00000 00000", "not in use in its country"),
        ("9" * 65, "at most 64 characters"),
        ("98200 12345 ext. 7", "without an extension"),
    ],
)
def test_a_number_that_cannot_exist_gets_a_reason_and_no_sms(browser: Client, number: str, told: str) -> None:
    answer = browser.post(ADD, {"region": "IN", "number": number})
    assert answer.status_code == 400
    assert told in answer.content.decode()
    assert not SandboxSms.objects.exists()


def test_a_wrong_pin_says_how_many_tries_are_left_and_is_not_repeated(
    browser: Client, newcomer: User, phones: Any
) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    typed = wrong(phones.pin(NUMBER))
    answer = browser.post(page, {"pin": typed})
    assert answer.status_code == 400
    assert "You have 4 more tries" in answer.content.decode()
    assert typed not in answer.content.decode()
    assert not newcomer.verified_phones.exists()


def test_five_wrong_pins_end_it_even_for_the_right_one(browser: Client, newcomer: User, phones: Any) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    right = phones.pin(NUMBER)
    for _try in range(settings.PIN_TRIES):
        browser.post(page, {"pin": wrong(right)})
    answer = browser.post(page, {"pin": right})
    assert answer.status_code == 400
    assert "wrong too many times" in answer.content.decode()
    assert "Send a new PIN" in browser.get(page).content.decode()
    assert not newcomer.verified_phones.exists()


def test_a_pin_expires_after_ten_minutes(
    browser: Client, newcomer: User, phones: Any, travel: Callable[..., dt.datetime]
) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    travel(minutes=10, seconds=1)
    answer = browser.post(page, {"pin": phones.pin(NUMBER)})
    assert "This PIN has expired. Ask for a new one." in answer.content.decode()
    assert not newcomer.verified_phones.exists()
    # The number is kept: one click sends a new PIN to it.
    assert f'action="{page}again/"' in answer.content.decode()


def test_a_number_that_another_account_holds_is_told_of_only_after_the_pin(
    browser: Client, newcomer: User, stranger: User, phones: Any
) -> None:
    taken = factories.verify(stranger, NUMBER, is_primary=False)
    before = browser.post(ADD, TYPED)
    page = pin_page(before)
    assert "another account" not in browser.get(page).content.decode()
    answer = browser.post(page, {"pin": phones.pin(NUMBER)})
    assert answer.status_code == 400
    assert (
        "Remove it there, or ask the operator of this console to; then verify it here again." in answer.content.decode()
    )
    assert not newcomer.verified_phones.exists()
    taken.refresh_from_db()
    assert taken.released_at is None


def test_a_broken_gateway_is_said_clearly_and_the_next_click_works(browser: Client, twilio: FakeTwilio) -> None:
    twilio.fail(503)
    page = pin_page(browser.post(ADD, TYPED))
    assert "Sending a PIN" in browser.get(page).content.decode()
    work()
    assert "The PIN could not be sent" in browser.get(page).content.decode()
    # It did not count: the next click works at once.
    page = pin_page(browser.post(ADD, TYPED))
    work()
    assert 'name="pin"' in browser.get(page).content.decode()
    assert len(twilio.texts[NUMBER]) == 1


def test_a_gateway_that_fails_for_the_next_pin_leaves_the_one_before_good(
    browser: Client, newcomer: User, twilio: FakeTwilio, travel: Callable[..., dt.datetime]
) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    work()
    travel(seconds=settings.PIN_COOLDOWN_SECONDS)
    twilio.fail(503)
    next_page = pin_page(browser.post(f"{page}again/"))
    work()
    shown = browser.get(next_page, follow=True)
    assert shown.redirect_chain == [(page, 302)]
    assert "The PIN could not be sent" in shown.content.decode()
    browser.post(page, {"pin": twilio.pin(NUMBER)})
    assert newcomer.verified_phones.active().exists()


def test_a_gateway_that_cannot_check_a_pin_costs_no_try(
    browser: Client, newcomer: User, twilio_verify: FakeTwilio
) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    work()
    twilio_verify.fail(503)
    answer = browser.post(page, {"pin": twilio_verify.pin(NUMBER)})
    assert answer.status_code == 503
    assert PinDevice.objects.get().tries == 0
    browser.post(page, {"pin": twilio_verify.pin(NUMBER)})
    assert newcomer.verified_phones.active().exists()


def test_a_number_that_the_gateway_refuses_gets_a_reason(browser: Client, twilio: FakeTwilio) -> None:
    twilio.fail(400, 21614)  # not a mobile number
    page = pin_page(browser.post(ADD, TYPED))
    work()
    assert "We can’t send SMS to this number. Check it, or use another number." in browser.get(page).content.decode()


# Double clicks, and coming back


def test_pressing_generate_pin_twice_sends_one_sms_and_shows_the_same_page(browser: Client) -> None:
    first = browser.post(ADD, TYPED)
    second = browser.post(ADD, TYPED, follow=True)
    assert second.redirect_chain == [(pin_page(first), 302)]
    assert "A PIN was just sent to this number. Use that one." in second.content.decode()
    assert SandboxSms.objects.count() == 1


def test_pressing_verify_twice_says_twice_that_it_is_verified(browser: Client, newcomer: User, phones: Any) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    pin = phones.pin(NUMBER)
    first, second = browser.post(page, {"pin": pin}), browser.post(page, {"pin": pin})
    assert first.headers["Location"] == second.headers["Location"] == "/console/"
    assert newcomer.verified_phones.count() == 1


def test_another_number_within_the_pause_says_how_long_to_wait(browser: Client) -> None:
    browser.post(ADD, TYPED)
    answer = browser.post(ADD, {"region": "IN", "number": "98200 54321"})
    assert answer.status_code == 429
    assert "You can ask for a new one in" in answer.content.decode()


def test_a_new_pin_takes_the_place_of_the_one_before(
    browser: Client, newcomer: User, phones: Any, travel: Callable[..., dt.datetime]
) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    old = phones.pin(NUMBER)
    travel(seconds=settings.PIN_COOLDOWN_SECONDS)
    newer = pin_page(browser.post(f"{page}again/"))
    assert newer != page
    assert pin_page(browser.get(page)) == newer
    assert "A newer PIN was sent" in browser.post(page, {"pin": old}).content.decode()
    browser.post(newer, {"pin": phones.pin(NUMBER)})
    assert newcomer.verified_phones.active().exists()


def test_asking_too_early_keeps_the_page_and_says_how_long(browser: Client, travel: Callable[..., dt.datetime]) -> None:
    travel()
    page = pin_page(browser.post(ADD, TYPED))
    shown = browser.post(f"{page}again/", follow=True)
    assert shown.redirect_chain == [(page, 302)]
    assert "You can ask for a new one in 30 seconds" in shown.content.decode()
    assert 'data-countdown="30"' in shown.content.decode()


# Strangers and forged ids


@pytest.mark.parametrize("device_id", ["1", "0", "999999999", "9" * 30])
def test_a_forged_pin_page_is_the_same_as_one_that_is_not_there(browser: Client, device_id: str) -> None:
    for method in (browser.get, browser.post):
        assert url_with(method(f"/console/phones/pin/{device_id}/"), browser.get("/console/phones/pin/424242/"))
        assert method(f"/console/phones/pin/{device_id}/").status_code == 404


def test_a_stranger_gets_the_same_answer_for_not_yours_and_not_there(
    browser: Client, stranger: User, browser_of: Callable[..., Client], phones: Any
) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    other = browser_of(stranger)
    assert url_with(other.get(page), other.get("/console/phones/pin/424242/"))
    assert other.post(page, {"pin": phones.pin(NUMBER)}).status_code == 404
    assert other.post(f"{page}again/").status_code == 404
    assert PinDevice.objects.get().used_at is None
    assert SandboxSms.objects.count() == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ADD), ("post", ADD), ("get", "/console/phones/pin/1/"), ("post", "/console/phones/pin/1/"),
        ("post", "/console/phones/pin/1/again/"), ("post", "/console/phones/1/primary/"),
        ("get", "/console/phones/1/release/"), ("post", "/console/phones/1/release/"), ("get", "/console/phones/"),
    ],
)  # fmt: skip
def test_without_a_session_every_phone_page_leads_to_the_sign_in(
    client: Client, db: None, method: str, path: str
) -> None:
    answer = getattr(client, method)(path, follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=")
    assert not PinDevice.objects.exists()


# Cost


@pytest.mark.usefixtures("alone")
def test_the_pages_cost_a_bounded_number_of_queries(
    browser: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    for path, most in ((ADD, 5), (page, 10), (reverse("home"), 6)):
        browser.get(path)
        with django_assert_max_num_queries(most):
            assert browser.get(path).status_code == 200


def test_a_pin_may_be_typed_in_the_digits_of_another_script(browser: Client, newcomer: User, phones: Any) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    devanagari = phones.pin(NUMBER).translate({ord(str(digit)): chr(0x0966 + digit) for digit in range(10)})
    browser.post(page, {"pin": devanagari})
    assert newcomer.verified_phones.active().exists()


def test_what_was_typed_stays_in_the_form(browser: Client) -> None:
    shown = browser.post(ADD, {"region": "KE", "number": "12 34"}).content.decode()
    assert 'value="12 34"' in shown
    assert '<option value="KE" selected>' in shown


def test_a_country_that_is_none_gets_a_reason(browser: Client) -> None:
    assert browser.post(ADD, {"region": "XX", "number": "98200 12345"}).status_code == 400
    assert not SandboxSms.objects.exists()


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "12345x", "१२३", "½23456", "1" * 500])
def test_what_is_no_pin_costs_no_try(browser: Client, typed: str) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    assert browser.post(page, {"pin": typed}).status_code == 400
    assert PinDevice.objects.get().tries == 0
