"""Where somebody is signed in, and ending it there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, Session, User
from accounts.models.session import row_key
from accounts.services import sessions
from accounts.tests.pages import words
from accounts.views.sessions import describe_device
from kaizala_console.lib import clock

SESSIONS = "/console/settings/sessions/"
HOME = "/console/"
FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:131.0) Gecko/131.0 Firefox/131.0"
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
    "Safari/537.36 Edg/130.0.0.0"
)


def sign_in(user: User, user_agent: str = EDGE, address: str = "192.0.2.7") -> Client:
    """A browser that has just come in, and looked at Home."""
    browser = Client(headers={"User-Agent": user_agent}, REMOTE_ADDR=address)
    browser.force_login(user)
    browser.get(HOME)
    return browser


def is_in(browser: Client) -> bool:
    return browser.get(HOME).status_code == 200


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


def test_nobody_ends_the_session_of_another(member: User, stranger: User) -> None:
    theirs = sign_in(member)
    assert sign_in(stranger).post(f"{SESSIONS}{key_of(theirs)}/end/").status_code == 404
    sign_in(stranger).post(f"{SESSIONS}end-others/")
    assert is_in(theirs)


def test_the_list_of_another_is_not_shown(member: User, stranger: User) -> None:
    sign_in(member, FIREFOX)
    assert "Firefox" not in words(sign_in(stranger).get(SESSIONS))


@pytest.mark.postgresql
def test_a_session_that_was_signed_out_is_gone_from_the_list(member: User) -> None:
    here, there = sign_in(member), sign_in(member, FIREFOX)
    there.post("/accounts/logout/")
    assert "Firefox" not in words(here.get(SESSIONS))


@pytest.mark.postgresql
def test_a_session_whose_time_is_over_is_gone_from_the_list(member: User) -> None:
    here, there = sign_in(member), sign_in(member, FIREFOX)
    Session.objects.filter(pk=key_of(there)).update(expire_date=clock.now())
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


def test_a_page_notes_the_moment_only_every_ten_minutes(member: User, travel: Callable[..., object]) -> None:
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


def test_without_a_session_it_leads_to_the_sign_in(client: Client, db: None) -> None:
    for answer in (client.get(SESSIONS), client.post(f"{SESSIONS}1/end/"), client.post(f"{SESSIONS}end-others/")):
        assert answer.headers["Location"].startswith("/accounts/login/?next=")


def test_a_visitor_without_a_cookie_gets_none(client: Client, db: None) -> None:
    assert "session" not in client.get("/accounts/login/").cookies
