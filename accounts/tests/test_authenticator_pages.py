"""Settings → "Authenticator app": its pages, for everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, AuthenticatorApp, Notice, SandboxSms, User
from accounts.services import credential_hold, reauthentication, totp
from accounts.tests.authenticator import code_of, wrong_code
from accounts.tests.pages import words
from kaizala_console.tests.leaks import watching

SETTINGS = "/console/settings/"
SET_UP, REMOVE = f"{SETTINGS}authenticator-app/set-up/", f"{SETTINGS}authenticator-app/remove/"
BrowserOf = Callable[..., Client]


@pytest.fixture
def app(member: User) -> AuthenticatorApp:
    """The member's."""
    return AuthenticatorApp.objects.create(user=member, name="app", confirmed=True)


def test_from_settings_by_pin_to_an_app_that_confirms(
    member: User, browser_of: BrowserOf, phones: Any, travel: Callable[..., Any]
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


def test_a_wrong_code_keeps_the_key_and_soon_costs_a_wait(
    member: User, browser_of: BrowserOf, travel: Callable[..., Any]
) -> None:
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


def test_once_it_is_set_up_the_key_is_shown_no_more(member: User, app: AuthenticatorApp, browser_of: BrowserOf) -> None:
    browser = browser_of(member)
    for answer in (browser.get(SET_UP, follow=True), browser.post(SET_UP, {"pin": code_of(app)}, follow=True)):
        assert answer.redirect_chain[-1][0] == SETTINGS
        assert "already set up" in words(answer)
        assert totp.format_secret(app) not in answer.content.decode()


def test_after_the_removal_a_new_app_asks_for_a_pin(member: User, app: AuthenticatorApp, browser_of: BrowserOf) -> None:
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


def test_one_removes_only_ones_own(member: User, app: AuthenticatorApp, stranger: User, browser_of: BrowserOf) -> None:
    assert "There is no authenticator app to remove." in words(browser_of(stranger).post(REMOVE, follow=True))
    assert reauthentication.uses_totp(member)
    browser_of(stranger).get(SET_UP)
    stolen = browser_of(stranger).post(SET_UP, {"pin": code_of(app)})
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
    operator: User, outsider: User, member: User, app: AuthenticatorApp, browser_of: BrowserOf
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
