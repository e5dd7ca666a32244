"""Everybody's own authenticator app: its key, its codes, who sets it up, and who takes it away."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import django_otp
import pytest
from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import queries
from accounts.audit.sentences import sentence
from accounts.models import AuditEvent, AuthenticatorApp, Notice, SmsMessage, User
from accounts.services import credential_hold, notifications, reauthentication, totp
from accounts.services.notifications import render
from accounts.tests.authenticator import code_of, wrong_code
from accounts.tests.factories import make_user
from kaizala_console.lib import crypto
from kaizala_console.lib.errors import Conflict, NotAllowed, RuleBroken, TooSoon


def test_what_is_stored_is_not_the_key_and_leads_to_none_without_the_pepper(operator: User) -> None:
    device = totp.begin(user=operator)
    stored = TOTPDevice.objects.values_list("key", flat=True).get()
    key = base64.b32decode(totp.format_secret(device).replace(" ", ""))
    assert len(key) == 20
    assert key.hex() not in stored
    assert stored.split("$")[1] not in key.hex()
    assert AuthenticatorApp.objects.get().bin_key == key


def test_a_new_pepper_leaves_an_app_as_it_is(operator: User, settings: Any) -> None:
    device = totp.begin(user=operator)
    before = device.bin_key
    settings.CREDENTIAL_PEPPERS = [("newer", bytes(32)), *settings.CREDENTIAL_PEPPERS]
    assert crypto.current_key_id() == "newer"
    assert AuthenticatorApp.objects.get().bin_key == before


def test_an_app_that_was_set_up_with_its_key_in_the_column_goes_on(operator: User) -> None:
    TOTPDevice.objects.create(user=operator, key="00" * 20, confirmed=True)
    device = AuthenticatorApp.objects.get()
    assert device.bin_key == bytes(20)
    with transaction.atomic():
        assert django_otp.verify_token(operator, device.persistent_id, code_of(device)) == device


@pytest.fixture
def own(developer: User) -> AuthenticatorApp:
    """The developer's app."""
    return AuthenticatorApp.objects.create(user=developer, name="app", confirmed=True)


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["developer", "organisation_admin", "operator"])
def test_everybody_sets_up_their_own(who: str, request: pytest.FixtureRequest, travel: Callable[..., Any]) -> None:
    user: Any = request.getfixturevalue(who)
    travel()
    device = totp.begin(user=user)
    later = travel(minutes=4)
    assert totp.begin(user=user) == device, "a reload shows the same key"
    assert not reauthentication.uses_totp(user)
    device = totp.enrol(user=user, device=device, code=code_of(device), by=user)
    assert queries.totp_device(user) == device
    assert device.created_at == later, "since when is when it began to count"
    event = AuditEvent.objects.get()
    assert (event.tag, event.actor_id) == ("operator:totp:enrolled", str(user.pk))
    assert sentence(event) == f"{user.name} set up an authenticator app."
    assert totp.format_secret(device).replace(" ", "") not in "".join(render(Notice.objects.get(user=user)))
    for refused in (
        lambda: totp.begin(user=user),
        lambda: totp.enrol(user=user, device=device, code=code_of(device), by=user),
    ):
        with pytest.raises(Conflict):
            refused()


def test_nobody_sets_one_up_for_somebody_else(developer: User, member: User, operator: User) -> None:
    device = totp.begin(user=developer)
    for by in (member, operator):
        with pytest.raises(NotAllowed):
            totp.enrol(user=developer, device=device, code=code_of(device), by=by)
        with pytest.raises(RuleBroken):
            totp.enrol(user=by, device=device, code=code_of(device), by=by)
    assert not AuthenticatorApp.objects.filter(confirmed=True).exists()
    assert not AuditEvent.objects.exists()


def test_who_has_one_removes_it_and_confirms_by_pin_again(developer: User, own: AuthenticatorApp) -> None:
    totp.remove(user=developer, by=developer)
    assert not AuthenticatorApp.objects.exists()
    assert sentence(AuditEvent.objects.get()) == "Devika Rao removed the authenticator app of Devika Rao."
    assert "Devika Rao removed" in render(Notice.objects.get(user=developer))[1]
    assert reauthentication.send_pin(user=developer, by=developer)
    with pytest.raises(Conflict):
        totp.remove(user=developer, by=developer)


@pytest.mark.parametrize("is_staff", [False, True])
def test_nobody_but_an_operator_removes_somebody_elses_and_no_operator_their_own(
    developer: User, own: AuthenticatorApp, member: User, organisation_admin: User, is_staff: bool
) -> None:
    User.objects.filter(pk=developer.pk).update(is_staff=is_staff)
    developer.refresh_from_db()
    for by in (member, organisation_admin, *([developer] if is_staff else [])):
        with pytest.raises(NotAllowed):
            totp.remove(user=developer, by=by)
    assert queries.totp_device(developer) == own
    totp.remove(user=developer, by=make_user("Olive Thomas", developer.organisation, is_staff=True))
    assert queries.totp_device(developer) is None
    assert "Olive Thomas removed" in render(Notice.objects.get())[1]


def test_while_the_account_cools_off_the_app_stays_but_an_operator_can_remove_it(
    developer: User, own: AuthenticatorApp, operator: User
) -> None:
    """Whoever came by the number would confirm with it next."""
    credential_hold.start(user=developer, number="+919876543210", by=developer)
    with pytest.raises(RuleBroken) as refused:
        totp.remove(user=developer, by=developer)
    assert refused.value.code == "cooling_off"
    assert queries.totp_device(developer) == own
    totp.remove(user=developer, by=operator)
    assert queries.totp_device(developer) is None


@pytest.mark.django_db(transaction=True)
def test_without_an_audit_row_none_is_set_up_and_none_is_removed(
    developer: User, own: AuthenticatorApp, stranger: User, broken_trail: Callable[[], None]
) -> None:
    begun = totp.begin(user=stranger)
    broken_trail()
    for act in (
        lambda: totp.remove(user=developer, by=developer),
        lambda: totp.enrol(user=stranger, device=begun, code=code_of(begun), by=stranger),
    ):
        with pytest.raises(OSError, match="audit"):
            act()
    assert queries.totp_device(developer) == own
    assert queries.totp_device(stranger) is None
    begun.refresh_from_db()
    assert begun.last_t == -1
    assert not Notice.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_clicks_that_set_it_up_one_does(developer: User, together: Callable[..., list[Any]]) -> None:
    device = totp.begin(user=developer)
    code = code_of(device)

    def click() -> AuthenticatorApp:
        begun = totp.begin(user=developer)
        return totp.enrol(user=developer, device=begun, code=code, by=developer)

    results = together(4, click)
    assert sum(not isinstance(result, Exception) for result in results) == 1, results
    assert AuthenticatorApp.objects.count() == 1
    assert Notice.objects.count() == 1


def test_the_mails_are_sent_whatever_one_chose(developer: User, outbox: list[Any]) -> None:
    notifications.set_topics(user=developer, wanted=[])
    device = totp.begin(user=developer)
    totp.enrol(user=developer, device=device, code=code_of(device), by=developer)
    totp.remove(user=developer, by=developer)
    for notice in Notice.objects.order_by("created_at"):
        assert notifications.deliver(notice_id=notice.pk)
    assert len(outbox) == 2


def test_an_app_that_went_does_not_come_back_and_the_next_has_another_key(developer: User) -> None:
    first = totp.begin(user=developer)
    key = first.bin_key
    totp.enrol(user=developer, device=first, code=code_of(first), by=developer)
    totp.remove(user=developer, by=developer)
    second = totp.begin(user=developer)
    assert second.bin_key != key
    with pytest.raises(RuleBroken):
        totp.enrol(user=developer, device=second, code=code_of(first), by=developer)


def test_who_has_an_app_confirms_with_it_once_and_not_by_sms(operator: User, app: AuthenticatorApp) -> None:
    with pytest.raises(RuleBroken) as caught:
        reauthentication.send_pin(user=operator, by=operator)
    assert caught.value.code == "use_totp"
    assert not SmsMessage.objects.exists()
    code = code_of(app)
    assert reauthentication.confirm(user=operator, pin=code)
    assert AuditEvent.objects.get().after == {"by": "totp"}
    with pytest.raises(RuleBroken) as caught:
        reauthentication.confirm(user=operator, pin=code)
    assert caught.value.code == "totp_wrong"


def test_wrong_codes_cost_a_growing_wait(operator: User, app: AuthenticatorApp, travel: Callable[..., Any]) -> None:
    for wait in (1, 2):
        with pytest.raises(RuleBroken) as wrong:
            reauthentication.confirm(user=operator, pin=wrong_code(app))
        assert wrong.value.code == "totp_wrong"
        with pytest.raises(TooSoon) as locked:
            reauthentication.confirm(user=operator, pin=code_of(app))
        assert (locked.value.code, locked.value.retry_after) == ("totp_locked", wait)
        travel(seconds=wait)
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
