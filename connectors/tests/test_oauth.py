"""Sign-in by OAuth: what a program may ask, the consent page, and the owner's page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from accounts.tests.factories import make_user, verify
from connectors.models import AuthorizationCode, Connector, Grant
from connectors.services import connectors
from connectors.tests.factories import person_of
from connectors.tests.oauth_app import AUTHORIZE, BACK, CHALLENGE, PKCE, TOKEN, VERIFIER, App, query_of
from kaizala_console.lib import clock
from kaizala_console.lib.errors import RuleBroken

IN_UNICODE, IN_ASCII = "https://bücher.example/zurück?q=ä", "https://xn--bcher-kva.example/zur%C3%BCck?q=%C3%A4"


def test_who_allows_it_gives_the_program_a_token(app: App, member: User, travel: Callable[..., dt.datetime]) -> None:
    travel()
    page = app.consent_page(state="a b&c")
    shown = app.browser.get(page)
    text = shown.content.decode()
    assert "Post messages" in text
    assert "Send media" in text
    assert not Grant.objects.exists()
    answer = app.answer(page, member)
    assert answer["Location"].startswith("https://planner.example/callback?from=kaizala&")
    assert query_of(answer)["state"] == "a b&c"
    assert answer["Cache-Control"].startswith("max-age=0")
    assert not Grant.objects.exists(), "the code alone gives nothing"
    body = app.redeem(query_of(answer)["code"]).json()
    assert {"accessToken", "endpointUrl", "accessTokenExpiry", "refreshToken", "scope"} < set(body)
    assert (body["access_token"], body["refresh_token"]) == (body["accessToken"], body["refreshToken"])
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 86400)
    grant = Grant.objects.get()
    assert (grant.kind, grant.person, grant.granted_by) == ("user", person_of(member), member)
    program = {"applicationId": str(app.connector.pk), "applicationSecret": app.secret}
    exchanged = Client().get("/v1/accessToken", headers={**program, "refreshToken": body["refreshToken"]})
    assert exchanged.status_code == 200
    event = AuditEvent.objects.get(tag="grant:user:agreed")
    assert (event.actor_kind, event.actor_id) == ("user", str(member.pk))


def test_other_methods_than_get_are_not_allowed(app: App) -> None:
    for path in (AUTHORIZE, TOKEN):
        assert Client(enforce_csrf_checks=True).generic("QUERY", path).status_code == 405
    assert Client(enforce_csrf_checks=True).post(AUTHORIZE).status_code == 405


def test_who_is_signed_out_signs_in_first_and_comes_back_to_it(app: App, member: User) -> None:
    app.browser = Client()
    page = app.consent_page(state="s" * 1900)
    answer = app.browser.get(page)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")
    app.browser.force_login(member)
    assert app.browser.get(page).status_code == 200


def test_allowing_asks_for_a_fresh_confirmation_and_refusing_does_not(app: App, member: User, browser_of: Any) -> None:
    app.browser = browser_of(member, confirmed=False)
    page = app.consent_page(state="xyz")
    assert app.answer(page, member)["Location"].startswith("/console/confirm/")
    refusal = app.answer(page, member, "deny")
    assert refusal["Location"].startswith(BACK + "&error=access_denied")
    assert query_of(refusal)["state"] == "xyz"
    assert not AuthorizationCode.objects.exists()


def test_who_has_no_phone_yet_adds_one_first(app: App, organisation: Any, browser_of: Any) -> None:
    app.browser = browser_of(make_user("New", organisation, number=None))
    assert app.browser.get(app.consent_page())["Location"].startswith("/console/?next=")


@pytest.mark.parametrize(
    "question",
    [
        *({"client_id": key} for key in ("", "x", "0" * 32)),
        {"redirect_uri": ""},
        {"redirect_uri": "https://planner.example/callback"},
        {"redirect_uri": BACK + "&x=1"},
        {"redirect_uri": BACK + "#"},
        {"redirect_uri": BACK.upper()},
        {"redirect_uri": "//evil.example"},
        {"redirect_uri": "javascript:alert(1)"},
    ],
)
def test_without_a_known_program_and_address_nobody_is_sent_anywhere(app: App, question: dict[str, str]) -> None:
    for more in ({}, {"response_type": "token"}):
        answer = app.ask(**question, **more)
        assert answer.status_code == 400
        assert "Location" not in answer


def test_an_address_that_comes_twice_sends_nobody_anywhere(app: App) -> None:
    query = urlencode({"client_id": app.connector.pk, "redirect_uri": BACK})
    for again in ("redirect_uri=https://evil.example/", "Redirect_Uri=https://evil.example/", "scope=x&scope=y"):
        assert app.browser.get(f"{AUTHORIZE}?{query}&{again}").status_code == 400


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"state": "s" * 2001}, "invalid_request"),
        *(({"scope": scope}, "invalid_scope") for scope in ("everything", "groupinfo", "groupinfo.read media.read")),
    ],
)
def test_what_the_program_got_wrong_goes_back_to_the_program(app: App, parameters: dict[str, str], error: str) -> None:
    answer = app.ask(**{"state": "xyz", **parameters})
    assert answer["Location"].startswith(BACK)
    told = query_of(answer)
    assert told["error"] == error
    assert told.get("state", "xyz") == "xyz"


def test_a_question_of_another_browser_is_none_here(app: App, stranger: User, browser_of: Any) -> None:
    page = app.consent_page()
    other = browser_of(stranger)
    assert other.get(page).status_code == 400
    assert other.post(page, {"decision": "allow"}).status_code == 400
    assert not AuthorizationCode.objects.exists()


def test_an_old_question_is_asked_anew(app: App, travel: Any) -> None:
    travel()
    page = app.consent_page()
    travel(hours=1, seconds=1)
    assert app.browser.get(page).status_code == 400


def test_people_of_another_organisation_see_no_such_connector(app: App, outsider: User, browser_of: Any) -> None:
    app.browser = browser_of(outsider)
    page = app.consent_page()
    assert app.browser.get(page).status_code == 404
    assert app.answer(page, outsider).status_code == 404
    assert not AuthorizationCode.objects.exists()


def test_a_number_that_is_not_ones_own_cannot_be_chosen(app: App, stranger: User) -> None:
    assert app.answer(app.consent_page(), stranger).status_code == 400
    assert not AuthorizationCode.objects.exists()


def test_who_has_several_numbers_chooses(app: App, member: User) -> None:
    second = verify(member, is_primary=False).person
    page = app.consent_page()
    assert app.browser.get(page).content.decode().count('type="radio"') == 2
    answer = app.browser.post(page, {"decision": "allow", "person": str(second.pk), "shown": app.shown_on(page)})
    app.redeem(query_of(answer)["code"])
    assert Grant.objects.get().person == second


def test_the_consent_page_lets_its_form_lead_to_the_program_and_nowhere_else(app: App) -> None:
    policy = app.browser.get(app.consent_page())["Content-Security-Policy"]
    action = next(part for part in policy.split(";") if "form-action" in part)
    assert action.split()[1:] == ["'self'", "https://planner.example"]
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("lacks", ["a confirmation", "a number"])
def test_the_page_on_which_the_answer_waits_lets_its_form_lead_to_the_program_too(
    app: App, member: User, browser_of: Any, lacks: str
) -> None:
    app.browser = browser_of(member, confirmed=False)
    page = app.consent_page()
    allowed = {"decision": "allow", "person": str(person_of(member).pk), "shown": app.shown_on(page)}
    if lacks == "a number":
        member.verified_phones.update(released_at=clock.now(), is_primary=False)
        waits_at = query_of(app.browser.post(page, allowed))["next"]
        verify(member)
    else:
        waits_at = app.browser.post(page, allowed)["Location"]
    policy = app.browser.get(waits_at)["Content-Security-Policy"]
    assert "https://planner.example" in next(part for part in policy.split(";") if "form-action" in part)


@pytest.mark.parametrize("sent", [IN_UNICODE, IN_ASCII])
def test_a_host_beyond_ascii_is_shown_as_browsers_resolve_it(app: App, member: User, sent: str) -> None:
    """In punycode: a letter that looks like another is seen to be another."""
    connectors.update(connector=app.connector, by=app.connector.owner, redirect_urls=[IN_UNICODE])
    app.connector.refresh_from_db()
    assert app.connector.redirect_urls == [IN_ASCII]
    page = app.consent_page(redirect_uri=sent)
    shown = app.browser.get(page)
    assert "xn--bcher-kva.example" in shown.content.decode()
    assert "bücher" not in shown.content.decode()
    assert "https://xn--bcher-kva.example" in shown["Content-Security-Policy"]
    answer = app.answer(page, member)
    assert answer["Location"].startswith(IN_ASCII + "&code=")
    assert app.redeem(query_of(answer)["code"], redirect_uri=sent).status_code == 200
    assert app.ask(redirect_uri=sent, scope="x")["Location"].startswith(IN_ASCII + "&error=invalid_scope")


def test_a_host_that_browsers_do_not_resolve_is_no_redirect_url(app: App, developer: User) -> None:
    for url in ("https://ex\u200dample.com/", "https://büch er.example/", "https://" + "ü" * 70 + ".example/"):
        with pytest.raises(RuleBroken) as caught:
            connectors.update(connector=app.connector, by=developer, redirect_urls=[url])
        assert caught.value.field == "redirect_urls"


def test_pressing_allow_twice_is_once(app: App, member: User) -> None:
    page = app.consent_page()
    first, second = app.answer(page, member), app.answer(page, member)
    assert first["Location"] == second["Location"]
    assert AuthorizationCode.objects.count() == 1
    app.redeem(query_of(first)["code"])
    again = app.answer(page, member)
    assert again.status_code == 409
    assert "Start again from the program" in again.content.decode()


@pytest.mark.parametrize("stop", [connectors.suspend, connectors.deactivate])
def test_a_connector_that_takes_nobody_sends_back_an_error(app: App, member: User, developer: User, stop: Any) -> None:
    page = app.consent_page(state="xyz")
    stop(connector=app.connector, by=developer)
    answer = query_of(app.answer(page, member))
    assert (answer["error"], answer["state"]) == ("unauthorized_client", "xyz")
    assert not AuthorizationCode.objects.exists()


def test_who_has_just_come_by_a_number_is_let_wait(app: App, member: User) -> None:
    User.objects.filter(pk=member.pk).update(credentials_locked_until=clock.now() + dt.timedelta(hours=1))
    assert app.answer(app.consent_page(), member).status_code == 409
    assert not AuthorizationCode.objects.exists()


def test_owners_can_require_pkce_and_then_nobody_signs_in_without(app: App, member: User, owner: Client) -> None:
    page = reverse("connectors:sign_in", args=[app.connector.pk])
    assert "/api/oauth/authorize" in owner.get(page).content.decode()
    for _twice in range(2):
        assert owner.post(page, {"form": "pkce", "pkce_required": "on"}).status_code == 302
    assert owner.get(page).context["pkce_required"] is True
    assert query_of(app.ask())["error"] == "invalid_request"
    assert app.redeem(app.code(member, **PKCE), code_verifier=VERIFIER).status_code == 200
    assert AuditEvent.objects.filter(tag="connector:details:changed").count() == 1
    owner.post(page, {"form": "pkce"})
    assert app.ask()["Location"].startswith("/console/consent/")


def test_the_sign_in_page_is_the_owners_alone(app: App, stranger: User, browser_of: Any) -> None:
    page = reverse("connectors:sign_in", args=[app.connector.pk])
    nowhere = reverse("connectors:sign_in", args=["0192d3a4-0000-7000-8000-000000000000"])
    browser = browser_of(stranger)
    for address in (page, nowhere):
        assert browser.get(address).status_code == 404
        assert browser.post(address, {"form": "pkce", "pkce_required": "on"}).status_code == 404
    app.connector.refresh_from_db()
    assert not app.connector.pkce_required


def test_what_it_asks_for_meanwhile_is_shown_first(app: App, member: User) -> None:
    page = app.consent_page()
    shown = app.shown_on(page)
    Connector.objects.update(permissions={"textmessage", "groupmember", "groupinfo", "tenant"})
    answer = app.answer(page, member, shown=shown)
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "now asks for something else. Check it again." in text
    assert not AuthorizationCode.objects.exists()
    allowed = app.answer(page, member)  # as it stands on the page now
    body = app.redeem(query_of(allowed)["code"]).json()
    assert "tenant.read" in body["scope"]


@pytest.mark.parametrize("forged", ["", "textmessage,\0", "tenant,textmessage"])
def test_a_forged_list_gives_nothing_that_the_connector_does_not_ask_for(app: App, member: User, forged: str) -> None:
    page = app.consent_page()
    answer = app.answer(page, member, shown=forged)
    assert answer.status_code == 409
    assert not AuthorizationCode.objects.exists()
    assert not Grant.objects.exists()
