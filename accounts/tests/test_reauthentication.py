"""Step-up: a fresh PIN to the primary phone, or a code of the authenticator app, noted in the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from accounts import queries
from accounts.models import AuditEvent, PinDevice, SandboxSms, User
from accounts.models.session import SessionStore
from accounts.services import phones as phones_service
from accounts.services import reauthentication
from accounts.tests.factories import verify
from accounts.tests.pages import words
from accounts.tests.pins import refused, wrong
from kaizala_console.lib.tests.cast import BrowserOf, Together, Travel


def number_of(user: User) -> str:
    person = queries.primary_person(user)
    assert person is not None
    return person.number


@pytest.fixture
def request_of(rf: RequestFactory) -> Callable[..., HttpRequest]:
    """A request with a session, of somebody who is signed in or not."""

    def request_of(user: Any) -> HttpRequest:
        request = rf.get("/")
        request.user, request.session = user, SessionStore()
        return request

    return request_of


def test_the_pin_goes_to_the_primary_phone_and_confirms_once(developer: User, phones: Any) -> None:
    verify(developer, is_primary=False)
    device = reauthentication.send_pin(user=developer, by=developer)
    assert (device.number, device.purpose) == (number_of(developer), "confirm")
    pin = phones.pin(number_of(developer))
    assert reauthentication.confirm(user=developer, pin=pin)
    assert AuditEvent.objects.get(tag="user:confirmation:given").after == {"by": "pin"}
    with refused("pin_used"):
        reauthentication.confirm(user=developer, pin=pin)


def test_a_pin_of_somebody_else_or_for_another_purpose_confirms_nothing(
    developer: User, stranger: User, phones: Any
) -> None:
    reauthentication.send_pin(user=developer, by=developer)
    phones_service.send_pin(user=stranger, number="+919876543210", by=stranger)
    for number in (number_of(developer), "+919876543210"):
        with refused("pin_missing"):
            reauthentication.confirm(user=stranger, pin=phones.pin(number))
    assert not AuditEvent.objects.filter(tag="user:confirmation:given").exists()


def test_without_a_phone_one_is_told_to_add_it(newcomer: User) -> None:
    with refused("no_phone"):
        reauthentication.send_pin(user=newcomer, by=newcomer)


def test_a_number_that_was_given_back_meanwhile_confirms_nothing(developer: User, phones: Any) -> None:
    number = number_of(developer)
    reauthentication.send_pin(user=developer, by=developer)
    phones_service.release(phone=queries.held_phones(developer)[0], by=developer)
    with refused("pin_expired"):
        reauthentication.confirm(user=developer, pin=phones.pin(number))


@pytest.mark.django_db(transaction=True)
def test_of_many_confirmations_at_once_one_counts(developer: User, phones: Any, together: Together) -> None:
    reauthentication.send_pin(user=developer, by=developer)
    pin = phones.pin(number_of(developer))
    results = together(6, lambda: reauthentication.confirm(user=developer, pin=pin))
    assert sum(not isinstance(result, Exception) for result in results) == 1, results


@pytest.mark.django_db(transaction=True)
def test_without_an_audit_row_nothing_is_confirmed(
    developer: User, phones: Any, broken_trail: Callable[[], None]
) -> None:
    reauthentication.send_pin(user=developer, by=developer)
    broken_trail()
    with pytest.raises(OSError, match="audit"):
        reauthentication.confirm(user=developer, pin=phones.pin(number_of(developer)))
    assert PinDevice.objects.get().used_at is None


def test_a_confirmation_is_fresh_for_fifteen_minutes(
    developer: User, request_of: Callable[..., HttpRequest], travel: Travel
) -> None:
    request = request_of(developer)
    assert not reauthentication.is_confirmed(request)
    reauthentication.remember_confirmation(request.session, developer)
    for seconds, is_fresh in ((0, True), (14 * 60 + 59, True), (1, False), (-24 * 60 * 60, False)):
        travel(seconds=seconds)
        assert reauthentication.is_confirmed(request) is is_fresh


def test_a_confirmation_is_of_one_person_even_in_the_same_session(
    developer: User, stranger: User, request_of: Callable[..., HttpRequest]
) -> None:
    request = request_of(developer)
    reauthentication.remember_confirmation(request.session, developer)
    for other in (stranger, AnonymousUser()):
        request.user = other
        assert not reauthentication.is_confirmed(request)


CONFIRM = "/console/confirm/?next=/console/settings/"


@pytest.fixture
def browser(member: User, browser_of: BrowserOf) -> Client:
    """Signed in, not confirmed."""
    return browser_of(member, confirmed=False)


@pytest.fixture
def number(member: User) -> str:
    return member.verified_phones.get().person.number


def test_a_pin_confirms_and_leads_back(browser: Client, number: str, phones: Any) -> None:
    assert number[-5:] not in words(browser.get(CONFIRM)).replace(" ", ""), "it is masked"
    assert browser.post(CONFIRM, {"act": "send"}).headers["Location"] == CONFIRM
    pin = phones.pin(number)
    for _click in range(2):
        assert browser.post(CONFIRM, {"pin": pin}).headers["Location"] == "/console/settings/"
    assert browser.get(CONFIRM).headers["Location"] == "/console/settings/", "now it is known"


def test_a_second_click_on_generate_pin_sends_one_sms(browser: Client) -> None:
    browser.post(CONFIRM, {"act": "send"})
    shown = browser.post(CONFIRM, {"act": "send"}, follow=True)
    assert "The PIN sent a moment ago still works." in words(shown)
    assert SandboxSms.objects.count() == 1


def test_a_pin_that_is_not_right_confirms_nothing_and_leaves_a_way_on(
    browser: Client, number: str, phones: Any, travel: Travel
) -> None:
    not_asked_for = browser.post(CONFIRM, {"pin": "123456"})
    browser.post(CONFIRM, {"act": "send"})
    pin = phones.pin(number)
    mistaken = browser.post(CONFIRM, {"pin": wrong(pin)})
    travel(minutes=11)
    expired = browser.post(CONFIRM, {"pin": pin})
    assert [answer.status_code for answer in (not_asked_for, mistaken, expired)] == [400] * 3
    assert "You have 4 more tries" in words(mistaken)
    for answer in (not_asked_for, expired, browser.get(CONFIRM)):
        assert "Generate PIN" in words(answer)


@pytest.mark.parametrize("next_path", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_it_never_leads_to_another_site(member: User, browser_of: BrowserOf, next_path: str) -> None:
    assert browser_of(member).get("/console/confirm/", {"next": next_path}).headers["Location"] == "/console/"
    not_now = browser_of(member, confirmed=False).get("/console/confirm/", {"next": next_path}).context["back"]
    assert not_now == "/console/"


def test_without_a_phone_it_leads_to_the_phone_card_and_without_a_session_to_the_sign_in(
    client: Client, newcomer: User, browser_of: BrowserOf
) -> None:
    answer = browser_of(newcomer, confirmed=False).get(CONFIRM)
    assert answer.headers["Location"].startswith("/console/?next=")
    for answer in (client.get(CONFIRM), client.post(CONFIRM, {"pin": "123456"})):
        assert answer.headers["Location"].startswith("/accounts/login/?next=")


@pytest.mark.usefixtures("alone")
def test_the_page_costs_a_bounded_number_of_queries(
    browser: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser.post(CONFIRM, {"act": "send"})
    with django_assert_max_num_queries(8):
        browser.get(CONFIRM)
