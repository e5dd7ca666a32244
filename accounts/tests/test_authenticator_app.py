"""Everybody's own authenticator app: its key, its codes, who sets it up and who takes it away, and its pages."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import django_otp
import pytest
from django.db import transaction
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import queries
from accounts.audit.sentences import sentence
from accounts.models import AuditEvent, AuthenticatorApp, Notice, SandboxSms, SmsMessage, User
from accounts.services import credential_hold, reauthentication, totp
from accounts.services.notifications import render
from accounts.tests.authenticator import code_of, wrong_code
from accounts.tests.factories import make_user
from accounts.tests.pages import words
from accounts.tests.pins import refused
from kaizala_console.lib import crypto
from kaizala_console.lib.errors import Conflict, NotAllowed, RuleBroken, TooSoon
from kaizala_console.lib.tests.cast import BrowserOf, Together, Travel
from kaizala_console.tests.leaks import watching


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
def test_everybody_sets_up_their_own(who: str, request: pytest.FixtureRequest, travel: Travel) -> None:
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
    for attempt in (
        lambda: totp.begin(user=user),
        lambda: totp.enrol(user=user, device=device, code=code_of(device), by=user),
    ):
        with pytest.raises(Conflict):
            attempt()


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
def test_of_many_clicks_that_set_it_up_one_does(developer: User, together: Together) -> None:
    device = totp.begin(user=developer)
    code = code_of(device)

    def click() -> AuthenticatorApp:
        begun = totp.begin(user=developer)
        return totp.enrol(user=developer, device=begun, code=code, by=developer)

    results = together(4, click)
    assert sum(not isinstance(result, Exception) for result in results) == 1, results
    assert AuthenticatorApp.objects.count() == 1
    assert Notice.objects.count() == 1


def test_who_has_an_app_confirms_with_it_once_and_not_by_sms(operator: User, app: AuthenticatorApp) -> None:
    with refused("use_totp"):
        reauthentication.send_pin(user=operator, by=operator)
    assert not SmsMessage.objects.exists()
    code = code_of(app)
    assert reauthentication.confirm(user=operator, pin=code)
    assert AuditEvent.objects.get().after == {"by": "totp"}
    with refused("totp_wrong"):
        reauthentication.confirm(user=operator, pin=code)


def test_wrong_codes_cost_a_growing_wait(operator: User, app: AuthenticatorApp, travel: Travel) -> None:
    for wait in (1, 2):
        with refused("totp_wrong"):
            reauthentication.confirm(user=operator, pin=wrong_code(app))
        with pytest.raises(TooSoon) as locked:
            reauthentication.confirm(user=operator, pin=code_of(app))
        assert (locked.value.code, locked.value.retry_after) == ("totp_locked", wait)
        travel(seconds=wait)
    assert reauthentication.confirm(user=operator, pin=code_of(app))
    assert AuditEvent.objects.filter(tag="operator:totp:refused").count() == 2


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "१२३४५६", "-12345", "+12345", "1_3456"])
def test_what_is_no_code_costs_nothing(operator: User, app: AuthenticatorApp, code: str) -> None:
    with refused("pin_format"):
        reauthentication.confirm(user=operator, pin=code)
    app.refresh_from_db()
    assert app.throttling_failure_count == 0


@pytest.mark.django_db(transaction=True)
def test_of_many_requests_with_one_code_one_is_accepted(
    operator: User, app: AuthenticatorApp, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify_really = AuthenticatorApp.verify_token

    def slowly(self: AuthenticatorApp, token: str) -> bool:
        time.sleep(0.05)  # so that without the row's lock all would have read it before the first has written
        return verify_really(self, token)

    monkeypatch.setattr(AuthenticatorApp, "verify_token", slowly)
    code = code_of(app)
    results = together(6, lambda: reauthentication.confirm(user=operator, pin=code))
    assert sum(not isinstance(result, Exception) for result in results) == 1, results


SETTINGS = "/console/settings/"
SET_UP, REMOVE = f"{SETTINGS}authenticator-app/set-up/", f"{SETTINGS}authenticator-app/remove/"


@pytest.fixture
def members_app(member: User) -> AuthenticatorApp:
    """The member's app."""
    return AuthenticatorApp.objects.create(user=member, name="app", confirmed=True)


def test_from_settings_by_pin_to_an_app_that_confirms(
    member: User, browser_of: BrowserOf, phones: Any, travel: Travel
) -> None:
    travel()
    browser = browser_of(member, confirmed=False)
    assert f'href="{SET_UP}"' in browser.get(SETTINGS).content.decode()
    confirm = browser.get(SET_UP)["Location"]
    assert confirm.startswith("/console/confirm/")
    assert not AuthenticatorApp.objects.exists(), "no key before the PIN"
    browser.post(confirm, {"act": "send"})
    page = browser.post(confirm, {"pin": phones.pin(member.verified_phones.get().person.number)}, follow=True)
    assert page.redirect_chain[-1][0] == SET_UP
    device, html = AuthenticatorApp.objects.get(), page.content.decode()
    assert totp.format_secret(device) in html
    assert "data:image/svg+xml" in html
    assert "no-store" in page["Cache-Control"]
    done = browser.post(SET_UP, {"pin": code_of(device)}, follow=True)
    assert done.redirect_chain == [(SETTINGS, 302)]
    assert reauthentication.uses_totp(member)
    sent = SandboxSms.objects.count()
    travel(minutes=20)
    assert "Generate PIN" not in words(browser.get(browser.post(REMOVE)["Location"]))
    assert SandboxSms.objects.count() == sent
    other = browser_of(member, confirmed=False)
    other.post("/console/confirm/", {"act": "send"})
    assert SandboxSms.objects.count() == sent


def test_a_wrong_code_keeps_the_key_and_soon_costs_a_wait(member: User, browser_of: BrowserOf, travel: Travel) -> None:
    travel()  # the clock stands still: the wait is a second, which a busy machine may take for a page
    browser = browser_of(member)
    browser.get(SET_UP)
    device = AuthenticatorApp.objects.get()
    wrong = wrong_code(device)
    for code, status in (("12", 400), ("", 400), (wrong, 400), (wrong, 429)):
        answer = browser.post(SET_UP, {"pin": code})
        assert answer.status_code == status
        assert totp.format_secret(device) in answer.content.decode(), "who has scanned it goes on"
        assert f'value="{code}"' not in answer.content.decode() or not code
    assert not reauthentication.uses_totp(member)


def test_a_second_click_leads_on_as_the_first(member: User, browser_of: BrowserOf) -> None:
    browser = browser_of(member)
    browser.get(SET_UP)
    code = code_of(AuthenticatorApp.objects.get())
    for _click in range(2):
        assert browser.post(SET_UP, {"pin": code})["Location"] == SETTINGS
    assert AuditEvent.objects.filter(tag="operator:totp:enrolled").count() == 1
    for _click in range(2):
        browser.post("/console/confirm/", {"pin": code})
        browser = browser_of(member)
        assert browser.post(REMOVE)["Location"] == SETTINGS
    assert AuditEvent.objects.filter(tag="operator:totp:removed").count() == 1


def test_once_it_is_set_up_the_key_is_shown_no_more(
    member: User, members_app: AuthenticatorApp, browser_of: BrowserOf
) -> None:
    browser = browser_of(member)
    for answer in (browser.get(SET_UP, follow=True), browser.post(SET_UP, {"pin": code_of(members_app)}, follow=True)):
        assert answer.redirect_chain[-1][0] == SETTINGS
        assert "already set up" in words(answer)
        assert totp.format_secret(members_app) not in answer.content.decode()


def test_after_the_removal_a_new_app_asks_for_a_pin(
    member: User, members_app: AuthenticatorApp, browser_of: BrowserOf
) -> None:
    """Whoever sat down at a browser that was just confirmed would else set up their own."""
    browser = browser_of(member)
    assert browser.get(REMOVE).status_code == 200
    assert reauthentication.uses_totp(member), "looking at it removes nothing"
    assert browser.post(REMOVE)["Location"] == SETTINGS
    assert not AuthenticatorApp.objects.exists()
    assert browser.get(SET_UP)["Location"].startswith("/console/confirm/")
    assert "Generate PIN" in words(browser.get("/console/confirm/"))


def test_who_cools_off_neither_sets_up_nor_removes(member: User, stranger: User, browser_of: BrowserOf) -> None:
    begun = totp.begin(user=member)
    AuthenticatorApp.objects.create(user=stranger, confirmed=True)
    for user in (member, stranger):
        credential_hold.start(user=user, number="+919876543210", by=user)
    for answer in (
        browser_of(member).get(SET_UP, follow=True),
        browser_of(member).post(SET_UP, {"pin": code_of(begun)}, follow=True),
    ):
        assert answer.redirect_chain[-1][0] == SETTINGS
        assert "because a phone number changed" in words(answer)
        assert totp.format_secret(begun) not in answer.content.decode()
    kept = browser_of(stranger).post(REMOVE, follow=True)
    assert "A phone number changed recently, so your authenticator app can’t be removed until" in words(kept)
    assert [reauthentication.uses_totp(user) for user in (member, stranger)] == [False, True]


def test_one_removes_only_ones_own(
    member: User, members_app: AuthenticatorApp, stranger: User, browser_of: BrowserOf
) -> None:
    assert "There is no authenticator app to remove." in words(browser_of(stranger).post(REMOVE, follow=True))
    assert reauthentication.uses_totp(member)
    browser_of(stranger).get(SET_UP)
    stolen = browser_of(stranger).post(SET_UP, {"pin": code_of(members_app)})
    assert stolen.status_code == 400
    assert not reauthentication.uses_totp(stranger)


def test_an_operator_is_told_to_ask_another(operator: User, browser_of: BrowserOf) -> None:
    AuthenticatorApp.objects.create(user=operator, confirmed=True)
    browser = browser_of(operator)
    page = browser.get(SETTINGS)
    assert "Only another operator can remove it" in words(page)
    assert REMOVE not in page.content.decode()
    for answer in (browser.get(REMOVE), browser.post(REMOVE)):
        assert answer.status_code == 403
    assert reauthentication.uses_totp(operator)


def test_an_operator_removes_the_lost_app_of_anybody(
    operator: User, outsider: User, member: User, members_app: AuthenticatorApp, browser_of: BrowserOf
) -> None:
    AuthenticatorApp.objects.create(user=outsider, confirmed=True)
    at_the_desk = AuthenticatorApp.objects.create(user=operator, confirmed=True)
    desk = browser_of(operator)
    desk.post("/operators/second-factor/", {"pin": code_of(at_the_desk)})
    lost = AuthenticatorApp.objects.exclude(user=operator).values_list("pk", flat=True)
    form = {"action": "remove", "_selected_action": list(lost), "confirmed": "yes", "typed": str(len(lost))}
    desk.post("/operators/accounts/authenticatorapp/", form)
    assert AuthenticatorApp.objects.get() == at_the_desk
    assert set(Notice.objects.values_list("user__name", "template")) == {
        (outsider.name, "accounts/totp_removed"),
        (member.name, "accounts/totp_removed"),
    }


def test_without_a_number_one_adds_it_first(newcomer: User, client: Client, browser_of: BrowserOf) -> None:
    browser = browser_of(newcomer)
    assert "Add a phone number first" in words(browser.get(SETTINGS))
    for path in (SET_UP, REMOVE):
        assert browser.post(path, {"pin": "123456"})["Location"].startswith("/console/?next=")
        for answer in (client.get(path), client.post(path, {"pin": "123456"})):
            assert answer.headers["Location"].startswith("/accounts/login/?next="), "without a session"
    assert not AuthenticatorApp.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_key_and_the_codes_are_left_nowhere(member: User, browser_of: BrowserOf) -> None:
    with watching() as everything:
        browser = browser_of(member)
        everything.saw(browser.get(SET_UP))
        device = AuthenticatorApp.objects.get()
        key, wrong, code = totp.format_secret(device), wrong_code(device), code_of(device)
        everything.saw(browser.post(SET_UP, {"pin": wrong}))
        AuthenticatorApp.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
        everything.saw(browser.post(SET_UP, {"pin": code}))
        stale = browser_of(member, confirmed=False)
        everything.saw(stale.post(REMOVE, {"pin": code}))
        everything.saw(browser.post(REMOVE))
    assert not AuthenticatorApp.objects.exists()
    plain = key.replace(" ", "")
    left = {
        secret: everything.where(secret)
        for secret in (key, plain, plain.lower(), device.bin_key.hex(), "otpauth://", wrong, code)
    }
    assert {secret: places for secret, places in left.items() if places} == {}
