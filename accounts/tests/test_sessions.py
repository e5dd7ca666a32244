"""Where somebody is signed in, ending it there, and what a dump of the database opens: no session."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import AuditEvent, Session, User
from accounts.models.session import SessionStore, row_key
from accounts.services import sessions
from accounts.tests.pages import words
from accounts.views.sessions import describe_device
from kaizala_console.lib import clock
from kaizala_console.lib.tests.cast import Travel
from kaizala_console.tests.leaks import watching

SESSIONS = "/console/settings/sessions/"
HOME = "/console/"
FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:131.0) Gecko/131.0 Firefox/131.0"
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
    "Safari/537.36 Edg/130.0.0.0"
)


def key_of(browser: Client) -> str:
    return row_key(browser.session.session_key)


def test_a_person_sees_each_browser_with_its_address(member: User) -> None:
    sign_in(member, FIREFOX, "192.0.2.8")
    shown = words(sign_in(member).get(SESSIONS))
    for fact in ("Edge on Windows", "192.0.2.7", "This browser", "Firefox Mobile on Android", "192.0.2.8"):
        assert fact in shown
    assert shown.index("Edge on Windows") < shown.index("Firefox Mobile on Android"), "this one first"


@pytest.mark.postgresql
def test_ending_a_session_signs_that_browser_out_with_its_next_request(member: User) -> None:
    here, there = sign_in(member), sign_in(member, FIREFOX)
    answer = here.post(f"{SESSIONS}{key_of(there)}/end/", follow=True)
    assert "Session ended." in words(answer)
    assert not is_in(there)
    assert is_in(here)
    assert AuditEvent.objects.get(tag="user:session:ended").after == {"sessions": 1}


@pytest.mark.postgresql
def test_ending_all_others_leaves_this_browser_in(member: User) -> None:
    here, others = sign_in(member), [sign_in(member, FIREFOX) for _each in range(2)]
    assert "Ended 2 other sessions." in words(here.post(f"{SESSIONS}end-others/", follow=True))
    assert [is_in(browser) for browser in (here, *others)] == [True, False, False]


def test_nobody_sees_or_ends_the_session_of_another(member: User, stranger: User) -> None:
    theirs = sign_in(member, FIREFOX)
    assert sign_in(stranger).post(f"{SESSIONS}{key_of(theirs)}/end/").status_code == 404
    sign_in(stranger).post(f"{SESSIONS}end-others/")
    assert is_in(theirs)
    assert "Firefox" not in words(sign_in(stranger).get(SESSIONS))


@pytest.mark.postgresql
def test_a_session_that_was_signed_out_or_whose_time_is_over_is_gone_from_the_list(member: User) -> None:
    here, there = sign_in(member), sign_in(member, FIREFOX)
    Session.objects.filter(pk=key_of(there)).update(expire_date=clock.now())
    sign_in(member, FIREFOX).post("/accounts/logout/")
    assert "Firefox" not in words(here.get(SESSIONS))
    assert here.post(f"{SESSIONS}{key_of(there)}/end/").status_code == 404


@pytest.mark.postgresql
def test_many_sessions_cost_as_many_statements_as_two_and_the_last_used_are_shown(
    member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = sign_in(member)
    sign_in(member, FIREFOX)
    here.get(SESSIONS)
    with CaptureQueriesContext(connection) as two:
        shown = words(here.get(SESSIONS))
    assert "“Sign out everywhere else” ends them all." not in shown
    for _number in range(4):
        sign_in(member, FIREFOX)
    monkeypatch.setattr(sessions, "MOST", 3)
    with CaptureQueriesContext(connection) as six:
        shown = words(here.get(SESSIONS))
    assert len(six) == len(two)
    # Each other one twice: with its button.
    assert (shown.count("This browser"), shown.count("Firefox Mobile on Android")) == (1, 4)
    assert "“Sign out everywhere else” ends them all." in shown


def test_a_page_notes_the_moment_only_every_ten_minutes(member: User, travel: Travel) -> None:
    browser = sign_in(member)
    seen = browser.session["seen"]
    travel(minutes=9)
    browser.get(HOME)
    assert browser.session["seen"] == seen
    travel(minutes=2)
    browser.get(HOME)
    assert browser.session["seen"]["at"] > seen["at"]
    assert browser.session["seen"]["began"] == seen["began"]


@pytest.mark.parametrize("user_agent", ["", "x" * 256, "curl/8.5.0", "\u00fc"])
def test_every_user_agent_has_some_words(user_agent: str) -> None:
    assert describe_device(user_agent)


def sign_in(user: User, user_agent: str = EDGE, address: str = "192.0.2.7") -> Client:
    """A browser that has just come in, and looked at Home."""
    browser = Client(headers={"User-Agent": user_agent}, REMOTE_ADDR=address)
    browser.force_login(user)
    browser.get(HOME)
    return browser


def cookie_of(browser: Client) -> str:
    return browser.cookies[settings.SESSION_COOKIE_NAME].value


def opens(cookie: str | None) -> bool:
    """Whether a browser that has this cookie is signed in."""
    browser = Client()
    browser.cookies[settings.SESSION_COOKIE_NAME] = cookie or ""
    return browser.get(HOME).status_code == 200


def is_in(browser: Client) -> bool:
    return browser.get(HOME).status_code == 200


def test_no_table_statement_or_log_holds_a_cookie(member: User, stranger: User) -> None:
    with watching() as everything:
        browser = sign_in(member)
        cookie, other_cookie = cookie_of(browser), cookie_of(sign_in(stranger))
        for page in ("/console/settings/", "/console/settings/sessions/", "/console/connectors/"):
            everything.saw(browser.get(page))
    assert everything.where(cookie) == everything.where(other_cookie) == []


def test_without_the_secret_key_no_row_opens(member: User, settings: Settings) -> None:
    cookie = cookie_of(sign_in(member))
    assert opens(cookie)
    assert not opens(Session.objects.get().pk), "the key of a row is no cookie"
    settings.SECRET_KEY = "another-key-of-fifty-characters-or-so-for-this-test"
    assert not opens(cookie)


def test_a_new_key_ends_the_old_one_and_keeps_what_was_in_the_session(member: User) -> None:
    browser = sign_in(member)
    cookie = cookie_of(browser)
    session = browser.session
    session.cycle_key()
    session.save()
    assert not opens(cookie)
    assert opens(session.session_key)
    assert Session.objects.filter(user=member).count() == 1
    browser.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""
    browser.post("/accounts/logout/")
    assert not opens(session.session_key), "who signed out is out with the old cookie too"


def test_a_session_whose_time_is_over_opens_nothing_and_its_row_is_swept(member: User, travel: Travel) -> None:
    cookie = cookie_of(sign_in(member))
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


def test_a_session_that_ended_during_a_request_stays_ended(member: User, stranger: User) -> None:
    cookie = cookie_of(sign_in(member))
    under_way = SessionStore(cookie)
    under_way["something"] = "new"
    another = sign_in(stranger)
    sessions.end_all(user=member)
    assert is_in(another)
    with pytest.raises(UpdateError):
        under_way.save()
    assert not opens(cookie)
