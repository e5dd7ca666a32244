"""Step-up: a fresh PIN to the primary phone, or a code of the authenticator app, noted in the session."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.test import RequestFactory

from accounts import queries
from accounts.models import AuditEvent, AuthenticatorApp, Notice, PinDevice, SmsMessage, User
from accounts.models.session import SessionStore
from accounts.services import phones as phones_service
from accounts.services import reauthentication, totp
from accounts.services.notifications import render
from accounts.tests.authenticator import code_of, wrong_code
from accounts.tests.factories import make_user, verify
from kaizala_console.lib.errors import Conflict, NotAllowed, RuleBroken, TooSoon


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


# By PIN -----------------------------------------------------------------------------------------------------------


def test_the_pin_goes_to_the_primary_phone_and_confirms_once(developer: User, phones: Any) -> None:
    verify(developer, is_primary=False)
    device = reauthentication.send_pin(user=developer, by=developer)
    assert (device.number, device.purpose) == (number_of(developer), "confirm")
    pin = phones.pin(number_of(developer))
    assert reauthentication.confirm(user=developer, pin=pin)
    assert AuditEvent.objects.get(tag="user:confirmation:given").after == {"by": "pin"}
    with pytest.raises(RuleBroken) as caught:
        reauthentication.confirm(user=developer, pin=pin)
    assert caught.value.code == "pin_used"


def test_somebody_elses_pin_confirms_nothing(developer: User, stranger: User, phones: Any) -> None:
    reauthentication.send_pin(user=developer, by=developer)
    with pytest.raises(RuleBroken) as caught:
        reauthentication.confirm(user=stranger, pin=phones.pin(number_of(developer)))
    assert caught.value.code == "pin_missing"
    assert not AuditEvent.objects.filter(tag="user:confirmation:given").exists()


def test_a_pin_that_verified_a_number_confirms_nothing(developer: User, phones: Any) -> None:
    phones_service.send_pin(user=developer, number="+919876543210", by=developer)
    with pytest.raises(RuleBroken) as caught:
        reauthentication.confirm(user=developer, pin=phones.pin("+919876543210"))
    assert caught.value.code == "pin_missing"


def test_without_a_phone_one_is_told_to_add_it(organisation: Any) -> None:
    newcomer = make_user("Nina Joshi", organisation, number=None)
    with pytest.raises(RuleBroken) as caught:
        reauthentication.send_pin(user=newcomer, by=newcomer)
    assert caught.value.code == "no_phone"


def test_a_number_that_was_given_back_meanwhile_confirms_nothing(developer: User, phones: Any) -> None:
    number = number_of(developer)
    reauthentication.send_pin(user=developer, by=developer)
    phones_service.release(phone=queries.held_phones(developer)[0], by=developer)
    with pytest.raises(RuleBroken) as caught:
        reauthentication.confirm(user=developer, pin=phones.pin(number))
    assert caught.value.code == "pin_expired"


@pytest.mark.django_db(transaction=True)
def test_of_many_confirmations_at_once_one_counts(
    developer: User, phones: Any, together: Callable[..., list[Any]]
) -> None:
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


# In the session ---------------------------------------------------------------------------------------------------


def test_a_confirmation_is_fresh_for_fifteen_minutes(
    developer: User, request_of: Callable[..., HttpRequest], travel: Callable[..., Any]
) -> None:
    request = request_of(developer)
    assert not reauthentication.is_confirmed(request)
    reauthentication.remember_confirmation(request.session, developer)
    assert reauthentication.is_confirmed(request)
    travel(minutes=14, seconds=59)
    assert reauthentication.is_confirmed(request)
    travel(seconds=1)
    assert not reauthentication.is_confirmed(request)


def test_a_confirmation_of_the_future_is_not_fresh(
    developer: User, request_of: Callable[..., HttpRequest], travel: Callable[..., Any]
) -> None:
    request = request_of(developer)
    reauthentication.remember_confirmation(request.session, developer)
    travel(hours=-1)
    assert not reauthentication.is_confirmed(request)


def test_a_confirmation_is_of_one_person_even_in_the_same_session(
    developer: User, stranger: User, request_of: Callable[..., HttpRequest]
) -> None:
    request = request_of(developer)
    reauthentication.remember_confirmation(request.session, developer)
    for other in (stranger, AnonymousUser()):
        request.user = other
        assert not reauthentication.is_confirmed(request)


# By authenticator app ---------------------------------------------------------------------------------------------


def test_who_has_an_app_confirms_with_it_and_not_by_sms(operator: User, app: AuthenticatorApp) -> None:
    assert reauthentication.uses_totp(operator)
    with pytest.raises(RuleBroken) as caught:
        reauthentication.send_pin(user=operator, by=operator)
    assert caught.value.code == "use_totp"
    assert not SmsMessage.objects.exists()
    assert reauthentication.confirm(user=operator, pin=code_of(app))
    assert AuditEvent.objects.get().after == {"by": "totp"}


def test_a_code_works_once(operator: User, app: AuthenticatorApp) -> None:
    code = code_of(app)
    reauthentication.confirm(user=operator, pin=code)
    with pytest.raises(RuleBroken) as caught:
        reauthentication.confirm(user=operator, pin=code)
    assert caught.value.code == "totp_wrong"


def test_wrong_codes_cost_a_growing_wait(operator: User, app: AuthenticatorApp, travel: Callable[..., Any]) -> None:
    with pytest.raises(RuleBroken) as wrong:
        reauthentication.confirm(user=operator, pin=wrong_code(app))
    assert wrong.value.code == "totp_wrong"
    with pytest.raises(TooSoon) as locked:
        reauthentication.confirm(user=operator, pin=code_of(app))
    assert locked.value.code == "totp_locked"
    travel(seconds=1)
    with pytest.raises(RuleBroken):
        reauthentication.confirm(user=operator, pin=wrong_code(app))
    with pytest.raises(TooSoon) as locked:
        reauthentication.confirm(user=operator, pin=code_of(app))
    assert locked.value.retry_after == 2
    travel(seconds=2)
    assert reauthentication.confirm(user=operator, pin=code_of(app))
    assert AuditEvent.objects.filter(tag="operator:totp:refused").count() == 2


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "१२३४५६", "-12345", "+12345", "1_3456"])
def test_what_is_no_code_costs_nothing(operator: User, app: AuthenticatorApp, code: str) -> None:
    with pytest.raises(RuleBroken) as caught:
        reauthentication.confirm(user=operator, pin=code)
    assert caught.value.code == "pin_format"
    app.refresh_from_db()
    assert app.throttling_failure_count == 0


@pytest.mark.django_db(transaction=True)
def test_of_many_requests_with_one_code_one_is_accepted(
    operator: User, app: AuthenticatorApp, together: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    verify_really = AuthenticatorApp.verify_token

    def slowly(self: AuthenticatorApp, token: str) -> bool:
        time.sleep(0.05)  # so that without the row's lock all would have read it before the first has written
        return verify_really(self, token)

    monkeypatch.setattr(AuthenticatorApp, "verify_token", slowly)
    code = code_of(app)
    results = together(6, lambda: reauthentication.confirm(user=operator, pin=code))
    assert sum(not isinstance(result, Exception) for result in results) == 1, results


# Setting it up ----------------------------------------------------------------------------------------------------


def test_an_operator_sets_an_app_up_with_its_first_code(operator: User) -> None:
    device = totp.begin(user=operator)
    assert totp.begin(user=operator) == device, "a reload shows the same key"
    assert not reauthentication.uses_totp(operator)
    totp.enrol(user=operator, device=device, code=code_of(device), by=operator)
    assert reauthentication.uses_totp(operator)
    assert AuditEvent.objects.get().tag == "operator:totp:enrolled"
    subject, body = render(Notice.objects.get())
    assert "authenticator app" in subject
    assert totp.format_secret(device).replace(" ", "") not in body


def test_a_wrong_first_code_sets_nothing_up(operator: User) -> None:
    device = totp.begin(user=operator)
    with pytest.raises(RuleBroken):
        totp.enrol(user=operator, device=device, code=wrong_code(device), by=operator)
    assert not reauthentication.uses_totp(operator)


def test_an_app_that_is_set_up_is_not_replaced(operator: User, app: AuthenticatorApp) -> None:
    with pytest.raises(Conflict):
        totp.begin(user=operator)
    with pytest.raises(Conflict):
        totp.enrol(user=operator, device=app, code=code_of(app), by=operator)


def test_only_another_operator_removes_an_app(operator: User, app: AuthenticatorApp, developer: User) -> None:
    for by in (operator, developer):
        with pytest.raises(NotAllowed):
            totp.remove(user=operator, by=by)
    assert reauthentication.uses_totp(operator)
    colleague = make_user("Olive Thomas", operator.organisation, is_staff=True)
    totp.remove(user=operator, by=colleague)
    assert not reauthentication.uses_totp(operator)
    assert AuditEvent.objects.get().actor_name == "Olive Thomas"
    assert "Olive Thomas removed" in render(Notice.objects.get())[1]
    with pytest.raises(Conflict):
        totp.remove(user=operator, by=colleague)


@pytest.mark.django_db(transaction=True)
def test_without_an_audit_row_no_app_is_set_up(operator: User, broken_trail: Callable[[], None]) -> None:
    device = totp.begin(user=operator)
    broken_trail()
    with pytest.raises(OSError, match="audit"):
        totp.enrol(user=operator, device=device, code=code_of(device), by=operator)
    assert not reauthentication.uses_totp(operator)
    device.refresh_from_db()
    assert device.last_t == -1
