"""A program gets the scopes that it asked for and the person saw, and no other (RFC 6749 §3.3, §6)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors import authentication
from connectors.models import AuthorizationCode, Connector, Grant, Webhook
from connectors.permissions import ALL_SCOPES, PERMISSIONS, from_bits, list_scopes, to_bits
from connectors.services import access_requests, permissions, user_tokens
from connectors.tests.factories import person_of
from connectors.tests.oauth_app import BACK, App, post_form, query_of, refused
from connectors.webhooks.authorization import inactive_reason
from kaizala_console.lib import clock

ASKED = "groupinfo.read textmessage.write"


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


# ---------------------------------------------------------------- Asked, shown, given


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


def test_the_token_service_tells_the_same_scopes(app: App, signed_in: dict[str, Any]) -> None:
    credentials = {"applicationId": str(app.connector.pk), "applicationSecret": app.secret}
    answer = Client().get("/v1/accessToken", headers={**credentials, "refreshToken": signed_in["refreshToken"]})
    assert answer.json()["scope"] == ASKED.replace(" ", ",")


def test_without_a_scope_the_program_gets_all_that_the_connector_has(app: App, member: User) -> None:
    body = token_of(app, member, "")
    app.connector.refresh_from_db()
    assert body["scope"].split() == list_scopes(app.connector.permissions)
    assert Grant.objects.get().scope == ""


def test_a_program_that_calls_as_the_old_documentation_says_gets_commas(app: App, member: User) -> None:
    """Who sends `grant_type`, which RFC 6749 requires, gets spaces; Kaizala's documentation has no such field."""
    assert app.redeem(app.code(member, scope=ASKED)).json()["scope"] == ASKED.replace(" ", ",")


@pytest.mark.parametrize("scope", ["groupinfo.read,textmessage.write", "textmessage.write  groupinfo.read"])
def test_scopes_may_be_written_in_any_order_and_with_commas(app: App, member: User, scope: str) -> None:
    assert token_of(app, member, scope)["scope"] == ASKED


@pytest.mark.parametrize("scope", ["everything", f"{ASKED} everything", "groupinfo", "tenant.read", "media.read"])
def test_a_scope_that_the_connector_has_not_goes_back_as_an_error(app: App, scope: str) -> None:
    answer = app.ask(scope=scope, state="xyz")
    assert answer["Location"].startswith(BACK)
    told = query_of(answer)
    assert (told["error"], told["state"]) == ("invalid_scope", "xyz")


def test_the_consent_page_shows_what_is_asked_for_and_not_more(app: App) -> None:
    text = app.browser.get(app.consent_page(scope="groupinfo.read textmessage.read textmessage.write")).content.decode()
    assert "Group Information: read" in text
    assert "Post messages" in text
    assert "Read members" in text
    assert "Read, create, edit and delete groups and their details" not in text
    assert app.shown_on(app.consent_page(scope=ASKED)) == ASKED


def test_what_the_connector_lost_since_the_question_sends_back_an_error(app: App, member: User) -> None:
    page = app.consent_page(scope="groupmember.read")
    shown = app.shown_on(page)
    Connector.objects.update(permissions={"textmessage"})
    assert query_of(app.answer(page, member, shown=shown))["error"] == "invalid_scope"
    assert not AuthorizationCode.objects.exists()


# ---------------------------------------------------------------- On every call


def test_a_scope_that_was_not_given_is_refused_as_a_permission_that_is_lacking(
    app: App, member: User, signed_in: dict[str, Any]
) -> None:
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


def test_a_permission_that_the_connector_loses_is_lost_here_too(app: App, signed_in: dict[str, Any]) -> None:
    Connector.objects.update(permissions={"groupinfo"})
    assert authentication.get_access_context(signed_in["access_token"]).scopes == {"groupinfo.read"}
    Connector.objects.update(permissions={"media"})
    assert authentication.get_access_context(signed_in["access_token"]).scopes == set()


def test_who_signs_in_again_gives_what_is_asked_this_time(app: App, member: User, signed_in: dict[str, Any]) -> None:
    again = token_of(app, member, "groupmember.read")
    assert authentication.get_access_context(again["access_token"]).scopes == {"groupmember.read"}
    whole = token_of(app, member, "")
    app.connector.refresh_from_db()
    assert authentication.get_access_context(whole["access_token"]).scopes == set(
        list_scopes(app.connector.permissions)
    )


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


def test_the_lists_of_access_show_what_was_given(app: App, signed_in: dict[str, Any], browser_of: Any) -> None:
    page = browser_of(app.connector.owner).get(reverse("connectors:groups", args=[app.connector.pk]))
    assert "Group Information: read" in page.content.decode()


# ---------------------------------------------------------------- Refreshing


def test_a_refresh_without_a_scope_gives_the_same_again(app: App, signed_in: dict[str, Any]) -> None:
    assert refresh(app, signed_in).json()["scope"] == ASKED


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
