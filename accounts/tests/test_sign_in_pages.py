"""Signing in by the sandbox's identity page, through allauth; signing out; the SMS inbox."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import Http404
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts import sandbox
from accounts.models import AuditEvent, SandboxSms, User
from accounts.tests.pages import words
from accounts.views import sandbox as sandbox_pages
from kaizala_console.lib.tests.cast import BrowserOf

LOGIN = "/accounts/login/"
IDENTITIES = "/sandbox/identities"
SMS = "/sandbox/sms"


def begin(client: Client, next_path: str = "") -> str:
    """Presses the one button of the sign-in page and returns the address of the identity page."""
    page = client.get(LOGIN, {"next": next_path} if next_path else {})
    action = page.content.decode().partition('method="post" action="')[2].partition('"')[0].replace("&amp;", "&")
    answer = client.post(action, follow=True)
    return str(answer.redirect_chain[-1][0])


def signed_in_as(client: Client) -> str:
    user_id = client.session.get("_auth_user_id")
    return User.objects.get(pk=user_id).name if user_id else ""


def test_the_button_leads_to_the_identities_and_they_lead_back(client: Client, db: None) -> None:
    assert client.get("/accounts/dummy/login/?process=login").status_code == 200, "a link alone starts no sign-in"
    address = begin(client, "/console/settings/")
    assert urlsplit(address).path == IDENTITIES
    shown = words(client.get(address))
    for identity in sandbox.IDENTITIES:
        assert identity.name in shown
    answer = client.post(address, {"identity": "group-admin"})
    assert answer.headers["Location"] == "/console/settings/"
    user = User.objects.get()
    assert (user.name, user.subject) == ("Arjun Mehta", sandbox.BY_KEY["group-admin"].subject)
    assert signed_in_as(client) == "Arjun Mehta"
    assert AuditEvent.objects.filter(tag="user:session:started", actor_id=str(user.pk)).count() == 1
    assert client.post(address, {"identity": "group-admin"}).status_code == 302, "a second click"
    assert User.objects.get() == user


def test_nobody_becomes_more_by_choosing_an_identity(client: Client, db: None) -> None:
    for key in ("operator", "organisation-admin"):
        Client().post(IDENTITIES, {"identity": key})
    assert User.objects.count() == 2
    assert not User.objects.filter(is_staff=True).exists()
    assert not User.objects.filter(is_organisation_admin=True).exists()


def test_free_entry_makes_a_person_that_is_the_same_the_next_time(db: None) -> None:
    for typed in ("Nisha.Patel@contoso.example", "nisha.patel@contoso.example"):
        client = Client()
        client.post(begin(client), {"name": "Nisha Patel", "email": typed})
        assert signed_in_as(client) == "Nisha Patel"
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "typed",
    [{}, {"name": "", "email": "a@b.example"}, {"name": "Nisha", "email": "no address"}, {"identity": "nobody"},
     {"name": "x" * 121, "email": "a@b.example"}],
)  # fmt: skip
def test_an_entry_that_is_none_signs_nobody_in(client: Client, db: None, typed: dict[str, str]) -> None:
    answer = client.post(begin(client), typed)
    assert answer.status_code == 400
    assert "Something needs your attention" in words(answer)
    assert not User.objects.exists()


@pytest.mark.parametrize("next_path", ["https://evil.example/", "//evil.example/x", "/\\evil.example"])
def test_the_sign_in_never_leads_to_another_site(client: Client, db: None, next_path: str) -> None:
    for address in (begin(client, next_path), f"{IDENTITIES}?state=forged"):
        assert client.post(address, {"identity": "member"}).headers["Location"] == "/console/"


def test_another_site_cannot_sign_anybody_in(db: None) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post(IDENTITIES, {"identity": "member"}).status_code == 403
    assert not User.objects.exists()


def test_signing_out_ends_the_session_and_empties_the_browsers_cache(member: User, browser_of: BrowserOf) -> None:
    browser = browser_of(member)
    assert browser.get("/accounts/logout/").status_code == 200, "a link alone signs nobody out"
    assert browser.get("/console/signed-out/").headers["Location"] == "/console/"
    answer = browser.post("/accounts/logout/", follow=True)
    assert [step[0] for step in answer.redirect_chain] == ["/console/signed-out/"]
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert browser.get("/console/settings/").status_code == 302
    assert browser.post("/accounts/logout/").status_code == 302  # a second click


def test_the_inbox_shows_the_newest_sms_first_and_changes_only_when_something_arrived(client: Client, db: None) -> None:
    assert client.get(f"{SMS}?seen=0").status_code == 204
    SandboxSms.objects.create(number="+919820012345", text="111111 is your PIN for Kaizala Console.")
    newest = SandboxSms.objects.create(number="+919820012346", text="222222 is your PIN for Kaizala Console.")
    page = client.get(SMS)
    shown = words(page)
    assert shown.index("222222") < shown.index("111111")
    assert "+91 98200 12345" in shown
    assert "no-store" in page.headers["Cache-Control"]
    assert "222222" in words(client.get(f"{SMS}?seen=0"))
    assert client.get(f"{SMS}?seen={newest.pk}").status_code == 204


@pytest.mark.parametrize("view", [sandbox_pages.sms, sandbox_pages.identities, sandbox_pages.authenticate])
def test_outside_of_a_sandbox_these_pages_are_not_there(
    view: Callable[..., object], settings: Settings, rf: RequestFactory
) -> None:
    settings.SANDBOX = False
    with pytest.raises(Http404):
        view(rf.get("/sandbox/"))


def test_the_raw_form_of_the_dummy_provider_is_out_of_reach(client: Client, db: None) -> None:
    answer = client.get("/accounts/dummy/authenticate/?state=abc")
    assert urlsplit(answer.headers["Location"]).path == IDENTITIES
    assert parse_qs(urlsplit(answer.headers["Location"]).query) == {"state": ["abc"]}
    assert client.post("/accounts/dummy/authenticate/?state=abc", {"id": "1"}).status_code == 405
