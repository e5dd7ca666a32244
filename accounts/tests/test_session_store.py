"""What a dump of the database opens: no session."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.test import Client
from pytest_django import Settings

from accounts.models import Session, User
from accounts.models.session import SessionStore
from accounts.services import sessions
from kaizala_console.tests.leaks import watching

HOME = "/console/"


def opens(cookie: str | None) -> bool:
    """Whether a browser that has this cookie is signed in."""
    browser = Client()
    browser.cookies[settings.SESSION_COOKIE_NAME] = cookie or ""
    return browser.get(HOME).status_code == 200


def sign_in(user: User) -> tuple[Client, str]:
    browser = Client()
    browser.force_login(user)
    assert browser.get(HOME).status_code == 200
    return browser, browser.cookies[settings.SESSION_COOKIE_NAME].value


def test_the_key_of_a_row_is_no_cookie(member: User) -> None:
    _browser, cookie = sign_in(member)
    assert opens(cookie)
    assert not opens(Session.objects.get().pk)


def test_no_table_statement_or_log_holds_a_cookie(member: User, stranger: User) -> None:
    with watching() as everything:
        browser, cookie = sign_in(member)
        _other, other_cookie = sign_in(stranger)
        for page in ("/console/settings/", "/console/settings/sessions/", "/console/connectors/"):
            everything.saw(browser.get(page))
    assert everything.where(cookie) == everything.where(other_cookie) == []


def test_without_the_secret_key_no_row_opens(member: User, settings: Settings) -> None:
    _browser, cookie = sign_in(member)
    settings.SECRET_KEY = "another-key-of-fifty-characters-or-so-for-this-test"
    assert not opens(cookie)


def test_who_signed_out_is_out_with_the_old_cookie_too(member: User) -> None:
    browser, cookie = sign_in(member)
    browser.post("/accounts/logout/")
    assert not opens(cookie)
    assert not Session.objects.filter(user=member).exists()


def test_a_new_key_ends_the_old_one_and_keeps_what_was_in_the_session(member: User) -> None:
    browser, cookie = sign_in(member)
    session = browser.session
    session.cycle_key()
    session.save()
    assert not opens(cookie)
    assert opens(session.session_key)
    assert Session.objects.filter(user=member).count() == 1


def test_a_session_whose_time_is_over_opens_nothing_and_its_row_is_swept(
    member: User, travel: Callable[..., object]
) -> None:
    _browser, cookie = sign_in(member)
    travel(hours=12, seconds=1)
    assert not opens(cookie)
    sessions.forget_old()
    assert not Session.objects.exists()


@pytest.mark.django_db
def test_a_cookie_that_somebody_made_up_is_not_taken_over(member: User) -> None:
    store = SessionStore("a" * 32)
    store["something"] = "new"
    store.save()
    assert store.session_key != "a" * 32


def test_a_session_that_ended_during_a_request_stays_ended(member: User) -> None:
    _browser, cookie = sign_in(member)
    under_way = SessionStore(cookie)
    under_way["something"] = "new"
    sessions.end_all(user=member)
    with pytest.raises(UpdateError):
        under_way.save()
    assert not opens(cookie)


def test_deactivating_somebody_ends_their_sessions_alone(member: User, stranger: User) -> None:
    (_browser, theirs), (_other, anothers) = sign_in(member), sign_in(stranger)
    sessions.end_all(user=member)
    assert (opens(theirs), opens(anothers)) == (False, True)
