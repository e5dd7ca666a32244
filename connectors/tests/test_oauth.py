"""Sign-in by OAuth, door by door: what is asked, the consent page, and the code, which works once."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from accounts.tests.factories import verify
from connectors.models import AuthorizationCode, Connector, Grant, RefreshToken
from connectors.services import connectors, grants, oauth
from connectors.tests.factories import make_secret, person_of

AUTHORIZE, TOKEN = "/api/oauth/authorize", "/api/oauth/token"
BACK = "https://planner.example/callback?from=kaizala"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


@dataclass
class App:
    """A program that signs its users in, and one browser."""

    connector: Connector
    secret: str
    browser: Client

    def ask(self, path: str = AUTHORIZE, **parameters: str) -> Any:
        return self.browser.get(path, {"client_id": str(self.connector.pk), "redirect_uri": BACK, **parameters})

    def consent_page(self, **parameters: str) -> str:
        answer = self.ask(**parameters)
        assert answer.status_code == 302, answer.content
        assert answer["Location"].startswith("/console/consent/")
        return str(answer["Location"])

    def answer(self, page: str, user: User, decision: str = "allow") -> Any:
        return self.browser.post(page, {"decision": decision, "person": str(person_of(user).pk)})

    def code(self, user: User, **parameters: str) -> str:
        answer = self.answer(self.consent_page(**parameters), user)
        assert answer.status_code == 302, answer.content.decode()
        return query_of(answer)["code"]

    def redeem(self, code: str, **other: str | None) -> Any:
        body = {"client_id": str(self.connector.pk), "client_secret": self.secret, "code": code, **other}
        return post_form({name: value for name, value in body.items() if value is not None})


def query_of(answer: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(answer["Location"]).query).items()}


def post_form(body: dict[str, str], **headers: str) -> Any:
    return Client().post(TOKEN, urlencode(body), content_type="application/x-www-form-urlencoded", headers=headers)


@pytest.fixture
def app(connector: Connector, member: User, browser_of: Callable[..., Client]) -> App:
    """The developer's program; its user's browser is signed in and freshly confirmed."""
    Connector.objects.update(redirect_urls=[BACK])
    connector.refresh_from_db()
    return App(connector, make_secret(connector)[1], browser_of(member))


def refused(answer: Any, status: int, oauth_code: str) -> str:
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert set(body) == {"message", "errorCode", "errorCategoryKey", "error", "error_description"}
    assert body["error"] == oauth_code
    message: str = body["message"]
    return message


# ---------------------------------------------------------------- The whole way


def test_a_person_allows_it_and_the_program_gets_a_user_token(
    app: App, member: User, travel: Callable[..., dt.datetime]
) -> None:
    travel()
    page = app.consent_page(state="a b&c")
    shown = app.browser.get(page)
    text = shown.content.decode()
    assert "can post messages" in text
    assert "cannot send media" in text
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
    exchanged = Client().get(
        "/v1/accessToken",
        headers={
            "applicationId": str(app.connector.pk),
            "applicationSecret": app.secret,
            "refreshToken": body["refreshToken"],
        },
    )
    assert exchanged.status_code == 200
    event = AuditEvent.objects.get(tag="grant:user:agreed")
    assert (event.actor_kind, event.actor_id) == ("user", str(member.pk))


@pytest.mark.parametrize("path", ["/api/Oauth/Authorize", "/API/OAUTH/AUTHORIZE/", "/api/oauth//authorize"])
def test_the_path_may_be_written_in_any_case(app: App, path: str) -> None:
    assert app.ask(path).status_code == 302


def test_a_signed_out_person_signs_in_first_and_comes_back_to_the_question(
    app: App, member: User, browser_of: Any
) -> None:
    app.browser = Client()
    page = app.consent_page(state="s" * 1900)
    answer = app.browser.get(page)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")
    app.browser.force_login(member)
    assert app.browser.get(page).status_code == 200


def test_allowing_asks_for_a_fresh_confirmation_and_refusing_does_not(app: App, member: User, browser_of: Any) -> None:
    app.browser = browser_of(member, confirmed=False)
    page = app.consent_page()
    assert app.answer(page, member)["Location"].startswith("/console/confirm/")
    assert not AuthorizationCode.objects.exists()
    assert query_of(app.answer(page, member, "deny"))["error"] == "access_denied"


def test_who_has_no_phone_yet_adds_one_first(app: App, organisation: Any, browser_of: Any) -> None:
    from accounts.tests.factories import make_user

    app.browser = browser_of(make_user("New", organisation, number=None))
    assert app.browser.get(app.consent_page())["Location"].startswith("/console/?next=")


# ---------------------------------------------------------------- Saying no


def test_saying_no_sends_back_the_error_and_the_state(app: App, member: User) -> None:
    answer = app.answer(app.consent_page(state="xyz"), member, "deny")
    assert answer["Location"].startswith(BACK + "&error=access_denied")
    assert query_of(answer)["state"] == "xyz"
    assert not AuthorizationCode.objects.exists()


@pytest.mark.parametrize(
    "redirect",
    [
        "",
        "https://planner.example/callback",
        BACK + "&x=1",
        BACK + "#",
        BACK.upper(),
        "https://evil.example/",
        "//evil.example",
        "javascript:alert(1)",
    ],
)
def test_a_redirect_that_is_not_the_registered_one_to_the_letter_sends_nobody_anywhere(app: App, redirect: str) -> None:
    answer = app.ask(redirect_uri=redirect)
    assert answer.status_code == 400
    assert "Location" not in answer
    assert app.ask(redirect_uri=redirect, response_type="token").status_code == 400


@pytest.mark.parametrize("key", ["", "x", "0" * 32])
def test_an_unknown_connector_sends_nobody_anywhere(app: App, key: str) -> None:
    assert app.ask(client_id=key).status_code == 400


def test_an_address_that_comes_twice_sends_nobody_anywhere(app: App) -> None:
    query = f"client_id={app.connector.pk}&redirect_uri={BACK}&redirect_uri=https://evil.example/"
    assert app.browser.get(f"{AUTHORIZE}?{query}").status_code == 400


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"state": "s" * 2001}, "invalid_request"),
    ],
)
def test_what_the_program_got_wrong_goes_back_to_the_program(app: App, parameters: dict[str, str], error: str) -> None:
    answer = app.ask(**parameters)
    assert answer["Location"].startswith(BACK)
    assert query_of(answer)["error"] == error


def test_a_question_of_another_browser_is_none_here(app: App, stranger: User, browser_of: Any) -> None:
    page = app.consent_page()
    other = browser_of(stranger)
    assert other.get(page).status_code == 400
    assert other.post(page, {"decision": "allow"}).status_code == 400
    assert not AuthorizationCode.objects.exists()


def test_an_old_question_is_asked_anew(app: App, member: User, travel: Any, browser_of: Any) -> None:
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
    answer = app.browser.post(page, {"decision": "allow", "person": str(second.pk)})
    app.redeem(query_of(answer)["code"])
    assert Grant.objects.get().person == second


def test_the_consent_page_lets_its_form_lead_to_the_program_and_nowhere_else(app: App) -> None:
    policy = app.browser.get(app.consent_page())["Content-Security-Policy"]
    action = next(part for part in policy.split(";") if "form-action" in part)
    assert action.split()[1:] == ["'self'", "https://planner.example"]
    assert "frame-ancestors 'none'" in policy


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
def test_a_connector_that_takes_nobody_says_so(app: App, member: User, developer: User, stop: Any) -> None:
    page = app.consent_page()
    stop(connector=app.connector, by=developer)
    assert app.answer(page, member).status_code == 409
    assert not AuthorizationCode.objects.exists()


# ---------------------------------------------------------------- The code


def test_a_code_lives_sixty_seconds(app: App, member: User, travel: Any) -> None:
    travel()
    code = app.code(member)
    travel(seconds=59)
    assert app.redeem(code).status_code == 200
    code = app.code(member)
    travel(seconds=60)
    assert "expired" in refused(app.redeem(code), 400, "invalid_grant")


def test_a_code_that_comes_twice_ends_what_it_made(app: App, member: User) -> None:
    code = app.code(member)
    body = app.redeem(code).json()
    assert Client().get("/v1/groups", headers={"accessToken": body["accessToken"]}).status_code == 200
    refused(app.redeem(code), 400, "invalid_grant")
    assert Client().get("/v1/groups", headers={"accessToken": body["accessToken"]}).status_code == 401
    assert not RefreshToken.objects.filter(revoked_at=None).exists()
    assert AuditEvent.objects.filter(tag="grant:user:replayed").count() == 1
    refused(app.redeem(code), 400, "invalid_grant")
    assert AuditEvent.objects.filter(tag="grant:user:replayed").count() == 1


def test_a_replay_leaves_what_a_later_sign_in_made(app: App, member: User) -> None:
    first = app.code(member)
    app.redeem(first)
    later = app.redeem(app.code(member)).json()
    refused(app.redeem(first), 400, "invalid_grant")
    assert Client().get("/v1/groups", headers={"accessToken": later["accessToken"]}).status_code == 200


def test_a_code_is_for_its_own_connector_and_whoever_has_its_secret(app: App, member: User, developer: User) -> None:
    from connectors.tests.factories import make_connector

    code = app.code(member)
    other = make_connector(developer, "Other")
    secret = make_secret(other)[1]
    refused(app.redeem(code, client_id=str(other.pk), client_secret=secret), 400, "invalid_grant")
    refused(app.redeem(code, client_secret="wrong"), 401, "invalid_client")
    refused(app.redeem(code, client_secret=None), 401, "invalid_client")
    assert app.redeem(code).status_code == 200


@pytest.mark.parametrize("code", ["", "x", "é", "\x00", "a" * 5000])
def test_what_is_no_code_is_refused(app: App, code: str) -> None:
    answer = app.redeem(code)
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "InvalidParameters"


def test_pkce_needs_the_verifier_that_belongs_to_it(app: App, member: User) -> None:
    code = app.code(member, **PKCE)
    for wrong in (None, "w" * 43, CHALLENGE, "short", "v" * 129):
        refused(app.redeem(code, code_verifier=wrong), 400, "invalid_grant")
    assert app.redeem(code, code_verifier=VERIFIER).status_code == 200


def test_a_verifier_without_a_challenge_is_refused(app: App, member: User) -> None:
    refused(app.redeem(app.code(member), code_verifier=VERIFIER), 400, "invalid_grant")


def test_the_redirect_url_when_it_is_told_again_must_be_the_same(app: App, member: User) -> None:
    code = app.code(member)
    refused(app.redeem(code, redirect_uri="https://evil.example/"), 400, "invalid_grant")
    assert app.redeem(code, redirect_uri=BACK).status_code == 200


def test_id_and_secret_may_come_by_http_basic_and_a_body_as_json(app: App, member: User) -> None:
    basic = base64.b64encode(f"{app.connector.pk}:{app.secret}".encode()).decode()
    assert post_form({"code": app.code(member)}, Authorization=f"Basic {basic}").status_code == 200
    body = json.dumps({"Client_ID": str(app.connector.pk), "client_secret": app.secret, "code": app.code(member)})
    assert Client().post("/API/OAuth/Token/", body, content_type="text/plain").status_code == 200
    assert post_form({"code": "x"}, Authorization="Basic ???").status_code == 400


def test_refresh_tokens_are_traded_here_too(app: App, member: User) -> None:
    first = app.redeem(app.code(member)).json()
    client = {"client_id": str(app.connector.pk), "client_secret": app.secret}
    again = post_form({**client, "grant_type": "refresh_token", "refresh_token": first["refresh_token"]})
    assert again.json()["refresh_token"] == first["refresh_token"]
    assert again.json()["refreshToken"] == ""
    refused(post_form({**client, "grant_type": "refresh_token", "refresh_token": "x"}), 401, "invalid_grant")
    refused(post_form({**client, "grant_type": "password"}), 400, "unsupported_grant_type")


def test_the_number_must_still_be_the_persons(app: App, member: User) -> None:
    code = app.code(member)
    member.verified_phones.update(released_at=dt.datetime.now(dt.UTC), is_primary=False)
    refused(app.redeem(code), 400, "invalid_grant")
    assert not Grant.objects.exists()


def test_suspended_access_does_not_come_back_by_signing_in(app: App, member: User) -> None:
    app.redeem(app.code(member))
    grants.suspend(grant=Grant.objects.get(), by=member)
    refused(app.redeem(app.code(member)), 403, "invalid_grant")


def test_what_the_person_was_shown_is_what_the_program_gets(app: App, member: User) -> None:
    Connector.objects.update(permissions={"textmessage"})
    code = app.code(member)
    Connector.objects.update(permissions={"textmessage", "media"})
    assert app.redeem(code).json()["scope"] == "textmessage.read,textmessage.write"


def test_old_codes_are_forgotten(app: App, member: User, travel: Any) -> None:
    travel()
    app.code(member)
    travel(hours=23)
    assert oauth.forget_old() == 0
    travel(hours=2)
    assert oauth.forget_old() == 1


def test_neither_code_nor_token_is_written_down(app: App, member: User, caplog: Any) -> None:
    code = app.code(member)
    body = app.redeem(code).json()
    told = json.dumps([[e.before, e.after, e.subject_name] for e in AuditEvent.objects.all()]) + caplog.text
    stored = json.dumps(list(AuthorizationCode.objects.values()), default=str)
    for secret in (code, body["refreshToken"], body["accessToken"], app.secret):
        assert secret not in told + stored


@pytest.mark.django_db(transaction=True)
def test_one_code_at_the_same_moment_makes_one_token_and_then_none_lives(
    app: App, member: User, together: Callable[..., list[Any]]
) -> None:
    code = app.code(member)
    answers = together(4, lambda: app.redeem(code).status_code)
    assert answers.count(200) <= 1
    assert set(answers) <= {200, 400, 401}
    assert RefreshToken.objects.count() == 1
    assert not RefreshToken.objects.filter(revoked_at=None).exists(), "the others were replays"


# ---------------------------------------------------------------- The owner's page


def test_owners_can_require_pkce_and_then_nobody_signs_in_without(
    app: App, developer: User, member: User, browser_of: Any
) -> None:
    owner, page = browser_of(developer), reverse("connectors:sign_in", args=[app.connector.pk])
    assert "/api/oauth/authorize" in owner.get(page).content.decode()
    for _twice in range(2):
        assert owner.post(page, {"form": "pkce", "pkce_required": "on"}).status_code == 302
    assert query_of(app.ask())["error"] == "invalid_request"
    assert app.redeem(app.code(member, **PKCE), code_verifier=VERIFIER).status_code == 200
    changes = AuditEvent.objects.filter(tag="connector:details:changed")
    assert changes.count() == 1
    owner.post(page, {"form": "pkce"})
    assert app.ask()["Location"].startswith("/console/consent/")


def test_the_sign_in_page_is_the_owners_alone(app: App, stranger: User, browser_of: Any) -> None:
    page = reverse("connectors:sign_in", args=[app.connector.pk])
    nowhere = reverse("connectors:sign_in", args=["0192d3a4-0000-7000-8000-000000000000"])
    for browser in (browser_of(stranger), Client()):
        for method in (browser.get, browser.post):
            answers = [method(page), method(nowhere)]
            assert answers[0].status_code == answers[1].status_code != 200
    assert browser_of(stranger).post(page, {"pkce_required": "on"}).status_code == 404
    app.connector.refresh_from_db()
    assert not app.connector.pkce_required
