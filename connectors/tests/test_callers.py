"""Who calls with an access token: asked anew on every call, in one SELECT."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from accounts.models import Organisation, User
from connectors import authentication, token_format
from connectors.models import Connector, Grant, RefreshToken
from connectors.permissions import Permission, list_scopes
from connectors.services import connectors, grants
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_tokens import exchange
from kaizala_console.api.errors import PermanentRedirect, TokenInvalid, TokenMissing
from kaizala_console.lib import clock, ids


@pytest.fixture
def token(program: Program) -> str:
    """An access token of the program."""
    return exchange(program).access_token


def call(path: str = "/v1/groups", **headers: str) -> authentication.AccessContext:
    return authentication.authenticate(RequestFactory().get(path, headers=headers))


def refused(token: str) -> bool:
    with pytest.raises(TokenInvalid) as caught:
        authentication.get_access_context(token)
    assert str(caught.value) == "Invalid token. Failure reason:Token validation failed due to unknown reason!"
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
    assert authentication.get_access_context(token)
    travel(minutes=1)
    assert refused(token)


@pytest.mark.parametrize("text", ["x", "kzat_", "kzat_" + "A" * 100, "\x00", "é", "a" * 100_000])
def test_what_is_no_token_of_ours_is_refused_before_the_database_is_asked(db: None, text: str) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert refused(text)
    assert len(captured) == 0


@pytest.mark.postgresql
def test_a_true_token_for_rows_that_are_not_there_is_refused(program: Program) -> None:
    end = clock.now() + dt.timedelta(hours=1)
    token = RefreshToken.objects.get()
    for refresh_token_id, grant_id in ((token.pk + 1, program.grant.pk), (token.pk, ids.new_id())):
        assert refused(
            token_format.mint_access_token(
                refresh_token_id=refresh_token_id, grant_id=grant_id, generation=0, expires_at=end
            )
        )


def _revoke(program: Program, developer: User, admin: User) -> None:
    grants.revoke(grant=program.grant, by=admin)


def _suspend_grant(program: Program, developer: User, admin: User) -> None:
    grants.suspend(grant=program.grant, by=admin)


def _regenerate(program: Program, developer: User, admin: User) -> None:
    grants.regenerate(grant=program.grant, by=admin)


def _suspend(program: Program, developer: User, admin: User) -> None:
    connectors.suspend(connector=program.connector, by=developer)


def _delete(program: Program, developer: User, admin: User) -> None:
    connectors.delete(connector=program.connector, by=developer)


def _end(program: Program, developer: User, admin: User) -> None:
    now = clock.now()
    Grant.objects.update(granted_at=now - dt.timedelta(days=1), ends_at=now)


def _expire(program: Program, developer: User, admin: User) -> None:
    now = clock.now()
    RefreshToken.objects.update(issued_at=now - dt.timedelta(days=1), expires_at=now)


@pytest.mark.postgresql
@pytest.mark.parametrize("act", [_revoke, _suspend_grant, _regenerate, _suspend, _delete, _end, _expire])
def test_what_ends_a_right_ends_its_tokens_on_the_very_next_call(
    program: Program, token: str, developer: User, group_admin: User, act: Callable[..., Any]
) -> None:
    assert authentication.get_access_context(token)
    act(program, developer, group_admin)
    assert refused(token)


def test_deactivating_the_connector_leaves_its_tokens_alone(program: Program, token: str, developer: User) -> None:
    connectors.deactivate(connector=program.connector, by=developer)
    assert authentication.get_access_context(token)


def test_the_calls_of_an_organisation_that_has_moved_are_sent_on(token: str) -> None:
    Organisation.objects.update(moved_to="https://new.example")
    with pytest.raises(PermanentRedirect) as caught:
        call("/v1/groups?showDetails=true", accessToken=token)
    assert caught.value.headers == {"Location": "https://new.example/v1/groups?showDetails=true"}
    with pytest.raises(TokenInvalid):
        call(accessToken="x")
