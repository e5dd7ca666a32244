"""The operators' pages: for operators with a second factor alone, showing everything but secrets."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from itertools import groupby
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.apps import apps
from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts import queries
from accounts.admin.site import site
from accounts.audit.record import SYSTEM
from accounts.models import AuditCheckpoint, AuditEvent, AuthenticatorApp, PinDevice, Session, SmsMessage, User
from accounts.services import reauthentication, totp, users
from accounts.tests.authenticator import code_of, wrong_code
from accounts.tests.factories import make_user
from kaizala_console.tests.leaks import holds

INDEX, SECOND_FACTOR, SET_UP = "/operators/", "/operators/second-factor/", "/operators/second-factor/set-up/"
BrowserOf = Callable[..., Client]


def walk(browser: Client, start: str = INDEX) -> list[str]:
    """The paths that a browser is led through, the last one being shown."""
    answer = browser.get(start, follow=True)
    return [start, *(url.partition("?")[0] for url, _status in answer.redirect_chain)]


# The way in -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_who_is_not_signed_in_signs_in_first_and_comes_back() -> None:
    answer = Client().get(INDEX, follow=True)
    assert "/accounts/login/" in answer.redirect_chain[-1][0]
    assert "next=/operators/" in answer.redirect_chain[-1][0] or "next=%2Foperators%2F" in answer.redirect_chain[-1][0]


@pytest.mark.parametrize("path", [INDEX, SECOND_FACTOR, SET_UP, "/operators/accounts/user/", "/operators/nowhere/"])
def test_who_is_no_operator_is_refused_everywhere(developer: User, browser_of: BrowserOf, path: str) -> None:
    assert browser_of(developer).get(path, follow=True).status_code == 403
    assert browser_of(developer).post(path, {"pin": "123456"}, follow=True).status_code == 403
    assert not AuthenticatorApp.objects.exists()


def test_an_organisation_admin_is_no_operator(organisation_admin: User, browser_of: BrowserOf) -> None:
    assert browser_of(organisation_admin).get(INDEX, follow=True).status_code == 403


def test_a_first_time_operator_confirms_by_pin_then_sets_an_app_up_and_is_in(
    operator: User, browser_of: BrowserOf, phones: Any
) -> None:
    browser = browser_of(operator, confirmed=False)
    assert walk(browser)[-2:] == [SET_UP, "/console/confirm/"]
    confirm = browser.get(INDEX, follow=True).redirect_chain[-1][0]
    browser.post(confirm, {"act": "send"})
    person = queries.primary_person(operator)
    assert person is not None
    page = browser.post(confirm, {"pin": phones.pin(person.number)}, follow=True)
    assert page.redirect_chain[-1][0].startswith(SET_UP)
    device = AuthenticatorApp.objects.get()
    html = page.content.decode()
    assert totp.format_secret(device) in html
    assert "data:image/svg+xml" in html
    assert page["Cache-Control"].count("no-store") == 1
    there = browser.post(page.redirect_chain[-1][0], {"pin": code_of(device)})
    assert (there.status_code, there["Location"]) == (302, INDEX)
    assert browser.get(INDEX).status_code == 200
    assert list(AuditEvent.objects.filter(tag__startswith="operator:").values_list("tag", flat=True)) == [
        "operator:totp:enrolled"
    ]


def test_a_stale_confirmation_shows_no_key(operator: User, browser_of: BrowserOf, travel: Callable[..., Any]) -> None:
    browser = browser_of(operator)
    travel(minutes=16)
    assert walk(browser, SET_UP)[-1] == "/console/confirm/"
    assert not AuthenticatorApp.objects.exists()


def test_the_picture_is_the_key_in_the_form_that_apps_read(operator: User) -> None:
    device = totp.begin(user=operator)
    address = totp.build_uri(device)
    assert address.startswith("otpauth://totp/Kaizala%20Console:omar.dsouza%40contoso.example?secret=")
    assert totp.format_secret(device).replace(" ", "") in address
    assert "issuer=Kaizala%20Console" in address


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


def test_a_wrong_code_opens_nothing_and_soon_costs_a_wait(
    operator: User, app: AuthenticatorApp, browser_of: BrowserOf, travel: Callable[..., Any]
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


def test_an_operator_who_is_no_longer_one_is_out_at_once(desk: Client, operator: User) -> None:
    users.set_roles(user=operator, is_staff=False, by=SYSTEM)
    assert desk.get(INDEX, follow=True).status_code == 403


def test_an_app_that_was_removed_opens_the_site_no_more(desk: Client, operator: User) -> None:
    totp.remove(user=operator, by=make_user("Olive Thomas", operator.organisation, is_staff=True))
    assert walk(desk)[-1] == SET_UP


def test_signing_out_of_the_site_signs_out_of_the_console(desk: Client) -> None:
    desk.post("/operators/logout/")
    assert "_auth_user_id" not in desk.session


# What is shown --------------------------------------------------------------------------------------------------------


def test_every_page_says_at_its_foot_which_version_runs(desk: Client) -> None:
    version = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
    for path in (INDEX, "/operators/accounts/user/"):
        foot = desk.get(path).content.decode().partition('<footer id="footer">')[2].partition("</footer>")[0]
        assert f"Kaizala Console {version}" in foot


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


def test_every_model_of_this_app_is_registered() -> None:
    assert set(apps.get_app_config("accounts").get_models()) <= set(site._registry)
    assert AuthenticatorApp in site._registry


def test_the_trail_reads_as_sentences_and_is_filtered_by_event(desk: Client, operator: User) -> None:
    html = desk.get("/operators/accounts/auditevent/", {"tag": "operator:session:started"}).content.decode()
    assert "Omar Dsouza opened the operators’ pages." in html
    html = desk.get("/operators/accounts/auditevent/", {"tag": "user:session:started"}).content.decode()
    assert "opened the operators’ pages." not in html


def test_every_filter_that_a_list_offers_works(desk: Client, developer: User, some_of_everything: None) -> None:
    for model in site._registry:
        base = reverse(f"operators:{model._meta.app_label}_{model._meta.model_name}_changelist")
        page = desk.get(base).content.decode()
        offered = page[page.find('id="changelist-filter"') :] if 'id="changelist-filter"' in page else ""
        queries = {query.replace("&amp;", "&") for query in re.findall(r'href="(\?[^"]+)"', offered)}
        for _, of_one_filter in groupby(sorted(queries), lambda query: list(dict(parse_qsl(query[1:])))):
            first, *others = of_one_filter
            for query in (first, *others[-1:]):
                assert desk.get(base + query).status_code == 200, (base, query)


def test_no_page_of_the_site_needs_a_script_or_style_of_its_own(desk: Client) -> None:
    for path in (INDEX, "/operators/accounts/user/", SECOND_FACTOR):
        answer = desk.get(path)
        html = answer.content.decode()
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", html), path
        assert " style=" not in html, path
