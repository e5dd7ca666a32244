"""The cool-off: after a phone number changed, an account makes and sees no credentials for a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts import policies, queries
from accounts.audit.record import SYSTEM
from accounts.audit.sentences import sentence
from accounts.models import AuditEvent, Notice, User, VerifiedPhone
from accounts.services import credential_hold, reauthentication, totp
from accounts.services import phones as service
from accounts.services.notifications import render
from accounts.tests.authenticator import code_of
from accounts.tests.factories import make_user, verify
from accounts.tests.pages import words
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotAllowed, RuleBroken

NUMBER = "+919876543210"
Prove = Callable[[User, str], VerifiedPhone]


@pytest.fixture
def prove(phones: Any) -> Prove:
    """`prove(user, number)`: has a PIN sent, and enters it."""

    def prove(user: User, number: str) -> VerifiedPhone:
        device = service.send_pin(user=user, number=number, by=user)
        return service.verify_pin(user=user, device_id=device.pk, pin=phones.pin(number), by=user)

    return prove


def lock_of(user: User) -> dt.datetime | None:
    user.refresh_from_db()
    return policies.credential_hold_end(user)


# When it begins ---------------------------------------------------------------------------------------------------


def test_a_newcomer_with_a_number_that_nobody_held_is_not_locked(newcomer: User, prove: Prove) -> None:
    prove(newcomer, NUMBER)
    assert lock_of(newcomer) is None
    assert not AuditEvent.objects.filter(tag="user:credentials:locked").exists()


def test_a_further_number_locks_for_a_day(developer: User, prove: Prove, travel: Callable[..., dt.datetime]) -> None:
    now = travel()
    prove(developer, NUMBER)
    assert lock_of(developer) == now + dt.timedelta(hours=24)
    travel(hours=23, minutes=59)
    assert lock_of(developer) is not None
    travel(minutes=1)
    assert lock_of(developer) is None


def test_a_number_in_the_place_of_one_given_back_locks(developer: User, prove: Prove) -> None:
    service.release(phone=queries.held_phones(developer)[0], by=developer)
    assert lock_of(developer) is None, "giving a number back opens nothing"
    prove(developer, NUMBER)
    assert lock_of(developer) is not None


def test_taking_ones_own_number_back_locks(developer: User, prove: Prove) -> None:
    phone = queries.held_phones(developer)[0]
    service.release(phone=phone, by=developer)
    prove(developer, phone.person.number)
    assert lock_of(developer) is not None


def test_a_recycled_sim_locks_a_newcomer_too(newcomer: User, developer: User, prove: Prove) -> None:
    phone = queries.held_phones(developer)[0]
    service.release(phone=phone, by=developer)
    prove(newcomer, phone.person.number)
    assert lock_of(newcomer) is not None
    assert lock_of(developer) is None


def test_verifying_a_number_that_one_holds_changes_nothing(newcomer: User, prove: Prove) -> None:
    prove(newcomer, NUMBER)
    prove(newcomer, NUMBER)
    assert lock_of(newcomer) is None


def test_a_number_that_another_account_holds_locks_nobody(newcomer: User, developer: User, prove: Prove) -> None:
    with pytest.raises(Conflict):
        prove(newcomer, queries.held_phones(developer)[0].person.number)
    assert lock_of(newcomer) is None
    assert lock_of(developer) is None


def test_the_operator_may_switch_it_off(developer: User, prove: Prove, settings: Settings) -> None:
    settings.COOL_OFF_HOURS = 0
    prove(developer, NUMBER)
    assert lock_of(developer) is None
    assert (
        "For your security, you can’t create or view secrets and tokens until"
        not in render(Notice.objects.get(number=""))[1]
    )


def test_a_shorter_setting_does_not_shorten_a_lock(developer: User, prove: Prove, settings: Settings) -> None:
    prove(developer, NUMBER)
    before = lock_of(developer)
    settings.COOL_OFF_HOURS = 1
    prove(developer, "+919876543211")
    assert lock_of(developer) == before


def test_the_trail_and_the_mail_tell_of_it(developer: User, prove: Prove) -> None:
    prove(developer, NUMBER)
    event = AuditEvent.objects.get(tag="user:credentials:locked")
    assert (event.subject_id, event.organisation) == (str(developer.pk), developer.organisation)
    assert NUMBER not in str(event.after)
    assert "were locked because" in sentence(event)
    _subject, body = render(Notice.objects.get(number=""))
    assert "For your security, you can’t create or view secrets and tokens until" in body


def test_a_trail_that_cannot_be_written_leaves_the_number_where_it_was(
    developer: User, phones: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = service.send_pin(user=developer, number=NUMBER, by=developer)

    def fails(*args: object, **kwargs: object) -> None:
        raise OSError("the audit table is full")

    monkeypatch.setattr(credential_hold, "record", fails)
    with pytest.raises(OSError, match="full"):
        service.verify_pin(user=developer, device_id=device.pk, pin=phones.pin(NUMBER), by=developer)
    assert queries.held_phones(developer).count() == 1
    assert lock_of(developer) is None


# What it stops ----------------------------------------------------------------------------------------------------


def test_who_is_locked_is_told_until_when_and_programs_pass(developer: User) -> None:
    policies.require_no_credential_hold(developer)
    developer.credentials_locked_until = dt.datetime(2126, 11, 25, 8, 30, tzinfo=dt.UTC)
    with pytest.raises(RuleBroken, match="25 Nov 2126, 08:30 UTC") as caught:
        policies.require_no_credential_hold(developer)
    assert caught.value.code == "cooling_off"
    policies.require_no_credential_hold(SYSTEM)
    policies.require_no_credential_hold(None)


# An operator ends it ----------------------------------------------------------------------------------------------


def test_an_operator_ends_it_on_the_operators_pages(desk: Client, developer: User, prove: Prove) -> None:
    prove(developer, NUMBER)
    form = {"action": "unlock_credentials", "_selected_action": [str(developer.pk)], "confirmed": "yes"}
    assert "1 was changed" in words(desk.post("/operators/accounts/user/", form, follow=True))
    assert lock_of(developer) is None
    event = AuditEvent.objects.get(tag="user:credentials:unlocked")
    assert sentence(event) == "Omar Dsouza unlocked the credentials of Devika Rao."
    assert "not locked" in words(desk.post("/operators/accounts/user/", form, follow=True))


def test_nobody_else_ends_it(developer: User, organisation_admin: User, operator: User, prove: Prove) -> None:
    for user in (developer, operator):
        credential_hold.start(user=user, number=NUMBER, by=user)
    for by, user in ((developer, developer), (organisation_admin, developer), (operator, operator)):
        with pytest.raises(NotAllowed):
            credential_hold.lift(user=user, by=by)
    assert lock_of(developer) is not None
    assert lock_of(operator) is not None
    assert not AuditEvent.objects.filter(tag="user:credentials:unlocked").exists()


# On the pages -----------------------------------------------------------------------------------------------------


def test_nobody_who_cools_off_sets_an_authenticator_app_up(
    operator: User, prove: Prove, browser_of: Callable[..., Client], travel: Callable[..., dt.datetime]
) -> None:
    """Whoever just came by the number would be an operator with it, and unlock the credentials of others."""
    started = totp.begin(user=operator)
    prove(operator, NUMBER)
    set_up = "/operators/second-factor/set-up/"
    page = browser_of(operator).get(set_up, follow=True)
    assert page.redirect_chain[-1][0] == "/console/"
    assert totp.format_secret(started) not in page.content.decode()
    assert "because a phone number changed" in words(page)
    browser_of(operator).post(set_up, {"pin": code_of(started)})
    assert not reauthentication.uses_totp(operator)
    operator.refresh_from_db()
    for act in (
        lambda: totp.begin(user=operator),
        lambda: totp.enrol(user=operator, device=started, code=code_of(started), by=operator),
    ):
        with pytest.raises(RuleBroken) as refused:
            act()
        assert refused.value.code == "cooling_off"
    travel(hours=24)
    assert totp.format_secret(started) in browser_of(operator).get(set_up).content.decode()


@pytest.mark.parametrize("page", ["/console/", "/console/settings/"])
def test_home_and_settings_say_so_until_it_is_over(
    page: str, developer: User, browser_of: Callable[..., Client], travel: Callable[..., Any]
) -> None:
    browser = browser_of(developer)
    assert "credentials are locked" not in words(browser.get(page))
    travel()
    credential_hold.start(user=developer, number=NUMBER, by=developer)
    assert "Your credentials are locked, because a phone number changed." in words(browser.get(page))
    travel(hours=11)
    assert "credentials are locked" in words(browser.get(page))


def test_one_is_warned_before_adding_a_further_number_but_not_before_the_first(
    developer: User, newcomer: User, browser_of: Callable[..., Client], settings: Settings
) -> None:
    warning = "This locks your credentials for a while."
    page = "/console/phones/add/"
    assert warning in words(browser_of(developer).get(page))
    assert warning not in words(browser_of(newcomer, confirmed=False).get(page))
    settings.COOL_OFF_HOURS = 0
    assert warning not in words(browser_of(developer).get(page))


def test_who_gave_back_the_only_number_is_warned_as_well(developer: User, browser_of: Callable[..., Client]) -> None:
    service.release(phone=queries.held_phones(developer)[0], by=developer)
    assert "This locks your credentials for a while." in words(browser_of(developer).get("/console/phones/add/"))


@pytest.mark.django_db(transaction=True)
def test_two_numbers_proven_at_once_leave_one_lock_and_the_last_end(
    organisation: Any, phones: Any, together: Callable[..., list[Any]]
) -> None:
    user = make_user("Nina Joshi", organisation, number=None)
    verify(user)
    sent = []
    for number in (NUMBER, "+919876543211"):
        device = service.send_pin(user=make_user("x", organisation), number=number, by=user)
        device.user = user
        device.save(update_fields=["user"])
        sent.append((device.pk, phones.pin(number)))
    waiting = iter(sent)

    def attempt() -> VerifiedPhone:
        device_id, pin = next(waiting)
        return service.verify_pin(user=user, device_id=device_id, pin=pin, by=user)

    results = together(2, attempt)
    assert [type(result).__name__ for result in results] == ["VerifiedPhone"] * 2, results
    until = lock_of(user)
    assert until is not None
    assert until <= clock.now() + dt.timedelta(hours=24)
    assert AuditEvent.objects.filter(tag="user:credentials:locked").count() == 2
