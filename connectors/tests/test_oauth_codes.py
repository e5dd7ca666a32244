"""The code of a sign-in by OAuth: a minute, one use, the right program, the right proof."""

from __future__ import annotations

import base64
import datetime as dt
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, User
from connectors.models import AuthorizationCode, Connector, Grant, RefreshToken
from connectors.services import grants, oauth
from connectors.tests.factories import make_connector, make_secret
from connectors.tests.oauth_app import BACK, CHALLENGE, PKCE, VERIFIER, App, post_form, refused


@pytest.mark.postgresql
def test_a_code_lives_sixty_seconds(app: App, member: User, travel: Any) -> None:
    travel()
    code = app.code(member)
    travel(seconds=59)
    assert app.redeem(code).status_code == 200
    code = app.code(member)
    travel(seconds=60)
    assert "expired" in refused(app.redeem(code), 400, "invalid_grant")


@pytest.mark.postgresql
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


@pytest.mark.postgresql
def test_a_replay_leaves_what_a_later_sign_in_made(app: App, member: User) -> None:
    first = app.code(member)
    app.redeem(first)
    later = app.redeem(app.code(member)).json()
    refused(app.redeem(first), 400, "invalid_grant")
    assert Client().get("/v1/groups", headers={"accessToken": later["accessToken"]}).status_code == 200


def test_a_code_is_for_its_own_connector_and_whoever_has_its_secret(app: App, member: User, developer: User) -> None:
    code = app.code(member)
    other = make_connector(developer, "Other")
    secret = make_secret(other)[1]
    refused(app.redeem(code, client_id=str(other.pk), client_secret=secret), 400, "invalid_grant")
    refused(app.redeem(code, client_secret="wrong"), 401, "invalid_client")
    refused(app.redeem(code, client_secret=None), 401, "invalid_client")
    assert app.redeem(code).status_code == 200


@pytest.mark.postgresql
@pytest.mark.parametrize("code", ["", "x", "é", "\x00", "a" * 5000])
def test_what_is_no_code_is_refused(app: App, code: str) -> None:
    answer = app.redeem(code)
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "InvalidParameters"


def test_pkce_needs_the_verifier_that_belongs_to_it(app: App, member: User) -> None:
    code = app.code(member, **PKCE)
    refused(app.redeem(code), 400, "invalid_request")
    for wrong in ("w" * 43, CHALLENGE, "short", "v" * 129, "é" * 43):
        refused(app.redeem(code, code_verifier=wrong), 400, "invalid_grant")
    assert app.redeem(code, code_verifier=VERIFIER).status_code == 200


def test_a_verifier_without_a_challenge_is_refused(app: App, member: User) -> None:
    refused(app.redeem(app.code(member), code_verifier=VERIFIER), 400, "invalid_grant")


def test_the_redirect_url_is_told_again_and_must_be_the_same(app: App, member: User) -> None:
    """RFC 6749 §4.1.3."""
    code = app.code(member)
    for missing in (None, ""):
        assert "redirect" in refused(app.redeem(code, redirect_uri=missing), 400, "invalid_request")
    for wrong in ("https://evil.example/", "https://planner.example/callback", BACK + "&x=1"):
        refused(app.redeem(code, redirect_uri=wrong), 400, "invalid_grant")
    assert app.redeem(code, redirect_uri=BACK).status_code == 200


def test_a_program_without_its_secret_gets_nothing_pkce_or_not(app: App, member: User) -> None:
    """There are no public clients: every token request proves the connector's secret."""
    code = app.code(member, **PKCE)
    refused(app.redeem(code, client_secret=None, code_verifier=VERIFIER), 401, "invalid_client")
    first = app.redeem(code, code_verifier=VERIFIER).json()
    body = {"grant_type": "refresh_token", "client_id": str(app.connector.pk), "refresh_token": first["refresh_token"]}
    refused(post_form(body), 401, "invalid_client")


def test_id_and_secret_may_come_by_http_basic_and_a_body_as_json(app: App, member: User) -> None:
    basic = base64.b64encode(f"{app.connector.pk}:{app.secret}".encode()).decode()
    asked = {"code": app.code(member), "redirect_uri": BACK}
    assert post_form(asked, Authorization=f"Basic {basic}").status_code == 200
    client = {"Client_ID": str(app.connector.pk), "client_secret": app.secret, "redirectUri": BACK}
    body = json.dumps({**client, "code": app.code(member)})
    assert Client().post("/API/OAuth/Token/", body, content_type="text/plain").status_code == 200
    assert post_form({"code": "x"}, Authorization="Basic ???").status_code == 400


def test_refresh_tokens_are_traded_here_too(app: App, member: User) -> None:
    first = app.redeem(app.code(member)).json()
    client = {"client_id": str(app.connector.pk), "client_secret": app.secret}
    again = post_form({**client, "grant_type": "refresh_token", "refresh_token": first["refresh_token"]})
    assert again.json()["refresh_token"] == first["refresh_token"]
    assert again.json()["refreshToken"] == ""
    refused(post_form({**client, "grant_type": "refresh_token", "refresh_token": "x"}), 400, "invalid_grant")
    refused(post_form({**client, "grant_type": "password"}), 400, "unsupported_grant_type")


def test_the_number_must_still_be_the_persons(app: App, member: User) -> None:
    code = app.code(member)
    member.verified_phones.update(released_at=dt.datetime.now(dt.UTC), is_primary=False)
    refused(app.redeem(code), 400, "invalid_grant")
    assert not Grant.objects.exists()


@pytest.mark.postgresql
def test_suspended_access_does_not_come_back_by_signing_in(app: App, member: User) -> None:
    app.redeem(app.code(member))
    grants.suspend(grant=Grant.objects.get(), by=member)
    refused(app.redeem(app.code(member)), 400, "invalid_grant")


def test_what_the_person_was_shown_is_what_the_program_gets(app: App, member: User) -> None:
    Connector.objects.update(permissions={"textmessage"})
    code = app.code(member)
    Connector.objects.update(permissions={"textmessage", "media"})
    assert app.redeem(code).json()["scope"] == "textmessage.read,textmessage.write"


@pytest.mark.postgresql
def test_old_codes_are_forgotten(app: App, member: User, travel: Any) -> None:
    travel()
    app.code(member)
    travel(hours=23)
    assert oauth.delete_expired() == 0
    travel(hours=2)
    assert oauth.delete_expired() == 1


@pytest.mark.postgresql
@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_neither_code_nor_token_is_written_down(app: App, member: User, caplog: Any, level: str) -> None:
    """At DEBUG too, which operators may set: oauthlib's own lines would tell codes and refresh tokens."""
    caplog.handler.setLevel(level)
    logging.getLogger().setLevel(level)
    code = app.code(member, scope="groupinfo.read")
    body = app.redeem(code).json()
    client = {"client_id": str(app.connector.pk), "client_secret": app.secret, "grant_type": "refresh_token"}
    assert post_form({**client, "refresh_token": body["refreshToken"]}).status_code == 200
    refused(post_form({**client, "refresh_token": body["refreshToken"], "scope": "media.read"}), 400, "invalid_scope")
    refused(post_form({**client, "refresh_token": body["refreshToken"] + "x"}), 400, "invalid_grant")
    told = json.dumps([[e.before, e.after, e.subject_name] for e in AuditEvent.objects.all()]) + caplog.text
    stored = json.dumps(list(AuthorizationCode.objects.values()), default=str)
    for secret in (code, body["refreshToken"], body["accessToken"], app.secret):
        assert secret not in told + stored


def test_an_error_says_its_reason_in_the_characters_of_the_rfc(app: App, member: User) -> None:
    """RFC 6749 §5.2: printable ASCII, without quotation marks and backslashes."""
    Connector.objects.update(name="Schicht „Früh“ \\ पाली")
    app.redeem(app.code(member))
    grants.suspend(grant=Grant.objects.get(), by=member)
    answer = app.redeem(app.code(member))
    assert "Früh" in refused(answer, 400, "invalid_grant")
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", answer.json()["error_description"])


@pytest.mark.postgresql
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
