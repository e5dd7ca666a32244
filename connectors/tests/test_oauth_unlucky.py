"""Sign-in by OAuth when something comes between: a limit, a connector that grows, a rule that changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from connectors.models import AuthorizationCode, Connector, Grant, RefreshToken
from connectors.services import oauth
from connectors.tests.oauth_app import PKCE, VERIFIER, App, post_form, query_of, refused

pytestmark = pytest.mark.django_db
Travel = Callable[..., dt.datetime]


@pytest.mark.usefixtures("patient_counters")
def test_a_limit_that_is_reached_keeps_the_code_for_the_next_try(
    app: App, member: User, settings: Any, travel: Travel
) -> None:
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


@pytest.mark.usefixtures("patient_counters")
def test_redeeming_counts_once_against_the_limit(app: App, member: User, settings: Any, travel: Travel) -> None:
    settings.THROTTLE_CONNECTOR_PER_MINUTE = 2
    travel(seconds=120 - travel().second)
    assert [app.redeem(app.code(member)).status_code for _time in range(3)] == [200, 200, 429]


def test_what_the_connector_asks_for_since_the_page_was_shown_is_shown_first(app: App, member: User) -> None:
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


def test_less_than_was_shown_needs_no_second_look(app: App, member: User) -> None:
    page = app.consent_page()
    shown = app.shown_on(page)
    Connector.objects.update(permissions={"textmessage"})
    body = app.redeem(query_of(app.answer(page, member, shown=shown))["code"]).json()
    assert body["scope"] == "textmessage.read,textmessage.write"


@pytest.mark.parametrize("forged", ["", "everything", "textmessage,\0", "tenant,textmessage"])
def test_a_forged_list_gives_nothing_that_the_connector_does_not_ask_for(app: App, member: User, forged: str) -> None:
    page = app.consent_page()
    answer = app.answer(page, member, shown=forged)
    assert answer.status_code == 409
    assert not AuthorizationCode.objects.exists()
    assert not Grant.objects.exists()


def test_pkce_that_is_required_since_is_required_of_codes_that_are_under_way(
    app: App, member: User, developer: User
) -> None:
    without, with_it = app.code(member), app.code(member, **PKCE)
    oauth.require_pkce(connector=app.connector, required=True, by=developer)
    assert "PKCE" in refused(app.redeem(without), 400, "invalid_grant")
    assert app.redeem(with_it, code_verifier=VERIFIER).status_code == 200


def test_neither_code_nor_token_is_kept_by_a_cache(app: App, member: User) -> None:
    """RFC 6749 §5.1."""
    answer = app.redeem(app.code(member))
    assert "no-store" in answer["Cache-Control"]
    assert "no-store" in refused_answer(app)["Cache-Control"]


def refused_answer(app: App) -> Any:
    answer = app.redeem("no-such-code")
    assert answer.status_code == 400
    return answer


def test_a_refresh_without_its_token_is_told_what_is_missing(app: App, member: User) -> None:
    answer = post_form({"grant_type": "refresh_token", "client_id": str(app.connector.pk), "client_secret": app.secret})
    assert refused(answer, 400, "invalid_request") == "Missing refresh token parameter."
