"""Letting a connector in, and what ends that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError

from accounts.models import AuditEvent, Notice, User
from connectors import authentication
from connectors.models import Connector, Grant, Handoff, OneTimeSecret, RefreshToken
from connectors.permissions import Permission
from connectors.services import connectors, grants, one_time_secrets, refresh_tokens
from connectors.services.grants import AlreadyGranted
from connectors.tests.factories import Program, let_in
from connectors.tests.test_tokens import exchange
from kaizala_console.api.errors import RefreshTokenRefused, TokenInvalid
from kaizala_console.lib import clock, crypto, ids
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

Everything = Callable[[], Any]
ACTS: list[Any] = [grants.revoke, grants.suspend, grants.resume, grants.regenerate]


@pytest.mark.postgresql
def test_a_grant_makes_its_token_and_seals_it_at_once(connector: Connector, group_admin: User) -> None:
    granted = let_in(connector, group_admin)
    handoff = Handoff.objects.get(pk=granted.handoff.pk)
    assert handoff.state == "waiting"
    assert handoff.sealed_to == "server"
    assert handoff.made_by == group_admin
    assert handoff.expires_at - handoff.made_at == dt.timedelta(days=7)
    token = granted.refresh_token
    assert token.expires_at - token.issued_at == dt.timedelta(days=365)
    assert granted.grant.permissions == connector.permissions
    text = refresh_tokens.unseal(handoff)
    assert text.startswith("kzrt_")
    assert text.encode() not in bytes(handoff.sealed or b"")


@pytest.mark.postgresql
def test_what_is_sealed_opens_in_its_own_row_only(connector: Connector, group_admin: User) -> None:
    one, other = let_in(connector, group_admin).handoff, let_in(connector, group_admin).handoff
    one.sealed = other.sealed
    with pytest.raises(crypto.WrongKey):
        refresh_tokens.unseal(one)


def test_owner_and_co_owners_are_told_once_each_and_without_a_secret(
    connector: Connector, group_admin: User, developer: User, member: User, stranger: User
) -> None:
    User.objects.filter(pk=stranger.pk).update(is_active=False)
    connector.co_owners.add(member, developer, stranger)
    granted = let_in(connector, group_admin, target_name="Night shift")
    notices = Notice.objects.filter(template="connectors/handoff_made").order_by("created_at")
    assert [notice.user for notice in notices] == [developer, member]
    assert granted.handoff.notice == notices[0]
    assert refresh_tokens.unseal(granted.handoff)[5:] not in str(list(Notice.objects.values()))


def test_the_trail_tells_who_let_what_into_what(connector: Connector, group_admin: User) -> None:
    group_id = ids.new_id()
    let_in(connector, group_admin, target=f"group:{group_id}", permissions=["textmessage"])
    events = AuditEvent.objects.order_by("id")
    assert [event.tag for event in events] == ["grant:access:granted", "handoff:token:sealed"]
    for event in events:
        assert (event.connector_id, event.group_id, event.person_id) == (connector.pk, group_id, None)
        assert event.organisation == connector.organisation
        assert (event.actor_kind, event.actor_id) == ("user", str(group_admin.pk))
    assert events[0].after["permissions"] == ["textmessage"]


def test_a_grant_can_give_less_than_the_connector_asks_for(connector: Connector, group_admin: User) -> None:
    assert let_in(connector, group_admin, permissions=["textmessage"]).grant.permissions == {Permission.TEXT_MESSAGE}
    for permissions, code in (
        (["textmessage", "media"], "permissions_beyond"),
        ([], "permission_missing"),
        (["everything"], "permission_unknown"),
    ):
        with pytest.raises(RuleBroken) as caught:
            let_in(connector, group_admin, permissions=permissions)
        assert (caught.value.code, caught.value.field) == (code, "permissions")
    assert Grant.objects.count() == 1


@pytest.mark.postgresql
def test_a_token_ends_with_its_grant_and_so_does_the_handoff(connector: Connector, group_admin: User) -> None:
    with pytest.raises(RuleBroken) as caught:
        let_in(connector, group_admin, ends_at=clock.now())
    assert caught.value.field == "ends_at"
    ends_at = clock.now() + dt.timedelta(days=3)
    granted = let_in(connector, group_admin, ends_at=ends_at)
    assert granted.refresh_token.expires_at == granted.handoff.expires_at == ends_at


@pytest.mark.postgresql
def test_the_second_grant_for_one_target_names_the_first(connector: Connector, group_admin: User) -> None:
    first = let_in(connector, group_admin).grant
    with pytest.raises(AlreadyGranted) as caught:
        let_in(connector, group_admin, target=first.target)
    assert caught.value.grant == first
    assert Handoff.objects.count() == RefreshToken.objects.count() == 1


@pytest.mark.parametrize(("act", "word"), [(connectors.deactivate, "deactivated"), (connectors.suspend, "suspended")])
def test_a_connector_that_takes_no_grants_gets_none_and_its_grants_stay(
    program: Program, developer: User, group_admin: User, everything: Everything, act: Any, word: str
) -> None:
    act(connector=program.connector, by=developer)
    before = everything()
    with pytest.raises(RuleBroken, match=word):
        let_in(program.connector, group_admin)
    assert everything() == before


def test_a_deleted_connector_and_one_of_another_organisation_are_not_there(
    connector: Connector, developer: User, group_admin: User, outsider: User
) -> None:
    with pytest.raises(NotFound):
        let_in(connector, outsider)
    connectors.delete(connector=connector, by=developer)
    with pytest.raises(NotFound):
        let_in(connector, group_admin)
    assert not Grant.objects.exists()


@pytest.mark.postgresql
def test_what_was_revoked_is_refused_and_cannot_be_ended_suspended_or_renewed(
    program: Program, group_admin: User
) -> None:
    grants.revoke(grant=program.grant, by=group_admin)
    with pytest.raises(RefreshTokenRefused, match="revoked"):
        exchange(program)
    for act in ACTS:
        with pytest.raises(Conflict, match="removed"):
            act(grant=program.grant, by=group_admin)


@pytest.mark.postgresql
def test_revoking_wipes_what_waits_and_what_is_shown(program: Program, group_admin: User, developer: User) -> None:
    key = one_time_secrets.new_form_key()
    one_time_secrets.remember(user=developer, idempotency_key=key, subject=program.handoff, token=program.refresh_token)
    grants.revoke(grant=program.grant, by=group_admin)
    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.sealed) == ("withdrawn", None)
    assert not OneTimeSecret.objects.exists()
    assert AuditEvent.objects.order_by("-id")[0].before["tokens_ended"] == 1


@pytest.mark.postgresql
def test_suspending_refuses_everything_and_resuming_accepts_it_again(program: Program, group_admin: User) -> None:
    access = exchange(program).access_token
    grants.suspend(grant=program.grant, by=group_admin)
    with pytest.raises(TokenInvalid):
        authentication.get_access_context(access)
    with pytest.raises(RefreshTokenRefused, match="suspended"):
        exchange(program)
    with pytest.raises(Conflict):
        grants.suspend(grant=program.grant, by=group_admin)
    grants.resume(grant=program.grant, by=group_admin)
    assert authentication.get_access_context(access).grant == program.grant
    with pytest.raises(Conflict):
        grants.resume(grant=program.grant, by=group_admin)


@pytest.mark.postgresql
def test_regenerating_ends_the_old_token_at_once_and_hands_over_a_new_one(program: Program, group_admin: User) -> None:
    access = exchange(program).access_token
    handoff = grants.regenerate(grant=program.grant, by=group_admin)
    with pytest.raises(TokenInvalid):
        authentication.get_access_context(access)
    with pytest.raises(RefreshTokenRefused, match="superseded"):
        exchange(program)
    program.handoff.refresh_from_db()
    assert (program.handoff.state, program.handoff.sealed) == ("withdrawn", None)
    assert exchange(program, refreshToken=refresh_tokens.unseal(handoff)).access_token
    assert Notice.objects.filter(template="connectors/handoff_made").count() == 2


def test_a_grant_that_is_over_or_suspended_with_its_connector_is_not_regenerated(
    program: Program, developer: User, group_admin: User
) -> None:
    connectors.suspend(connector=program.connector, by=developer)
    with pytest.raises(RuleBroken, match="Resume it first"):
        grants.regenerate(grant=program.grant, by=group_admin)
    connectors.resume(connector=program.connector, by=developer)
    Grant.objects.update(granted_at=clock.now() - dt.timedelta(days=2), ends_at=clock.now() - dt.timedelta(days=1))
    with pytest.raises(RuleBroken, match="ended on"):
        grants.regenerate(grant=program.grant, by=group_admin)
    with pytest.raises(RefreshTokenRefused, match="expired"):
        exchange(program)


@pytest.mark.postgresql
def test_a_new_name_of_the_target_shows_on_its_grants(program: Program, group_admin: User) -> None:
    other = let_in(program.connector, group_admin)
    assert grants.relabel(target=program.grant.target, name=" Early\nshift ") == 1
    program.grant.refresh_from_db()
    other.grant.refresh_from_db()
    assert (program.grant.target_name, other.grant.target_name) == ("Early shift", "Night shift")


@pytest.mark.parametrize("who", ["developer", "stranger", "outsider", "group_admin"])
def test_to_who_does_not_administer_the_target_a_grant_is_not_there(
    program: Program,
    who: str,
    request: pytest.FixtureRequest,
    group_admin: User,
    resigned: set[int],
    everything: Everything,
) -> None:
    user = request.getfixturevalue(who)
    resigned.add(group_admin.pk)
    before = everything()
    for act in ACTS:
        with pytest.raises(NotFound):
            act(grant=program.grant, by=user)
    assert everything() == before


def test_an_operator_stops_a_grant_but_makes_no_token(program: Program, operator: User) -> None:
    grants.suspend(grant=program.grant, by=operator)
    with pytest.raises(NotFound):
        grants.regenerate(grant=program.grant, by=operator)
    grants.revoke(grant=program.grant, by=operator)


@pytest.mark.postgresql
def test_without_an_audit_row_nothing_happens(
    program: Program, group_admin: User, no_audit: Callable[[], None], everything: Everything
) -> None:
    before = everything()
    no_audit()
    for act in (grants.revoke, grants.suspend, grants.regenerate):
        with pytest.raises(DatabaseError):
            act(grant=program.grant, by=group_admin)
    with pytest.raises(DatabaseError):
        let_in(program.connector, group_admin)
    assert everything() == before
