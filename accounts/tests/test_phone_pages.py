"""Adding a phone number, from "Add a Phone Number" to Home; making one primary; giving one back."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuthenticatorApp, PinDevice, SandboxSms, User
from accounts.tests import factories
from accounts.tests.pages import url_with
from accounts.tests.pins import work, wrong
from accounts.tests.twilio_server import FakeTwilio
from kaizala_console.lib.tests.cast import BrowserOf, Travel

NUMBER = "+919820012345"
TYPED = {"region": "IN", "number": "98200 12345"}
ADD = "/console/phones/add/"


@pytest.fixture
def browser(newcomer: User, browser_of: BrowserOf) -> Client:
    return browser_of(newcomer, confirmed=False)


def pin_page(answer: Any) -> str:
    assert answer.status_code == 302, answer.content.decode()
    return str(answer.headers["Location"])


# The way to a verified phone


def test_a_newcomer_verifies_a_phone_and_lands_on_home_confirmed(browser: Client, newcomer: User, phones: Any) -> None:
    home = browser.get("/console/").content.decode()
    assert f'action="{ADD}"' in home
    assert "Recent activity" not in home
    page = pin_page(browser.post(ADD, TYPED))
    assert "+91 98200 12345" in browser.get(page).content.decode().replace("\xa0", " ")
    pin = phones.pin(NUMBER)
    for _click in range(2):
        assert browser.post(page, {"pin": pin}, follow=True).redirect_chain == [("/console/", 302)]
    held = newcomer.verified_phones.get()
    assert (held.person.number, held.is_primary) == (NUMBER, True)
    # A PIN a moment ago is a confirmation: the next step asks for none.
    assert browser.get(ADD).status_code == 200


def test_a_number_with_a_plus_wins_over_the_chosen_country(browser: Client) -> None:
    browser.post(ADD, {"region": "DE", "number": NUMBER})
    assert PinDevice.objects.get().number == NUMBER


@pytest.mark.parametrize(
    ("asked", "then"),
    [("/console/settings/%3Fkept%3Dabc", "/console/settings/?kept=abc"), ("https://evil.example/", "/console/")],
)
def test_the_way_goes_on_to_where_the_phone_was_missed_and_never_to_another_site(
    browser: Client, phones: Any, asked: str, then: str
) -> None:
    answer = browser.post(f"{ADD}?next={asked}", TYPED)
    assert browser.post(pin_page(answer), {"pin": phones.pin(NUMBER)}).headers["Location"] == then


# What bad input gets
@pytest.mark.parametrize(
    ("region", "number", "told"),
    [
        ("IN", "", "Enter a phone number."),
        ("IN", "12", "too few digits"),
        ("IN", "00000 00000", "not in use in its country"),
        ("IN", "9" * 65, "at most 64 characters"),
        ("KE", "not a number", "This is not a phone number"),
        ("XX", "98200 12345", ""),
    ],
)
def test_a_number_that_cannot_exist_gets_a_reason_and_no_sms(
    browser: Client, region: str, number: str, told: str
) -> None:
    answer = browser.post(ADD, {"region": region, "number": number})
    assert answer.status_code == 400
    assert told in answer.content.decode()
    assert f'value="{number}"' in answer.content.decode() or not number
    assert f'<option value="{region}" selected>' in answer.content.decode() or region == "XX"
    assert not SandboxSms.objects.exists()
    assert not PinDevice.objects.exists()


@pytest.mark.parametrize("typed", ["54321", "1" * 500, "wrong"])
def test_a_pin_that_is_not_right_is_refused_and_not_repeated(
    browser: Client, newcomer: User, phones: Any, typed: str
) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    typed = wrong(phones.pin(NUMBER)) if typed == "wrong" else typed
    answer = browser.post(page, {"pin": typed})
    assert answer.status_code == 400
    assert typed not in answer.content.decode()
    assert PinDevice.objects.get().tries == (len(typed) == 6)
    assert not newcomer.verified_phones.exists()


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [(503, None, "The PIN could not be sent"), (400, 21614, "can’t send SMS to this number")],
)
def test_a_pin_that_could_not_be_sent_is_said_clearly_and_the_next_click_works(
    browser: Client, twilio: FakeTwilio, status: int, code: int | None, said: str
) -> None:
    twilio.fail(status, code)
    page = pin_page(browser.post(ADD, TYPED))
    assert "Sending a PIN" in browser.get(page).content.decode()
    work()
    assert said in browser.get(page).content.decode()
    # It did not count: the next click works at once.
    page = pin_page(browser.post(ADD, TYPED))
    work()
    assert 'name="pin"' in browser.get(page).content.decode()
    assert len(twilio.texts[NUMBER]) == 1


def test_a_gateway_that_fails_for_the_next_pin_leaves_the_one_before_good(
    browser: Client, newcomer: User, twilio: FakeTwilio, travel: Travel
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


def test_a_gateway_that_cannot_check_a_pin_is_said_so(browser: Client, twilio_verify: FakeTwilio) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    work()
    twilio_verify.fail(503)
    assert browser.post(page, {"pin": twilio_verify.pin(NUMBER)}).status_code == 503


# Double clicks, and coming back
def test_within_the_pause_one_sms_is_sent_and_the_page_says_how_long(browser: Client, travel: Travel) -> None:
    travel()
    page = pin_page(browser.post(ADD, TYPED))
    assert pin_page(browser.post(ADD, TYPED)) == page, "pressed twice"
    shown = browser.post(f"{page}again/", follow=True)
    assert shown.redirect_chain == [(page, 302)]
    assert 'data-countdown="30"' in shown.content.decode()
    assert browser.post(ADD, {"region": "IN", "number": "98200 54321"}).status_code == 429
    assert SandboxSms.objects.count() == 1


def test_a_new_pin_takes_the_place_of_the_one_before(
    browser: Client, newcomer: User, phones: Any, travel: Travel
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


# Strangers and forged ids


def test_a_stranger_gets_the_same_answer_for_not_yours_and_not_there(
    browser: Client, stranger: User, browser_of: BrowserOf, phones: Any
) -> None:
    page = pin_page(browser.post(ADD, TYPED))
    other = browser_of(stranger)
    for path in (page, "/console/phones/pin/0/", f"/console/phones/pin/{'9' * 30}/"):
        for method in (other.get, other.post):
            answer = method(path, {"pin": phones.pin(NUMBER)})
            assert answer.status_code == 404
            assert url_with(answer, method("/console/phones/pin/424242/", {"pin": phones.pin(NUMBER)}))
    assert other.post(f"{page}again/").status_code == 404
    assert PinDevice.objects.get().used_at is None
    assert SandboxSms.objects.count() == 1


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


SETTINGS = "/console/settings/"
CONFIRM, SIGN_IN_AGAIN = "/console/confirm/", "/console/sign-in-again/"


def test_a_number_is_made_primary_also_by_a_double_click(member: User, browser_of: BrowserOf) -> None:
    second = factories.verify(member, NUMBER, is_primary=False)
    browser = browser_of(member)
    for _click in range(2):
        answer = browser.post(f"/console/phones/{second.pk}/primary/", follow=True)
        assert "is now your primary number" in answer.content.decode()
    assert member.verified_phones.get(is_primary=True) == second


def test_a_number_is_removed_once_and_whoever_comes_later_is_led_on(member: User, browser_of: BrowserOf) -> None:
    second = factories.verify(member, NUMBER, is_primary=False)
    browser, address = browser_of(member), f"/console/phones/{second.pk}/"
    assert browser.get(f"{address}release/").status_code == 200
    assert second in member.verified_phones.active(), "looking at what it means removes nothing"
    assert browser.post(f"{address}release/", follow=True).redirect_chain == [(SETTINGS, 302)]
    for older in (
        browser.post(f"{address}release/", follow=True),
        browser.post(f"{address}primary/", follow=True),
        browser.get(f"{address}release/", follow=True),
    ):
        assert older.redirect_chain == [(SETTINGS, 302)]
        assert "was already removed" in older.content.decode()
    assert second not in member.verified_phones.active()


@pytest.mark.parametrize("what", ["release", "primary"])
def test_nobody_else_changes_a_phone(
    what: str, member: User, stranger: User, organisation_admin: User, browser_of: BrowserOf
) -> None:
    phone = member.verified_phones.get()
    for other in (stranger, organisation_admin):
        assert browser_of(other).post(f"/console/phones/{phone.pk}/{what}/").status_code == 404
    phone.refresh_from_db()
    assert (phone.released_at, phone.is_primary) == (None, True)


def test_whoever_confirms_with_an_app_does_not_confirm_by_verifying_a_number(
    operator: User, app: AuthenticatorApp, browser_of: BrowserOf, phones: Any, travel: Travel
) -> None:
    browser = browser_of(operator)
    page = browser.post(ADD, TYPED).headers["Location"]
    travel(minutes=9)
    assert browser.post(page, {"pin": phones.pin(NUMBER)}).headers["Location"] == SETTINGS
    travel(minutes=7)
    answer = browser.post("/console/activity/export/", {"format": "csv"})
    assert answer.headers["Location"].startswith(CONFIRM)
