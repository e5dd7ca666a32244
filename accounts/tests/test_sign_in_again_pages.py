"""Before a phone number is changed one signs in again, and Office365 is really asked."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from accounts import queries, sandbox
from accounts.models import User, VerifiedPhone
from accounts.services import reauthentication
from accounts.tests import sign_in_walk
from accounts.tests.factories import verify
from accounts.tests.office365_server import Office365
from accounts.tests.pages import words
from kaizala_console.lib import clock
from kaizala_console.lib.tests.cast import BrowserOf, Travel

AGAIN = "/console/sign-in-again/"
ADD = "/console/phones/add/"
pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")]


@pytest.fixture
def long_ago(member: User, browser_of: BrowserOf) -> Client:
    """A browser that is signed in and freshly confirmed, but signed in a while ago."""
    return browser_of(member, recent=False)


def asked(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def test_it_holds_for_the_time_of_the_setting(
    member: User, browser_of: BrowserOf, travel: Travel, settings: Settings
) -> None:
    travel()
    browser = browser_of(member)
    travel(seconds=settings.SIGN_IN_AGAIN_SECONDS - 1)
    assert browser.get(ADD).status_code == 200
    travel(seconds=1)
    assert urlsplit(browser.get(ADD)["Location"]).path == AGAIN
    assert urlsplit(browser_of(member, confirmed=False).get(ADD)["Location"]).path == "/console/confirm/"


def test_who_gave_back_the_only_number_signs_in_again_but_has_nothing_to_confirm_with(
    member: User, browser_of: BrowserOf
) -> None:
    VerifiedPhone.objects.filter(user=member).update(is_primary=False, released_at=clock.now())
    assert urlsplit(browser_of(member, recent=False).get(ADD)["Location"]).path == AGAIN
    assert browser_of(member, confirmed=False).get(ADD).status_code == 200


def test_what_another_account_did_in_this_browser_does_not_count(
    member: User, stranger: User, browser_of: BrowserOf
) -> None:
    browser = browser_of(member)
    session = browser.session
    session["signed_in_at"] = {"user": stranger.pk, "at": clock.now().timestamp()}
    session.save()
    assert urlsplit(browser.get(ADD)["Location"]).path == AGAIN


def test_who_did_it_in_another_tab_goes_on_and_who_is_signed_out_signs_in(
    client: Client, member: User, browser_of: BrowserOf
) -> None:
    assert browser_of(member).get(f"{AGAIN}?next=/console/settings/")["Location"] == "/console/settings/"
    assert browser_of(member).get(f"{AGAIN}?next=https://evil.example/")["Location"] == "/console/"
    for method in (client.get, client.post):
        assert urlsplit(method(AGAIN)["Location"]).path == "/accounts/login/"


@pytest.fixture
def anita(office365: Office365, client: Client) -> Client:
    """Anita's browser, signed in for hours, with a phone number and a fresh confirmation."""
    sign_in_walk.sign_in_as(client, office365, "anita")
    user = User.objects.get(name="Anita Desai")
    verify(user)
    session = client.session
    reauthentication.remember_confirmation(session, user)
    session["signed_in_at"] = {"user": user.pk, "at": clock.now().timestamp() - 7200}
    session.save()
    return client


def says_when(office365: Office365, auth_time: Any) -> None:
    """The next id token of Anita has this `auth_time`."""
    tid, oid = User.objects.get(name="Anita Desai").subject.split(":")
    office365.add_person("anita", sign_in_walk.claims_of("Anita Desai", tid=tid, oid=oid, auth_time=auth_time))


def test_office365_is_told_to_ask_anew_and_the_form_is_still_there(anita: Client, office365: Office365) -> None:
    closed = anita.post(ADD, {"region": "IN", "number": "98200 12345"})["Location"]
    leaving = anita.post(closed)["Location"]
    assert leaving.startswith(office365.base_url)
    parameters = asked(leaving)
    assert (parameters["prompt"], parameters["max_age"]) == ("login", "0")
    assert parameters["code_challenge_method"] == "S256"
    before = anita.session.session_key
    answer = sign_in_walk.come_back(anita, office365.sign_in(leaving, "anita"))
    page = anita.get(answer["Location"])
    assert "Press “Generate PIN” to finish" in words(page), "the confirmation of before still counts"
    form = {"pending_form": page.context["pending"].id}
    assert "98200 12345" in words(anita.post(answer["Location"], form, follow=True))
    assert anita.session.session_key != before


def test_the_time_that_office365_names_is_believed_over_ours(anita: Client, office365: Office365) -> None:
    hour_ago = int(clock.now().timestamp()) - 3600
    says_when(office365, hour_ago)
    leaving = anita.post(AGAIN)["Location"]
    sign_in_walk.come_back(anita, office365.sign_in(leaving, "anita"))
    assert urlsplit(anita.get(ADD)["Location"]).path == AGAIN, "it let the browser in without asking anybody"
    says_when(office365, hour_ago + 3600)
    sign_in_walk.sign_in_as(anita, office365, "anita")
    assert anita.get(ADD).status_code == 200


def test_somebody_else_who_signs_in_lands_on_their_own_home_and_sees_no_form(
    anita: Client, office365: Office365
) -> None:
    office365.add_person("ravi", sign_in_walk.claims_of("Ravi Iyer"))
    closed = anita.post(ADD, {"region": "IN", "number": "98200 12345"})["Location"]
    leaving = anita.post(closed)["Location"]
    answer = sign_in_walk.come_back(anita, office365.sign_in(leaving, "ravi"))
    assert answer["Location"] == "/console/"
    assert anita.session["_auth_user_id"] == str(User.objects.get(name="Ravi Iyer").pk)
    kept = str(dict(anita.session))
    assert not re.search(r"98200.{0,3}12345", kept), "five digits alone also stand in digests and moments"
    assert "confirmed" not in anita.session


def test_office365_being_down_is_told_and_changes_nothing(anita: Client, settings: Settings) -> None:
    settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["settings"]["server_url"] = "http://127.0.0.1:9"
    answer = anita.post(AGAIN)
    assert answer.status_code == 503
    assert sign_in_walk.is_signed_in(anita)


@pytest.mark.parametrize("auth_time", ["soon", -1, True, 2**60, None])
def test_without_the_time_it_does_not_count_and_the_page_says_why(
    anita: Client, office365: Office365, auth_time: Any
) -> None:
    says_when(office365, auth_time)
    sign_in_walk.come_back(anita, office365.sign_in(anita.post(AGAIN)["Location"], "anita"))
    closed = anita.get(ADD)
    assert urlsplit(closed["Location"]).path == AGAIN
    assert "auth_time" in words(anita.get(closed["Location"]))
    anita.post("/accounts/logout/")
    sign_in_walk.sign_in_as(anita, office365, "anita")
    session = anita.session
    reauthentication.remember_confirmation(session, User.objects.get(name="Anita Desai"))
    session.save()
    assert urlsplit(anita.get(ADD)["Location"]).path == AGAIN, "signing out and in without a password does not count"


def test_the_sandbox_asks_by_its_identity_page(client: Client) -> None:
    client.post("/sandbox/identities", {"identity": "developer"})
    user = User.objects.get()
    assert user.subject == sandbox.BY_KEY["developer"].subject
    verify(user)
    session = client.session
    session["signed_in_at"] = {"user": user.pk, "at": clock.now().timestamp() - 7200}
    reauthentication.remember_confirmation(session, user)
    session.save()
    identities = client.post(f"{AGAIN}?next={ADD}", follow=True).redirect_chain[-1][0]
    assert urlsplit(identities).path == "/sandbox/identities"
    assert client.post(identities, {"identity": "developer"})["Location"] == ADD
    assert client.get(ADD).status_code == 200
    assert queries.held_phones(user).count() == 1
