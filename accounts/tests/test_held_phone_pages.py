"""The numbers that an account holds: a second one, which is primary, giving one back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuthenticatorApp, SandboxSms, User
from accounts.tests import factories

NUMBER = "+919820012345"
TYPED = {"region": "IN", "number": "98200 12345"}
ADD = "/console/phones/add/"
SETTINGS = "/console/settings/"
CONFIRM, SIGN_IN_AGAIN = "/console/confirm/", "/console/sign-in-again/"


def test_a_second_number_is_added_beside_the_primary_one(
    member: User, browser_of: Callable[..., Client], phones: Any
) -> None:
    browser = browser_of(member)
    page = browser.post(ADD, TYPED).headers["Location"]
    done = browser.post(page, {"pin": phones.pin(NUMBER)})
    assert done.headers["Location"] == SETTINGS
    held = {phone.person.number: phone.is_primary for phone in member.verified_phones.active()}
    assert len(held) == 2
    assert held[NUMBER] is False


def test_a_number_is_made_primary_also_by_a_double_click(member: User, browser_of: Callable[..., Client]) -> None:
    second = factories.verify(member, NUMBER, is_primary=False)
    browser = browser_of(member)
    for _click in range(2):
        answer = browser.post(f"/console/phones/{second.pk}/primary/", follow=True)
        assert "is now your primary number" in answer.content.decode()
    assert member.verified_phones.get(is_primary=True) == second


def test_settings_opened_before_a_number_was_removed_lead_on(member: User, browser_of: Callable[..., Client]) -> None:
    second = factories.verify(member, NUMBER, is_primary=False)
    browser = browser_of(member)
    browser.post(f"/console/phones/{second.pk}/release/")
    for older in (
        browser.post(f"/console/phones/{second.pk}/primary/", follow=True),
        browser.get(f"/console/phones/{second.pk}/release/", follow=True),
    ):
        assert older.redirect_chain == [(SETTINGS, 302)]
        assert "was already removed" in older.content.decode()


def test_looking_at_what_a_removal_means_removes_nothing(member: User, browser_of: Callable[..., Client]) -> None:
    phone = member.verified_phones.get()
    shown = browser_of(member).get(f"/console/phones/{phone.pk}/release/").content.decode()
    assert "Without one, you can’t do anything that needs a PIN." in shown
    phone.refresh_from_db()
    assert phone.released_at is None


def test_a_number_is_removed_once_and_a_second_click_says_so(member: User, browser_of: Callable[..., Client]) -> None:
    factories.verify(member, NUMBER, is_primary=False)
    phone = member.verified_phones.get(is_primary=True)
    browser, address = browser_of(member), f"/console/phones/{phone.pk}/release/"
    assert "removed." in browser.post(address, follow=True).content.decode()
    assert "was already removed" in browser.post(address, follow=True).content.decode()
    assert [held.person.number for held in member.verified_phones.active()] == [NUMBER]


@pytest.mark.parametrize("what", ["release", "primary"])
def test_nobody_else_changes_a_phone(
    what: str, member: User, stranger: User, organisation_admin: User, browser_of: Callable[..., Client]
) -> None:
    phone = member.verified_phones.get()
    for other in (stranger, organisation_admin):
        assert browser_of(other).post(f"/console/phones/{phone.pk}/{what}/").status_code == 404
    phone.refresh_from_db()
    assert (phone.released_at, phone.is_primary) == (None, True)


@pytest.mark.parametrize(("recent", "confirmed", "asks"), [(False, False, SIGN_IN_AGAIN), (True, False, CONFIRM)])
def test_a_pin_to_a_number_of_long_ago_asks_who_sits_there_as_adding_it_did(
    member: User,
    browser_of: Callable[..., Client],
    travel: Callable[..., dt.datetime],
    recent: bool,
    confirmed: bool,
    asks: str,
) -> None:
    """Else a session that was left open, and the SIM of a number that was given back, would be a confirmation."""
    page = browser_of(member).post(ADD, TYPED).headers["Location"]
    travel(days=90)
    sent = SandboxSms.objects.count()
    browser = browser_of(member, recent=recent, confirmed=confirmed)
    answer = browser.post(f"{page}again/")
    assert answer.headers["Location"].startswith(asks)
    assert SandboxSms.objects.count() == sent
    known = browser_of(member).post(f"{page}again/")
    assert known.headers["Location"].startswith("/console/phones/pin/")
    assert SandboxSms.objects.count() == sent + 1


def test_whoever_confirms_with_an_app_does_not_confirm_by_verifying_a_number(
    operator: User,
    app: AuthenticatorApp,
    browser_of: Callable[..., Client],
    phones: Any,
    travel: Callable[..., dt.datetime],
) -> None:
    browser = browser_of(operator)
    page = browser.post(ADD, TYPED).headers["Location"]
    travel(minutes=9)
    assert browser.post(page, {"pin": phones.pin(NUMBER)}).headers["Location"] == SETTINGS
    travel(minutes=7)
    answer = browser.post("/console/activity/export/", {"format": "csv"})
    assert answer.headers["Location"].startswith(CONFIRM)
