"""What a program gets for the code of a sign-in by OAuth: a minute, one use, and the scopes that the person saw."""

from __future__ import annotations

import base64
import datetime as dt
import json
import logging
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from authlib.integrations.requests_client import OAuth2Session
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from accounts.models import AuditEvent, User
from connectors import authentication
from connectors.models import AuthorizationCode, Connector, Grant, RefreshToken, Webhook
from connectors.permissions import ALL_SCOPES, PERMISSIONS, from_bits, list_scopes, to_bits
from connectors.services import access_requests, grants, oauth, permissions, user_tokens
from connectors.tests.factories import make_connector, make_secret, person_of
from connectors.tests.oauth_app import BACK, CHALLENGE, PKCE, VERIFIER, App, post_form, query_of, refused
from connectors.webhooks.authorization import inactive_reason
from kaizala_console.lib import clock

Travel = Callable[..., dt.datetime]
ASKED = "groupinfo.read textmessage.write"


@pytest.mark.postgresql
def test_a_code_lives_sixty_seconds(app: App, member: User, travel: Any) -> None:
    travel()
    code = app.code(member)
    travel(seconds=59)
    answer = app.redeem(code)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"], "RFC 6749 §5.1"
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
    """There are no public clients: every token request proves the connector's secret, PKCE or not."""
    code, with_pkce = app.code(member), app.code(member, **PKCE)
    refused(app.redeem(with_pkce, client_secret=None, code_verifier=VERIFIER), 401, "invalid_client")
    other = make_connector(developer, "Other")
    secret = make_secret(other)[1]
    refused(app.redeem(code, client_id=str(other.pk), client_secret=secret), 400, "invalid_grant")
    refused(app.redeem(code, client_secret="wrong"), 401, "invalid_client")
    refused(app.redeem(code, client_secret=None), 401, "invalid_client")
    answer = app.redeem(code)
    assert answer.status_code == 200
    body = {"grant_type": "refresh_token", "client_id": str(app.connector.pk)}
    refused(post_form({**body, "refresh_token": answer.json()["refresh_token"]}), 401, "invalid_client")


@pytest.mark.postgresql
@pytest.mark.parametrize("code", ["", "é", "\x00", "a" * 5000])
def test_what_is_no_code_is_refused(app: App, code: str) -> None:
    answer = app.redeem(code)
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "InvalidParameters"
    assert "no-store" in answer["Cache-Control"]


def test_pkce_needs_the_verifier_that_belongs_to_it(app: App, member: User) -> None:
    code = app.code(member, **PKCE)
    refused(app.redeem(code), 400, "invalid_request")
    for wrong in ("w" * 43, CHALLENGE, "short", "v" * 129, "é" * 43):
        refused(app.redeem(code, code_verifier=wrong), 400, "invalid_grant")
    assert app.redeem(code, code_verifier=VERIFIER).status_code == 200
    refused(app.redeem(app.code(member), code_verifier=VERIFIER), 400, "invalid_grant")


def test_the_redirect_url_is_told_again_and_must_be_the_same(app: App, member: User) -> None:
    """RFC 6749 §4.1.3."""
    code = app.code(member)
    for missing in (None, ""):
        assert "redirect" in refused(app.redeem(code, redirect_uri=missing), 400, "invalid_request")
    for wrong in ("https://evil.example/", "https://planner.example/callback", BACK + "&x=1"):
        refused(app.redeem(code, redirect_uri=wrong), 400, "invalid_grant")
    assert app.redeem(code, redirect_uri=BACK).status_code == 200


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
    refused(post_form({**client, "grant_type": "refresh_token"}), 400, "invalid_request")
    refused(post_form({**client, "grant_type": "password"}), 400, "unsupported_grant_type")


def test_the_number_must_still_be_the_persons(app: App, member: User) -> None:
    code = app.code(member)
    member.verified_phones.update(released_at=dt.datetime.now(dt.UTC), is_primary=False)
    refused(app.redeem(code), 400, "invalid_grant")
    assert not Grant.objects.exists()


def test_a_program_gets_what_the_person_saw_as_far_as_the_connector_still_asks_for_it(app: App, member: User) -> None:
    page = app.consent_page()
    shown = app.shown_on(page)
    Connector.objects.update(permissions={"textmessage"})
    code = query_of(app.answer(page, member, shown=shown))["code"]
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
def test_one_code_at_the_same_moment_leaves_no_token(
    app: App, member: User, together: Callable[..., list[Any]]
) -> None:
    code = app.code(member)
    answers = together(4, lambda: app.redeem(code).status_code)
    assert answers.count(200) <= 1
    assert set(answers) <= {200, 400, 401}
    assert RefreshToken.objects.count() == 1
    assert not RefreshToken.objects.filter(revoked_at=None).exists(), "the others were replays"


@pytest.mark.usefixtures("patient_counters")
def test_a_limit_that_is_reached_keeps_the_code(app: App, member: User, settings: Any, travel: Travel) -> None:
    """The code was for nothing if it were used up, and the program that obeys Retry-After would end its own token."""
    settings.THROTTLE_CONNECTOR_PER_MINUTE = 1
    travel(seconds=120 - travel().second)  # a minute begins
    first = app.redeem(app.code(member)).json()
    travel(seconds=10)
    code = app.code(member)
    throttled = app.redeem(code)
    assert throttled.status_code == 429
    assert RefreshToken.objects.get(revoked_at=None).expires_at, "the one before goes on"
    travel(seconds=int(throttled["Retry-After"]))
    second = app.redeem(code)
    assert second.status_code == 200, second.content
    assert second.json()["refreshToken"] != first["refreshToken"]
    called = Client().get("/v1/groups", headers={"accessToken": second.json()["accessToken"]})
    assert called.status_code == 200


def test_pkce_is_required_of_codes_that_are_under_way(app: App, member: User, developer: User) -> None:
    without, with_it = app.code(member), app.code(member, **PKCE)
    oauth.require_pkce(connector=app.connector, required=True, by=developer)
    assert "PKCE" in refused(app.redeem(without), 400, "invalid_grant")
    assert app.redeem(with_it, code_verifier=VERIFIER).status_code == 200


@pytest.fixture
def signed_in(app: App, member: User) -> dict[str, Any]:
    """The answer to a program that asked for two scopes of the connector's."""
    return token_of(app, member, ASKED)


def token_of(app: App, user: User, scope: str) -> dict[str, Any]:
    parameters = {"scope": scope} if scope else {}
    answer = app.redeem(app.code(user, **parameters), grant_type="authorization_code")
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def refresh(app: App, token: dict[str, Any], **parameters: str) -> Any:
    client = {"client_id": str(app.connector.pk), "client_secret": app.secret}
    return post_form({**client, "grant_type": "refresh_token", "refresh_token": token["refresh_token"], **parameters})


def call(token: dict[str, Any], method: str = "GET", path: str = "/v1/groups", **more: Any) -> Any:
    return Client().generic(method, path, headers={"accessToken": token["access_token"]}, **more)


def test_only_the_scopes_that_were_asked_for_are_given(app: App, member: User) -> None:
    code = app.code(member, scope=ASKED)
    assert AuthorizationCode.objects.get().scope == ASKED
    body = app.redeem(code, grant_type="authorization_code").json()
    assert body["scope"] == ASKED
    grant = Grant.objects.get()
    assert grant.scope == ASKED
    assert {str(permission) for permission in grant.permissions} == {"groupinfo", "textmessage"}
    assert authentication.get_access_context(body["access_token"]).scopes == set(ASKED.split())
    assert AuditEvent.objects.get(tag="grant:user:agreed").after["scope"] == ASKED


def test_a_program_that_calls_as_the_old_documentation_says_gets_commas(app: App, member: User) -> None:
    """Who sends `grant_type`, which RFC 6749 requires, gets spaces; Kaizala's documentation has no such field."""
    token = app.redeem(app.code(member, scope=ASKED)).json()
    assert token["scope"] == ASKED.replace(" ", ",")
    credentials = {"applicationId": str(app.connector.pk), "applicationSecret": app.secret}
    exchanged = Client().get("/v1/accessToken", headers={**credentials, "refreshToken": token["refreshToken"]})
    assert exchanged.json()["scope"] == token["scope"]


@pytest.mark.parametrize("scope", ["groupinfo.read,textmessage.write", "textmessage.write  groupinfo.read"])
def test_scopes_may_be_written_in_any_order_and_with_commas(app: App, member: User, scope: str) -> None:
    assert token_of(app, member, scope)["scope"] == ASKED


def test_the_consent_page_shows_what_is_asked_for_and_not_more(app: App) -> None:
    text = app.browser.get(app.consent_page(scope="groupinfo.read textmessage.read textmessage.write")).content.decode()
    assert "Group Information: read" in text
    assert "Post messages" in text
    assert "Read, create, edit and delete groups and their details" not in text
    assert app.shown_on(app.consent_page(scope=ASKED)) == ASKED


def test_what_the_connector_lost_since_the_question_sends_back_an_error(app: App, member: User) -> None:
    page = app.consent_page(scope="groupmember.read")
    shown = app.shown_on(page)
    Connector.objects.update(permissions={"textmessage"})
    assert query_of(app.answer(page, member, shown=shown))["error"] == "invalid_scope"
    assert not AuthorizationCode.objects.exists()


def test_a_scope_that_was_not_given_is_a_lacking_permission(signed_in: dict[str, Any]) -> None:
    Connector.objects.update(permissions={"groupinfo", "textmessage"})
    assert call(signed_in).status_code == 200
    answer = call(signed_in, "POST", data='{"name": "Ward 3"}', content_type="application/json")
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "Unauthorized")
    assert '"Group Information" (groupinfo.write)' in answer.json()["message"]
    lacking = call(signed_in, path="/v1/users/me")
    assert (lacking.status_code, lacking.json()["errorCode"]) == (403, "Unauthorized")


def test_more_that_a_person_approves_later_is_added(app: App, signed_in: dict[str, Any], member: User) -> None:
    permissions.change(
        connector=app.connector, permissions=["groupinfo", "textmessage", "media"], by=app.connector.owner
    )
    request = Grant.objects.get().requests.get()
    access_requests.approve_more(request=request, by=member, permissions=["media"])
    assert authentication.get_access_context(signed_in["access_token"]).scopes == {
        *ASKED.split(),
        "media.read",
        "media.write",
    }


def test_a_permission_that_the_connector_loses_is_lost_here_too(signed_in: dict[str, Any]) -> None:
    Connector.objects.update(permissions={"groupinfo"})
    assert authentication.get_access_context(signed_in["access_token"]).scopes == {"groupinfo.read"}
    Connector.objects.update(permissions={"media"})
    assert authentication.get_access_context(signed_in["access_token"]).scopes == set()


def test_who_signs_in_again_gives_what_is_asked_this_time(app: App, member: User, signed_in: dict[str, Any]) -> None:
    again = token_of(app, member, "groupmember.read")
    assert authentication.get_access_context(again["access_token"]).scopes == {"groupmember.read"}
    whole = token_of(app, member, "")
    assert whole["scope"].split() == list_scopes(app.connector.permissions)
    assert authentication.get_access_context(whole["access_token"]).scopes == set(whole["scope"].split())
    assert Grant.objects.get().scope == ""


def test_a_sign_in_gives_no_more_than_it_asked_of_what_a_second_admin_confirmed(
    app: App, organisation_admin: User, second_admin: User, browser_of: Any
) -> None:
    Connector.objects.update(permissions=PERMISSIONS)
    app.connector.refresh_from_db()
    person = person_of(organisation_admin)
    request = user_tokens.ask(connector=app.connector, person=person, by=organisation_admin)
    user_tokens.confirm(request=request, by=second_admin)
    app.browser = browser_of(organisation_admin)
    body = token_of(app, organisation_admin, "groupinfo.read")
    assert authentication.get_access_context(body["access_token"]).scopes == {"groupinfo.read"}
    request = user_tokens.ask(connector=app.connector, person=person, by=organisation_admin)
    user_tokens.confirm(request=request, by=second_admin)
    assert Grant.objects.get().scope == "", "what the two admins agree on in the console is all of it"


def test_a_webhook_goes_on_only_with_a_scope_of_webhooks(app: App, member: User) -> None:
    Connector.objects.update(permissions={"groupinfo", "webhook"})
    token_of(app, member, "groupinfo.read webhook.read")
    grant = Grant.objects.select_related("connector").get()
    webhook = Webhook(grant=grant, connector=grant.connector, expires_at=clock.now().replace(year=2100))
    assert inactive_reason(webhook, clock.now()) == ""
    grant.scope = "groupinfo.read"
    assert inactive_reason(webhook, clock.now()) == Webhook.InactiveReason.PERMISSION


def test_a_refresh_may_ask_for_less_and_the_refresh_token_keeps_all(app: App, signed_in: dict[str, Any]) -> None:
    less = refresh(app, signed_in, scope="groupinfo.read").json()
    assert less["scope"] == "groupinfo.read"
    assert authentication.get_access_context(less["access_token"]).scopes == {"groupinfo.read"}
    assert call(less).status_code == 200
    assert call(less, "POST", "/v1/groups/x/messages", data="{}").status_code == 403
    assert refresh(app, less).json()["scope"] == ASKED


def test_a_refresh_may_not_ask_for_more(app: App, signed_in: dict[str, Any]) -> None:
    for more in (f"{ASKED} groupinfo.write", "groupmember.read", "everything"):
        refused(refresh(app, signed_in, scope=more), 400, "invalid_scope")


def test_a_bots_token_is_cut_down_as_the_one_that_asked_for_it(app: App, member: User) -> None:
    Connector.objects.update(permissions={"groupinfo", "textmessage", "media"})
    token = token_of(app, member, "groupinfo.read groupinfo.write textmessage.write media.read")
    bot = call(token, "POST", "/v1/bot", data='{"name": "Rota"}', content_type="application/json").json()
    for scope, expected in (
        ("", {"textmessage.write", "media.read"}),
        ("groupinfo.read textmessage.write", {"textmessage.write"}),
    ):
        caller = refresh(app, token, **({"scope": scope} if scope else {})).json()
        given = call(caller, path=f"/v1/bot/accessToken/{bot['id']}").json()
        assert set(given["scope"].split(",")) == expected
        assert authentication.get_access_context(given["accessToken"]).scopes == expected


def test_each_scope_keeps_its_bit() -> None:
    """Access tokens say by these bits what they were narrowed to: a new scope takes the next one."""
    assert from_bits(1) == {"groupinfo.read"}
    assert from_bits(1 << 25) == {"reaction.write"}
    assert from_bits(to_bits(["media.read", "tenant.remove"])) == {"media.read", "tenant.remove"}
    assert len(ALL_SCOPES) == 26, "31 at the most"


@pytest.mark.parametrize("auth_method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.django_db(transaction=True)
def test_authlib_completes_the_flow_and_refreshes(
    live_server: LiveServer, connector: Connector, member: User, browser_of: Any, auth_method: str
) -> None:
    Connector.objects.update(redirect_urls=[BACK], pkce_required=True)
    library = OAuth2Session(
        str(connector.pk),
        make_secret(connector)[1],
        redirect_uri=BACK,
        code_challenge_method="S256",
        token_endpoint_auth_method=auth_method,
        token_endpoint=f"{live_server}/api/oauth/token",
    )
    verifier = "a-verifier-that-is-long-enough-for-the-rfc-7636"
    url, state = library.create_authorization_url(f"{live_server}/api/Oauth/Authorize", code_verifier=verifier)
    parts = urlsplit(url)
    program = App(connector, "", browser_of(member))
    page = program.browser.get(f"{parts.path}?{parts.query}")["Location"]
    answer = str(program.answer(page, member)["Location"])
    assert f"state={state}" in answer
    token = library.fetch_token(authorization_response=answer, code_verifier=verifier)
    assert token["token_type"] == "Bearer"
    me = library.get(f"{live_server}/v1/users/me")
    assert me.status_code == 403, "the connector did not ask for User Profile"
    assert library.get(f"{live_server}/v1/groups").json() == {"groups": []}
    again = library.refresh_token(f"{live_server}/api/oauth/token", refresh_token=token["refresh_token"])
    assert again["access_token"]
    assert library.get(f"{live_server}/v1/groups").status_code == 200
