"""Step-up: the page that asks whether it is still you, and leads back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django_otp.oath import totp
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuthenticatorApp, Organisation, SandboxSms, User
from accounts.tests import factories
from accounts.tests.pages import words
from accounts.tests.pins import work
from accounts.tests.twilio_server import FakeTwilio
from kaizala_console.lib import clock

CONFIRM = "/console/confirm/?next=/console/settings/"


@pytest.fixture
def browser(member: User, browser_of: Callable[..., Client]) -> Client:
    """Signed in, not confirmed."""
    return browser_of(member, confirmed=False)


@pytest.fixture
def number(member: User) -> str:
    return member.verified_phones.get().person.number


def test_opening_the_page_sends_nothing(browser: Client) -> None:
    assert "Generate PIN" in words(browser.get(CONFIRM))
    assert not SandboxSms.objects.exists()


def test_the_number_is_shown_masked(browser: Client, number: str) -> None:
    assert number[-5:] not in words(browser.get(CONFIRM)).replace(" ", "")


def test_a_pin_confirms_and_leads_back(browser: Client, number: str, phones: Any) -> None:
    assert browser.post(CONFIRM, {"act": "send"}).headers["Location"] == CONFIRM
    assert "Confirm" in words(browser.get(CONFIRM))
    answer = browser.post(CONFIRM, {"pin": phones.pin(number)})
    assert answer.headers["Location"] == "/console/settings/"
    # Now it is known: the page leads on at once.
    assert browser.get(CONFIRM).headers["Location"] == "/console/settings/"


def test_a_second_click_on_confirm_leads_on_as_the_first(browser: Client, number: str, phones: Any) -> None:
    browser.post(CONFIRM, {"act": "send"})
    pin = phones.pin(number)
    answers = [browser.post(CONFIRM, {"pin": pin}) for _click in range(2)]
    assert [answer.headers["Location"] for answer in answers] == ["/console/settings/"] * 2


def test_a_second_click_on_generate_pin_sends_one_sms(browser: Client) -> None:
    browser.post(CONFIRM, {"act": "send"})
    shown = browser.post(CONFIRM, {"act": "send"}, follow=True)
    assert "The PIN sent a moment ago still works." in words(shown)
    assert SandboxSms.objects.count() == 1


def test_a_wrong_pin_confirms_nothing(browser: Client, number: str, phones: Any) -> None:
    browser.post(CONFIRM, {"act": "send"})
    answer = browser.post(CONFIRM, {"pin": f"{(int(phones.pin(number)) + 1) % 10**6:06d}"})
    assert answer.status_code == 400
    assert "You have 4 more tries" in words(answer)
    assert browser.get(CONFIRM).status_code == 200


def test_a_pin_that_nobody_asked_for_is_refused_with_a_way_on(browser: Client) -> None:
    answer = browser.post(CONFIRM, {"pin": "123456"})
    assert answer.status_code == 400
    assert "Ask for a PIN first." in words(answer)
    assert "Generate PIN" in words(answer)


def test_an_expired_pin_offers_a_new_one(
    browser: Client, number: str, phones: Any, travel: Callable[..., dt.datetime]
) -> None:
    browser.post(CONFIRM, {"act": "send"})
    pin = phones.pin(number)
    travel(minutes=11)
    answer = browser.post(CONFIRM, {"pin": pin})
    assert answer.status_code == 400
    assert "This PIN has expired." in words(answer)
    assert "Generate PIN" in words(answer)


def test_a_pin_for_a_phone_is_not_one_for_a_confirmation(
    organisation: Organisation, browser_of: Callable[..., Client], phones: Any
) -> None:
    user = factories.make_user("Nisha Patel", organisation, number=None)
    browser = browser_of(user, confirmed=False)
    browser.post("/console/phones/add/", {"region": "IN", "number": "98200 12345"})
    factories.verify(user, "+919820054321")
    assert browser.post(CONFIRM, {"pin": phones.pin("+919820012345")}).status_code == 400
    assert browser.get(CONFIRM).status_code == 200


def test_a_gateway_that_is_down_is_said_clearly(browser: Client, twilio: FakeTwilio) -> None:
    twilio.fail(503)
    assert "Sending a PIN" in words(browser.post(CONFIRM, {"act": "send"}, follow=True))
    work()
    shown = browser.get(CONFIRM)
    assert "The PIN could not be sent" in words(shown)
    assert "Generate PIN" in words(shown)


def test_the_confirmation_of_one_account_is_not_that_of_another(
    member: User, stranger: User, browser_of: Callable[..., Client]
) -> None:
    browser = browser_of(member)
    confirmed = browser.session["confirmed"]
    other = browser_of(stranger, confirmed=False)
    session = other.session
    session["confirmed"] = confirmed
    session.save()
    assert other.get(CONFIRM).status_code == 200


def test_an_operator_with_an_authenticator_app_confirms_by_its_code(
    operator: User, browser_of: Callable[..., Client]
) -> None:
    device = AuthenticatorApp.objects.create(user=operator, confirmed=True)
    browser = browser_of(operator, confirmed=False)
    shown = words(browser.get(CONFIRM))
    assert "authenticator app" in shown
    assert "Generate PIN" not in shown
    code = f"{totp(device.bin_key, t0=device.t0, step=device.step):06d}"
    wrong = browser.post(CONFIRM, {"pin": f"{(int(code) + 1) % 10**6:06d}"})
    assert wrong.status_code == 400
    AuthenticatorApp.objects.update(throttling_failure_timestamp=clock.now() - dt.timedelta(minutes=1))
    assert browser.post(CONFIRM, {"pin": code}).headers["Location"] == "/console/settings/"
    assert not SandboxSms.objects.exists()


@pytest.mark.parametrize("next_path", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_it_never_leads_to_another_site(member: User, browser_of: Callable[..., Client], next_path: str) -> None:
    assert browser_of(member).get("/console/confirm/", {"next": next_path}).headers["Location"] == "/console/"
    not_now = browser_of(member, confirmed=False).get("/console/confirm/", {"next": next_path}).context["back"]
    assert not_now == "/console/"


def test_without_a_phone_it_leads_to_the_phone_card(
    organisation: Organisation, browser_of: Callable[..., Client]
) -> None:
    newcomer = factories.make_user("Nisha Patel", organisation, number=None)
    answer = browser_of(newcomer, confirmed=False).get(CONFIRM)
    assert answer.headers["Location"].startswith("/console/?next=")


def test_without_a_session_it_leads_to_the_sign_in(client: Client, db: None) -> None:
    for answer in (client.get(CONFIRM), client.post(CONFIRM, {"pin": "123456"})):
        assert answer.headers["Location"].startswith("/accounts/login/?next=")


@pytest.mark.usefixtures("alone")
def test_the_page_costs_a_bounded_number_of_queries(
    browser: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser.post(CONFIRM, {"act": "send"})
    with django_assert_max_num_queries(8):
        browser.get(CONFIRM)
