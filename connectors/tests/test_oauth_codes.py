"""The code of a sign-in by OAuth: a minute, one use, the right program, the right proof."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, User
from connectors.models import AuthorizationCode, Connector, Grant, RefreshToken
from connectors.services import grants, oauth
from connectors.tests.factories import make_connector, make_secret
from connectors.tests.oauth_app import BACK, CHALLENGE, PKCE, VERIFIER, App, post_form, refused


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
