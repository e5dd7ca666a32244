"""The operators' pages: for operators with a second factor alone; what they show, and what is done there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from accounts import policies, queries
from accounts.admin.site import site
from accounts.audit.record import SYSTEM
from accounts.audit.sentences import sentence
from accounts.models import (
    AuditCheckpoint,
    AuditEvent,
    AuthenticatorApp,
    Notice,
    Organisation,
    PinDevice,
    Session,
    SmsMessage,
    User,
    VerifiedPhone,
)
from accounts.services import credential_hold, notifications, reauthentication, totp, users
from accounts.services import organisations as organisations_service
from accounts.tests.authenticator import code_of, wrong_code
from accounts.tests.factories import make_user
from accounts.tests.pages import words
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotAllowed, NotFound
from kaizala_console.lib.tests.cast import BrowserOf, Travel
from kaizala_console.tests.leaks import holds

INDEX, SECOND_FACTOR, SET_UP = "/operators/", "/operators/second-factor/", "/operators/second-factor/set-up/"


def walk(browser: Client, start: str = INDEX) -> list[str]:
    """The paths that a browser is led through, the last one being shown."""
    answer = browser.get(start, follow=True)
    return [start, *(url.partition("?")[0] for url, _status in answer.redirect_chain)]


@pytest.mark.parametrize("path", [INDEX, SECOND_FACTOR, SET_UP, "/operators/accounts/user/", "/operators/nowhere/"])
def test_who_is_no_operator_is_refused_everywhere(
    client: Client, developer: User, organisation_admin: User, browser_of: BrowserOf, path: str
) -> None:
    for user in (developer, organisation_admin):
        assert browser_of(user).get(path, follow=True).status_code == 403
        assert browser_of(user).post(path, {"pin": "123456"}, follow=True).status_code == 403
    signed_out = client.get(path, follow=True).redirect_chain[-1][0]
    assert signed_out.startswith("/accounts/login/")
    assert f"next={path}" in signed_out.replace("%2F", "/")
    assert not AuthenticatorApp.objects.exists()


def test_a_first_time_operator_confirms_by_pin_then_sets_an_app_up_and_is_in(
    operator: User, browser_of: BrowserOf, phones: Any
) -> None:
    browser = browser_of(operator, confirmed=False)
    confirm = browser.get(INDEX, follow=True).redirect_chain[-1][0]
    assert confirm.startswith("/console/confirm/")
    assert not AuthenticatorApp.objects.exists(), "no key before the PIN"
    browser.post(confirm, {"act": "send"})
    person = queries.primary_person(operator)
    assert person is not None
    page = browser.post(confirm, {"pin": phones.pin(person.number)}, follow=True)
    assert page.redirect_chain[-1][0].startswith(SET_UP)
    device = AuthenticatorApp.objects.get()
    assert totp.format_secret(device) in page.content.decode()
    assert "data:image/svg+xml" in page.content.decode()
    assert page["Cache-Control"].count("no-store") == 1
    there = browser.post(page.redirect_chain[-1][0], {"pin": code_of(device)})
    assert (there.status_code, there["Location"]) == (302, INDEX)
    assert browser.get(INDEX).status_code == 200


def test_each_session_needs_a_code_of_its_own(operator: User, app: AuthenticatorApp, browser_of: BrowserOf) -> None:
    browser = browser_of(operator)
    assert walk(browser)[-1] == SECOND_FACTOR
    before = browser.session.session_key
    there = browser.post(f"{SECOND_FACTOR}?next=/operators/accounts/user/", {"pin": code_of(app)})
    assert there["Location"] == "/operators/accounts/user/"
    assert browser.session.session_key != before
    assert browser.get(INDEX).status_code == 200
    assert AuditEvent.objects.get().tag == "operator:session:started"
    assert walk(browser_of(operator))[-1] == SECOND_FACTOR
    browser.post("/operators/logout/")
    assert "_auth_user_id" not in browser.session, "signing out of the site signs out of the console"


def test_a_wrong_code_opens_nothing_and_soon_costs_a_wait(
    operator: User, app: AuthenticatorApp, browser_of: BrowserOf, travel: Travel
) -> None:
    travel()  # the clock stands still: the wait is a second, which a busy machine may take for a page
    browser = browser_of(operator)
    assert browser.post(SECOND_FACTOR, {"pin": wrong_code(app)}).status_code == 400
    assert browser.post(SECOND_FACTOR, {"pin": wrong_code(app)}).status_code == 429
    assert browser.post(SECOND_FACTOR, {"pin": ""}).status_code == 400
    assert walk(browser)[-1] == SECOND_FACTOR
    assert wrong_code(app) not in browser.get(SECOND_FACTOR).content.decode()


def test_an_app_whose_pepper_left_the_ring_is_refused_with_a_remedy(
    operator: User, app: AuthenticatorApp, browser_of: BrowserOf, settings: Any
) -> None:
    browser, code = browser_of(operator), code_of(app)
    begun = totp.begin(user=make_user("Olive Thomas", operator.organisation, is_staff=True))
    settings.CREDENTIAL_PEPPERS = [("newer", b"n" * 32)]
    answer = browser.post(SECOND_FACTOR, {"pin": code})
    assert answer.status_code == 400
    assert "The console can’t check this app any longer: its key was removed." in answer.content.decode()
    assert totp.format_secret(totp.begin(user=begun.user))  # one that was not confirmed yet is simply made again


def test_neither_a_pin_nor_somebody_elses_app_opens_the_site(
    operator: User, app: AuthenticatorApp, browser_of: BrowserOf, phones: Any
) -> None:
    colleague = make_user("Olive Thomas", operator.organisation, is_staff=True)
    reauthentication.send_pin(user=colleague, by=colleague)
    pin = PinDevice.objects.get()
    browser = browser_of(colleague)
    for device in (pin, app):
        session = browser.session
        session["otp_device_id"] = device.persistent_id
        session.save()
        assert browser.get(INDEX).status_code == 302


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_one_is_never_led_elsewhere(
    operator: User, app: AuthenticatorApp, browser_of: BrowserOf, elsewhere: str
) -> None:
    there = browser_of(operator).post(f"{SECOND_FACTOR}?next={elsewhere}", {"pin": code_of(app)})
    assert there["Location"] == INDEX


def test_an_operator_who_is_no_longer_one_or_whose_app_was_removed_is_out_at_once(desk: Client, operator: User) -> None:
    totp.remove(user=operator, by=make_user("Olive Thomas", operator.organisation, is_staff=True))
    assert walk(desk)[-1] == SET_UP
    users.set_roles(user=operator, is_staff=False, by=SYSTEM)
    assert desk.get(INDEX, follow=True).status_code == 403


def test_every_list_and_every_row_opens_searches_and_shows_no_secret(
    desk: Client, developer: User, some_of_everything: None, phones: Any
) -> None:
    person = queries.primary_person(developer)
    assert person is not None
    pin = PinDevice.objects.get()
    sent = phones.pin(person.number)
    secrets = {
        person.number,
        person.number[1:],
        pin.digest,
        pin.salt,
        SmsMessage.objects.get().number_tag,
        *AuditCheckpoint.objects.values_list("mac", flat=True),
        *AuditEvent.objects.values_list("mac", flat=True),
        *AuthenticatorApp.objects.values_list("key", flat=True),
        *Session.objects.values_list("session_data", flat=True),
    }
    for model in apps.get_app_config("accounts").get_models():
        base = f"/operators/{model._meta.app_label}/{model._meta.model_name}/"
        rows = model._default_manager.all()
        assert rows.exists(), model
        pages = [base, *(f"{base}{row.pk}/change/" for row in rows[:3])]
        for path in pages:
            answer = desk.get(path)
            assert answer.status_code == 200, path
            html = answer.content.decode()
            assert not [secret for secret in secrets if secret in html], path
            assert not holds(html, sent), path
        assert desk.get(base, {"q": "Devika"}).status_code == 200
        assert desk.get(f"{base}add/").status_code == 403
        assert desk.post(f"{base}{rows[0].pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", ["person", "verifiedphone", "pindevice", "smsmessage", "sandboxsms"])
def test_a_whole_number_finds_its_rows(desk: Client, developer: User, some_of_everything: None, model: str) -> None:
    person = queries.primary_person(developer)
    assert person is not None
    for term, found in ((person.number, 1), ("+919999999999", 0)):
        html = desk.get(f"/operators/accounts/{model}/", {"q": term}).content.decode()
        assert len(set(re.findall(rf"/operators/accounts/{model}/([^/]+)/change/", html))) == found, term


@pytest.mark.parametrize(
    "query",
    [
        "pindevice/?digest__startswith=a",
        "auditevent/?mark__startswith=a",
        "smsmessage/?number_tag__startswith=a",
        "verifiedphone/?person__number__startswith=%2B91",
        "user/?password__startswith=a",
        "person/?number__startswith=%2B91",
    ],
)
def test_lists_are_not_filtered_by_what_they_do_not_show(
    desk: Client, developer: User, some_of_everything: None, query: str
) -> None:
    assert desk.get(f"/operators/accounts/{query}").status_code == 400


@pytest.mark.parametrize("path", ["r/1/1/", "r/x/1/", "accounts/user/nobody/change/", "accounts/user/?o=99", "jsi18n/"])
def test_no_address_of_the_site_is_a_500(desk: Client, path: str) -> None:
    assert desk.get(f"/operators/{path}", follow=True).status_code < 500


def test_the_filters_that_a_list_offers_work_together(desk: Client, developer: User, some_of_everything: None) -> None:
    for model in site._registry:
        base = reverse(f"operators:{model._meta.app_label}_{model._meta.model_name}_changelist")
        page = desk.get(base).content.decode()
        offered = page[page.find('id="changelist-filter"') :] if 'id="changelist-filter"' in page else ""
        queries = [parse_qsl(query.replace("&amp;", "&")[1:]) for query in re.findall(r'href="(\?[^"]+)"', offered)]
        chosen = {name: value for query in queries for name, value in query}  # the last choice of each, all together
        assert desk.get(base, chosen).status_code == 200, (base, chosen)


def test_no_page_of_the_site_needs_a_script_or_style_of_its_own(desk: Client) -> None:
    for path in (INDEX, "/operators/accounts/user/", SECOND_FACTOR):
        answer = desk.get(path)
        html = answer.content.decode()
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", html), path
        assert " style=" not in html, path


def act(desk: Client, model: str, action: str, *rows: Any, **typed: str) -> Any:
    form = {"action": action, "_selected_action": [str(row.pk) for row in rows], "confirmed": "yes", **typed}
    return desk.post(f"/operators/accounts/{model}/", form, follow=True)


def test_an_operator_gives_and_takes_roles(desk: Client, developer: User) -> None:
    for action, role, value in (
        ("make_organisation_admin", "is_organisation_admin", True),
        ("end_organisation_admin", "is_organisation_admin", False),
        ("make_operator", "is_staff", True),
        ("end_operator", "is_staff", False),
    ):
        act(desk, "user", action, developer)
        developer.refresh_from_db()
        assert getattr(developer, role) is value
    assert AuditEvent.objects.filter(tag="user:roles:changed", actor_name="Omar Dsouza").count() == 4


def test_a_deactivated_account_is_out_at_once_and_may_come_back(
    desk: Client, developer: User, browser_of: BrowserOf
) -> None:
    browser = browser_of(developer)
    assert browser.get("/console/").status_code == 200
    act(desk, "user", "deactivate", developer, reason="Left the company")
    assert browser.get("/console/").status_code == 302
    act(desk, "user", "activate", developer)
    developer.refresh_from_db()
    assert developer.is_active
    assert "already in this state" in words(act(desk, "user", "activate", developer))


def test_an_operator_cannot_lock_the_last_door(desk: Client, operator: User) -> None:
    for action in ("end_operator", "deactivate"):
        html = act(desk, "user", action, operator, reason="By mistake").content.decode()
        assert "Only another operator" in html
    operator.refresh_from_db()
    assert [operator.is_staff, operator.is_active] == [True, True]


def test_a_number_can_be_taken_off_an_account_and_its_credentials_unlocked(desk: Client, developer: User) -> None:
    act(desk, "verifiedphone", "release", queries.held_phones(developer)[0])
    assert not VerifiedPhone.objects.active().filter(user=developer).exists()
    credential_hold.start(user=developer, number="+919876543210", by=developer)
    assert "1 was changed" in words(act(desk, "user", "unlock_credentials", developer))
    developer.refresh_from_db()
    assert policies.credential_hold_end(developer) is None
    event = AuditEvent.objects.get(tag="user:credentials:unlocked")
    assert sentence(event) == "Omar Dsouza unlocked the credentials of Devika Rao."
    assert "not locked" in words(act(desk, "user", "unlock_credentials", developer))


def test_a_notice_that_was_given_up_can_be_sent_again(desk: Client, developer: User, some_of_everything: None) -> None:
    notice = Notice.objects.get()
    html = act(desk, "notice", "send_again", notice).content.decode()
    assert "changed in the meantime" in html
    Notice.objects.update(gave_up_at=clock.now(), next_attempt_at=None)
    act(desk, "notice", "send_again", notice)
    assert notifications.deliver(notice_id=notice.pk)
    assert AuditEvent.objects.filter(tag="notice:mail:requeued", actor_name="Omar Dsouza").count() == 1


def test_an_organisation_gets_a_name_that_people_know(desk: Client, organisation: Organisation) -> None:
    path = f"/operators/accounts/organisation/{organisation.pk}/change/"
    desk.post(path, {"name": "Contoso", "moved_to": "https://new.example"})
    event = AuditEvent.objects.get(tag="organisation:settings:changed")
    assert (event.before["name"], event.after["name"]) == ("Contoso Logistics", "Contoso")
    for bad in ({"name": ""}, {"moved_to": "http://new.example"}, {"moved_to": "javascript:alert(1)"}):
        assert desk.post(path, {"name": "Contoso", "moved_to": "", **bad}).status_code == 200
        organisation.refresh_from_db()
        assert (organisation.name, organisation.moved_to) == ("Contoso", "https://new.example")


def test_nobody_but_operators_manages_accounts(developer: User, organisation_admin: User, stranger: User) -> None:
    for by in (developer, organisation_admin):
        for attempt in (
            lambda by=by: users.set_roles(user=by, is_staff=True, by=by),
            lambda by=by: users.set_roles(user=stranger, is_organisation_admin=True, by=by),
            lambda by=by: users.deactivate(user=stranger, by=by),
            lambda by=by: users.activate(user=stranger, by=by),
            lambda by=by: organisations_service.rename_or_move(
                organisation=stranger.organisation, name="Mine", moved_to="", by=by
            ),
        ):
            with pytest.raises(NotAllowed):
                attempt()
    assert not AuditEvent.objects.exists()


def test_an_admin_decides_for_the_own_organisation_alone(
    organisation: Organisation, organisation_admin: User, outsider: User, developer: User
) -> None:
    for by in (outsider, developer):
        with pytest.raises((NotAllowed, NotFound)):
            organisations_service.change(organisation=organisation, by=by, admins_may_see_tokens=False)
    organisations_service.change(organisation=organisation, by=organisation_admin, admins_may_see_tokens=False)
    organisation.refresh_from_db()
    assert not organisation.admins_may_see_tokens
    assert AuditEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_without_an_audit_row_no_account_changes(
    developer: User, operator: User, organisation_admin: User, broken_trail: Callable[[], None]
) -> None:
    broken_trail()
    for attempt in (
        lambda: users.set_roles(user=developer, is_staff=True, by=operator),
        lambda: users.deactivate(user=developer, by=operator),
        lambda: organisations_service.change(
            organisation=developer.organisation, by=organisation_admin, admins_may_see_tokens=False
        ),
        lambda: organisations_service.rename_or_move(
            organisation=developer.organisation, name="Other", moved_to="", by=operator
        ),
    ):
        with pytest.raises(OSError, match="audit"):
            attempt()
    developer.refresh_from_db()
    organisation = developer.organisation
    organisation.refresh_from_db()
    assert [developer.is_staff, developer.is_active] == [False, True]
    assert (organisation.name, organisation.admins_may_see_tokens) == ("Contoso Logistics", True)


def test_the_first_operator_is_made_by_address_once(stranger: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("make_operator", stranger.email.upper())
    stranger.refresh_from_db()
    assert stranger.is_staff
    assert "authenticator app" in capsys.readouterr().out
    event = AuditEvent.objects.get()
    assert (event.actor_kind, event.after["is_staff"]) == ("system", True)
    for name, said in (
        ("nobody@contoso.example", "sign in to the console once"),
        (stranger.subject, "operator already"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command("make_operator", name)


def test_two_accounts_with_one_address_are_told_apart_by_subject(stranger: User, member: User) -> None:
    User.objects.update(email="shared@contoso.example")
    with pytest.raises(CommandError, match=stranger.subject):
        call_command("make_operator", "shared@contoso.example")
    assert not User.objects.filter(is_staff=True).exists()
    call_command("make_operator", member.subject)
    assert User.objects.get(is_staff=True) == member
