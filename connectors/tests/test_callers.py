"""Who calls with an access token: looked up on every call, in one SELECT; accepted while all under it lives."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from accounts.models import AuditEvent, Organisation, User
from connectors import authentication, token_format
from connectors.models import CachedToken, Connector, Grant, LeakReport, RefreshToken
from connectors.permissions import Permission, list_scopes
from connectors.services import bots, connectors, grants, secrets, token_cache
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_leaks import report
from connectors.tests.test_tokens import exchange
from kaizala_console.api.errors import PermanentRedirect, TokenInvalid, TokenMissing
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]


@pytest.fixture
def token(program: Program) -> str:
    """An access token of the program."""
    return exchange(program).access_token


@pytest.fixture
def bot_token(program: Program, token: str) -> str:
    """An access token that acts as a bot of the program's connector."""
    caller = authentication.get_access_context(token)
    bot = bots.create(connector=program.connector, name="Helper", picture_url="", by=caller)
    return bots.access_token(bot_id=str(bot.pk), by=caller).access_token


def call(path: str = "/v1/groups", **headers: str) -> authentication.AccessContext:
    return authentication.authenticate(RequestFactory().get(path, headers=headers))


def is_accepted(token: str) -> bool:
    try:
        authentication.get_access_context(token)
    except TokenInvalid:
        return False
    return True


@pytest.mark.postgresql
def test_a_call_is_one_select_and_knows_all_that_an_endpoint_needs(
    program: Program, token: str, group_admin: User
) -> None:
    admin = factories.person_of(group_admin)
    with CaptureQueriesContext(connection) as captured:
        caller = call(accessToken=token)
        assert caller.grant == program.grant
        assert caller.connector.name == program.connector.name
        assert caller.person == admin
        assert caller.organisation.moved_to == ""
        assert caller.audit_actor() == ("connector", str(program.connector.pk), program.connector.name)
    assert len(captured) == 1
    assert caller.refresh_token_id == RefreshToken.objects.get().pk


def test_the_token_may_come_as_bearer_and_without_one_it_is_missing(token: str) -> None:
    assert call(ACCESSTOKEN=token)
    assert call(Authorization=f"Bearer {token}")
    with pytest.raises(TokenMissing):
        call()


@pytest.mark.postgresql
def test_scopes_follow_what_grant_and_connector_may_do_now(token: str) -> None:
    assert "textmessage.write" in authentication.get_access_context(token).scopes
    Grant.objects.update(permissions=[Permission.GROUP_INFORMATION])
    assert authentication.get_access_context(token).scopes == set(list_scopes([Permission.GROUP_INFORMATION]))
    Connector.objects.update(permissions=[Permission.TEXT_MESSAGE])
    assert authentication.get_access_context(token).scopes == frozenset()


def test_a_missing_permission_is_named_as_the_portal_does_in_english(token: str) -> None:
    caller = authentication.get_access_context(token)
    with translation.override("hi"):
        assert caller.permission_for("textmessage.write") == "Text Message"
    assert caller.permission_for("unheard.of") == "unheard.of"


@pytest.mark.postgresql
def test_a_token_ends_to_the_second(token: str, travel: Callable[..., dt.datetime]) -> None:
    travel(hours=23, minutes=59)
    assert is_accepted(token)
    travel(minutes=1)
    assert not is_accepted(token)


@pytest.mark.parametrize("text", ["x", "kzat_", "kzat_" + "A" * 100, "\x00", "é", "a" * 100_000])
def test_what_is_no_token_of_ours_is_refused_before_the_database_is_asked(text: str) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert not is_accepted(text)
    assert len(captured) == 0


@pytest.mark.postgresql
def test_a_true_token_for_rows_that_are_not_there_is_refused(program: Program) -> None:
    end = clock.now() + dt.timedelta(hours=1)
    token = RefreshToken.objects.get()
    for refresh_token_id, grant_id in ((token.pk + 1, program.grant.pk), (token.pk, ids.new_id())):
        minted = token_format.mint_access_token(
            refresh_token_id=refresh_token_id, grant_id=grant_id, generation=0, expires_at=end
        )
        assert not is_accepted(minted)


def ended(rows: QuerySet[Any], began: str, end: str) -> int:
    now = clock.now()
    return rows.update(**{began: now - dt.timedelta(days=1), end: now})


ENDS: dict[str, Callable[[Program, User], Any]] = {
    "revoked": lambda program, admin: grants.revoke(grant=program.grant, by=admin),
    "access suspended": lambda program, admin: grants.suspend(grant=program.grant, by=admin),
    "regenerated": lambda program, admin: grants.regenerate(grant=program.grant, by=admin),
    "suspended": lambda program, admin: connectors.suspend(connector=program.connector, by=program.connector.owner),
    "deleted": lambda program, admin: connectors.delete(connector=program.connector, by=program.connector.owner),
    "grant ended": lambda program, admin: ended(Grant.objects.all(), "granted_at", "ends_at"),
    "refresh token expired": lambda program, admin: ended(RefreshToken.objects.all(), "issued_at", "expires_at"),
}


@pytest.mark.postgresql
@pytest.mark.parametrize("end", ENDS)
def test_what_ends_a_right_ends_its_tokens_and_those_of_its_bots_on_the_very_next_call(
    program: Program, token: str, bot_token: str, developer: User, group_admin: User, end: str
) -> None:
    connectors.deactivate(connector=program.connector, by=developer)
    assert is_accepted(token), "deactivating leaves tokens alone"
    assert is_accepted(bot_token)
    ENDS[end](program, group_admin)
    for each in (token, bot_token):
        with pytest.raises(TokenInvalid) as caught:
            authentication.get_access_context(each)
        assert str(caught.value) == "Invalid token. Failure reason:Token validation failed due to unknown reason!"


def test_the_calls_of_an_organisation_that_has_moved_are_sent_on(token: str) -> None:
    Organisation.objects.update(moved_to="https://new.example")
    with pytest.raises(PermanentRedirect) as caught:
        call("/v1/groups?showDetails=true", accessToken=token)
    assert caught.value.headers == {"Location": "https://new.example/v1/groups?showDetails=true"}
    with pytest.raises(TokenInvalid):
        call(accessToken="x")


# A secret that leaked takes along the access tokens that were made until then ---------------------------------------


def test_access_tokens_end_with_a_secret_and_the_other_secret_gives_new_ones(
    program: Program, token: str, bot_token: str, developer: User
) -> None:
    _other, text = factories.make_secret(program.connector, slot=2)
    secrets.revoke(secret=program.connector.secrets.get(slot=1), by=developer, end_access_tokens=True)
    assert not is_accepted(token)
    assert not is_accepted(bot_token)
    assert is_accepted(exchange(program, applicationSecret=text).access_token)
    assert AuditEvent.objects.get(tag="connector:secret:revoked").after["leaked"] is True


def test_a_token_that_an_exchange_makes_while_the_secret_is_revoked_ends_too(
    program: Program, developer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def revoked_in_between(*args: object, **kwargs: object) -> None:
        secrets.revoke(secret=program.connector.secrets.get(), by=developer, end_access_tokens=True)

    monkeypatch.setattr("connectors.services.token_exchange.usage.check_exchange_rate_limit", revoked_in_between)
    assert not is_accepted(exchange(program).access_token)


def test_the_token_cache_lets_go_of_a_token_that_ended(program: Program, developer: User) -> None:
    _other, text = factories.make_secret(program.connector, slot=2)
    cached = token_cache.enable(grant=program.grant, by=developer, secret=text, refresh_token=program.refresh_token)
    CachedToken.objects.update(sealed_access_token=b"sealed", next_attempt_at=None)
    secrets.revoke(secret=program.connector.secrets.get(slot=1), by=developer, end_access_tokens=True)
    cached.refresh_from_db()
    assert cached.sealed_access_token is None
    assert cached.next_attempt_at is not None


@pytest.mark.parametrize(("why", "goes_on"), [("leaked", False), ("unused", True)])
def test_the_owner_is_asked_whether_access_tokens_end(
    program: Program, token: str, developer: User, browser_of: Browser, why: str, goes_on: bool
) -> None:
    secret, browser = program.connector.secrets.get(), browser_of(developer)
    url = reverse("connectors:secret_revoke", args=[program.connector.pk, secret.pk])
    assert browser.post(url, {"typed": program.connector.name}).status_code == 400
    browser.post(url, {"typed": program.connector.name, "why": why})
    secret.refresh_from_db()
    assert secret.revoked_at is not None
    assert is_accepted(token) is goes_on


@pytest.mark.parametrize(("answer", "goes_on"), [({"end_access_tokens": "on"}, False), ({}, True)])
def test_the_answer_to_a_leak_report_ends_access_tokens_unless_the_owner_unticks_it(
    program: Program, token: str, developer: User, browser_of: Browser, answer: dict[str, str], goes_on: bool
) -> None:
    report(program.secret)
    found, browser = LeakReport.objects.get(), browser_of(developer)
    page = browser.get(reverse("connectors:leak", args=[program.connector.pk, found.pk]))
    assert page.context["revoke_form"]["end_access_tokens"].value() is True
    browser.post(reverse("connectors:leak_revoke", args=[program.connector.pk, found.pk]), answer)
    assert is_accepted(token) is goes_on
