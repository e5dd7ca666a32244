"""Settings: one's own facts and choices."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import AuthenticatorApp, User
from accounts.tests import factories
from accounts.tests.pages import words

SETTINGS = "/console/settings/"
LANGUAGE = "/console/settings/language/"
MAIL = "/console/settings/mail/"


def test_a_person_sees_their_own_profile_and_phones(member: User, browser_of: Callable[..., Client]) -> None:
    factories.verify(member, "+919820012345", is_primary=False)
    shown = words(browser_of(member).get(SETTINGS))
    for fact in (member.name, member.email, member.organisation.name, "+91 98200 12345", "Primary", "PIN by SMS"):
        assert fact in shown


def test_an_operator_is_told_of_the_authenticator_app(operator: User, browser_of: Callable[..., Client]) -> None:
    assert "The operators’ pages ask for an authenticator app." in words(browser_of(operator).get(SETTINGS))
    AuthenticatorApp.objects.create(user=operator, confirmed=True)
    assert "You confirm with codes from your authenticator app." in words(browser_of(operator).get(SETTINGS))


def test_without_a_session_it_leads_to_the_sign_in(client: Client, db: None) -> None:
    for answer in (client.get(SETTINGS), client.post(LANGUAGE, {})):
        assert answer.headers["Location"].startswith("/accounts/login/?next=")


@pytest.mark.usefixtures("alone")
def test_many_phones_cost_no_more_queries_than_one(
    organisation_admin: User, browser_of: Callable[..., Client], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser = browser_of(organisation_admin)
    for last in range(8):
        factories.verify(organisation_admin, f"+91982001234{last}", is_primary=False)
    with django_assert_max_num_queries(6):
        browser.get(SETTINGS)


def test_a_person_chooses_a_language_for_all_their_devices(member: User, browser_of: Callable[..., Client]) -> None:
    browser = browser_of(member)
    browser.post(LANGUAGE, {"language": "hi"})
    assert '<html lang="hi"' in browser.get(SETTINGS).content.decode()
    member.refresh_from_db()
    assert member.language == "hi"
    browser.post(LANGUAGE, {"language": "auto"})
    assert '<html lang="en"' in browser.get(SETTINGS).content.decode()


def test_a_language_that_the_console_does_not_speak_changes_nothing(
    member: User, browser_of: Callable[..., Client]
) -> None:
    answer = browser_of(member).post(LANGUAGE, {"language": "tlh"}, follow=True)
    assert "This language is not available." in words(answer)
    member.refresh_from_db()
    assert member.language == ""


def test_nobody_without_an_account_chooses_a_language(client: Client, db: None) -> None:
    assert client.post(LANGUAGE, {"language": "hi"}).headers["Location"].startswith("/accounts/login/?next=")


def test_a_person_chooses_what_they_get_mails_about(member: User, browser_of: Callable[..., Client]) -> None:
    browser = browser_of(member)
    assert "Saved." in words(browser.post(MAIL, {"wanted": ["requests", "nonsense"]}, follow=True))
    member.refresh_from_db()
    assert member.muted_mail == ["handoffs", "ends", "faults"]
    boxes = re.findall(
        r'<input type="checkbox" name="wanted" value="(\w+)"[^>]* checked', browser.get(SETTINGS).content.decode()
    )
    assert boxes == ["requests"]


def test_nobody_without_an_account_chooses_mails(client: Client, db: None) -> None:
    assert client.post(MAIL, {"wanted": []}).headers["Location"].startswith("/accounts/login/?next=")


def test_every_cookie_is_for_the_console_alone(member: User, settings: Settings) -> None:
    """Session, CSRF, messages, and the language, set by a visitor and by somebody signed in."""
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = settings.LANGUAGE_COOKIE_SECURE = True
    visitor, browser = Client(), Client()
    browser.force_login(member)
    answers = [
        visitor.get("/accounts/login/"),
        visitor.post("/language/setlang/", {"language": "hi"}),
        browser.get("/console/settings/"),
        browser.post("/console/settings/language/", {"language": "hi"}),
    ]
    cookies = {cookie.key: cookie for answer in answers for cookie in answer.cookies.values()}
    assert {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, settings.LANGUAGE_COOKIE_NAME, "messages"} <= set(
        cookies
    )
    for cookie in cookies.values():
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax"), cookie.key
