"""Bots and the tokens that act as one: made, changed, deleted; accepted only while everything under them lives."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, User
from connectors import authentication, token_format
from connectors.authentication import AccessContext
from connectors.models import Bot, Connector, Grant, RefreshToken
from connectors.permissions import PERMISSIONS, Permission
from connectors.services import bots, connectors, grants, introspection, leak_reports
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_tokens import exchange
from kaizala_console.api.errors import RefreshTokenRefused, TokenInvalid
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import NotAllowed, NotFound, RuleBroken


@pytest.fixture
def program(developer: User, group_admin: User) -> Program:
    """A program that may do everything."""
    return factories.make_program(factories.make_connector(developer, permissions=PERMISSIONS), group_admin)


@pytest.fixture
def caller(program: Program) -> AccessContext:
    """The program at work."""
    return authentication.get_access_context(exchange(program).access_token)


@pytest.fixture
def other(developer: User, group_admin: User) -> AccessContext:
    """Another program of the same developer."""
    program = factories.make_program(factories.make_connector(developer, permissions=PERMISSIONS), group_admin)
    return authentication.get_access_context(exchange(program).access_token)


@pytest.fixture
def bot(caller: AccessContext) -> Bot:
    return bots.create(connector=caller.connector, name="Rota", picture_url="https://example.com/rota.png", by=caller)


@pytest.fixture
def token(bot: Bot, caller: AccessContext) -> str:
    """An access token that acts as the bot."""
    return bots.access_token(bot_id=str(bot.pk), by=caller).access_token


def refused(token: str) -> bool:
    with pytest.raises(TokenInvalid):
        authentication.get_access_context(token)
    return True


# Made, changed, deleted -----------------------------------------------------------------------------------------------


def test_a_bot_belongs_to_its_connector_and_the_trail_tells_of_it(bot: Bot, caller: AccessContext) -> None:
    assert Bot.objects.get() == bot
    assert (bot.connector, bot.name, bot.picture_url) == (caller.connector, "Rota", "https://example.com/rota.png")
    event = AuditEvent.objects.get(tag="connector:bot:created")
    assert (event.subject_id, event.connector_id, event.actor_kind) == (str(bot.pk), caller.connector.pk, "connector")
    assert bots.list_bots(by=caller) == [bot]


@pytest.mark.parametrize(
    ("name", "picture_url", "field"),
    [
        ("\x00", "", "name"),
        ("x" * 81, "", "name"),
        ("Rota", "javascript:alert(1)", "profilePic"),
        ("Rota", "rota.png", "profilePic"),
        ("Rota", "https://example.com/" + "x" * 500, "profilePic"),
    ],
)
def test_what_cannot_be_shown_is_refused_by_name(
    caller: AccessContext, name: str, picture_url: str, field: str
) -> None:
    with pytest.raises(RuleBroken) as caught:
        bots.create(connector=caller.connector, name=name, picture_url=picture_url, by=caller)
    assert caught.value.field == field
    assert not Bot.objects.exists()


def test_a_connector_has_fifty_bots_at_the_most_and_a_deleted_one_makes_room(bot: Bot, caller: AccessContext) -> None:
    Bot.objects.bulk_create([Bot(connector=caller.connector, name=str(n)) for n in range(bots.MOST_BOTS - 1)])
    with pytest.raises(RuleBroken) as caught:
        bots.create(connector=caller.connector, name="One more", picture_url="", by=caller)
    assert caught.value.code == "too_many_bots"
    bots.remove(connector=caller.connector, bot_id=str(bot.pk), by=caller)
    assert bots.create(connector=caller.connector, name="One more", picture_url="", by=caller)


def test_a_change_keeps_what_is_left_out(bot: Bot, caller: AccessContext) -> None:
    which: dict[str, Any] = {"connector": caller.connector, "bot_id": str(bot.pk), "by": caller}
    assert bots.change(name="Rota 2", picture_url=None, **which).picture_url == bot.picture_url
    assert bots.change(name=None, picture_url="", **which).name == "Rota 2"
    event = AuditEvent.objects.filter(tag="connector:bot:changed").order_by("id").first()
    assert event is not None
    assert (event.before["bot"], event.after["bot"]) == ("Rota", "Rota 2")


def test_a_deleted_bot_is_gone_but_its_row_and_name_stay(bot: Bot, caller: AccessContext) -> None:
    bots.remove(connector=caller.connector, bot_id=str(bot.pk), by=caller)
    assert bots.list_bots(by=caller) == []
    assert Bot.objects.get().name == "Rota"
    assert AuditEvent.objects.filter(tag="connector:bot:removed").count() == 1
    with pytest.raises(NotFound):
        bots.remove(connector=caller.connector, bot_id=str(bot.pk), by=caller)


ACTS: dict[str, Callable[[str, AccessContext], Any]] = {
    "change": lambda bot_id, by: bots.change(
        connector=by.connector, bot_id=bot_id, name="Mine", picture_url=None, by=by
    ),
    "remove": lambda bot_id, by: bots.remove(connector=by.connector, bot_id=bot_id, by=by),
    "access token": lambda bot_id, by: bots.access_token(bot_id=bot_id, by=by),
}


@pytest.mark.parametrize("act", ACTS)
def test_another_connectors_bot_and_none_are_the_same_answer(bot: Bot, other: AccessContext, act: str) -> None:
    answers = []
    for bot_id in (str(bot.pk), str(ids.new_id()), "no id", "\x00"):
        with pytest.raises(NotFound) as caught:
            ACTS[act](bot_id, other)
        answers.append(str(caught.value))
    assert len(set(answers)) == 1
    assert bots.list_bots(by=other) == []
    kept = Bot.objects.get()
    assert (kept.name, kept.removed_at) == ("Rota", None)


@pytest.mark.parametrize("act", ACTS)
def test_a_bots_token_manages_no_bots(bot: Bot, token: str, act: str) -> None:
    by = authentication.get_access_context(token)
    with pytest.raises(NotAllowed):
        ACTS[act](str(bot.pk), by)
    with pytest.raises(NotAllowed):
        bots.create(connector=by.connector, name="Another", picture_url="", by=by)
    with pytest.raises(NotAllowed):
        bots.list_bots(by=by)
    assert Bot.objects.filter(removed_at=None, name="Rota").count() == Bot.objects.count() == 1


def test_nothing_is_made_when_the_audit_trail_cannot_be_written(
    caller: AccessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_columns: Any) -> None:
        raise DatabaseError("full")

    monkeypatch.setattr(AuditEvent.objects, "create", full)
    with pytest.raises(DatabaseError):
        bots.create(connector=caller.connector, name="Rota", picture_url="", by=caller)
    assert not Bot.objects.exists()


def test_a_bot_without_a_name_is_no_row(caller: AccessContext) -> None:
    with pytest.raises(IntegrityError, match="bot_has_a_name"), transaction.atomic():
        Bot.objects.create(connector=caller.connector, name="")


# Tokens ---------------------------------------------------------------------------------------------------------------


def test_a_bot_speaks_and_administers_nothing(token: str) -> None:
    caller = authentication.get_access_context(token)
    assert {scope.partition(".")[0] for scope in caller.scopes} == {"textmessage", "action", "media", "reaction"}


def test_a_bot_never_may_more_than_its_connector(bot: Bot, token: str, caller: AccessContext) -> None:
    Grant.objects.update(permissions=[Permission.TEXT_MESSAGE, Permission.GROUP_INFORMATION])
    assert authentication.get_access_context(token).scopes == {"textmessage.read", "textmessage.write"}
    Connector.objects.update(permissions=[Permission.GROUP_INFORMATION])
    assert authentication.get_access_context(token).scopes == frozenset()


def test_a_bots_token_lives_24_hours(bot: Bot, token: str, travel: Callable[..., dt.datetime]) -> None:
    travel(hours=23, minutes=59)
    assert authentication.get_access_context(token)
    travel(minutes=2)
    assert refused(token)


def test_a_bots_token_never_outlives_what_it_stands_on(bot: Bot, caller: AccessContext) -> None:
    soon = clock.from_epoch_ms(clock.epoch_ms(clock.now() + dt.timedelta(minutes=5)))
    RefreshToken.objects.update(expires_at=soon)
    assert bots.access_token(bot_id=str(bot.pk), by=caller).expires_at == soon
    caller.grant.ends_at = soon - dt.timedelta(minutes=1)
    assert bots.access_token(bot_id=str(bot.pk), by=caller).expires_at == caller.grant.ends_at


def _delete_the_bot(program: Program, caller: AccessContext, admin: User) -> None:
    bots.remove(connector=caller.connector, bot_id=str(Bot.objects.get().pk), by=caller)


def _revoke(program: Program, caller: AccessContext, admin: User) -> None:
    grants.revoke(grant=program.grant, by=admin)


def _regenerate(program: Program, caller: AccessContext, admin: User) -> None:
    grants.regenerate(grant=program.grant, by=admin)


def _suspend(program: Program, caller: AccessContext, admin: User) -> None:
    connectors.suspend(connector=program.connector, by=program.connector.owner)


def _delete(program: Program, caller: AccessContext, admin: User) -> None:
    connectors.delete(connector=program.connector, by=program.connector.owner)


def _give_the_bot_away(program: Program, caller: AccessContext, admin: User) -> None:
    Bot.objects.update(connector=factories.make_connector(program.connector.owner))


@pytest.mark.parametrize("act", [_delete_the_bot, _revoke, _regenerate, _suspend, _delete, _give_the_bot_away])
def test_what_ends_the_right_or_the_bot_ends_its_tokens_on_the_very_next_call(
    program: Program, caller: AccessContext, token: str, group_admin: User, act: Callable[..., Any]
) -> None:
    assert authentication.get_access_context(token)
    act(program, caller, group_admin)
    assert refused(token)


def test_a_bots_token_says_what_was_put_into_it_and_is_no_other_bots(bot: Bot, token: str) -> None:
    claims = token_format.read_access_token(token)
    assert claims is not None
    assert claims.bot_id == bot.pk
    plain = token_format.mint_access_token(
        refresh_token_id=claims.refresh_token_id, grant_id=claims.grant_id, generation=0, expires_at=claims.expires_at
    )
    ordinary = token_format.read_access_token(plain)
    assert ordinary is not None
    assert ordinary.bot_id is None
    assert token_format.PATTERN.fullmatch(token)
    for position in range(5, len(token) - 6, 7):
        changed = "A" if token[position] != "A" else "B"
        body = token[:position] + changed + token[position + 1 : -6]
        assert token_format.read_access_token(body + token_format._checksum(body)) is None


def test_a_leaked_bots_token_is_refused_with_what_it_stands_on(token: str, program: Program) -> None:
    leak_reports.report(text=f"accessToken: {token}", address="127.0.0.1")
    assert refused(token)
    with pytest.raises(RefreshTokenRefused):
        exchange(program)


# The inspector --------------------------------------------------------------------------------------------------------


def test_the_inspector_says_as_which_bot_a_token_acts(token: str, bot: Bot, developer: User) -> None:
    found = introspection.introspect(text=token, by=developer)
    assert found.works
    assert found.bot == bot
    assert "Rota" in found.checks[-1].says
    assert "groupinfo.read" not in found.scopes
    assert "textmessage.write" in found.scopes


def test_the_inspector_says_that_the_bot_was_deleted(
    token: str, bot: Bot, caller: AccessContext, developer: User
) -> None:
    bots.remove(connector=caller.connector, bot_id=str(bot.pk), by=caller)
    found = introspection.introspect(text=token, by=developer)
    assert [check.label for check in found.checks if not check.passed] == ["Bot"]
    assert "was deleted" in found.checks[-1].says
    assert "POST /v1/bot" in found.next_step


def test_the_inspector_does_not_tell_of_a_bot_that_is_another_connectors(token: str, bot: Bot, developer: User) -> None:
    Bot.objects.update(connector=factories.make_connector(developer))
    found = introspection.introspect(text=token, by=developer)
    assert found.bot is None
    assert not found.works


def test_a_change_that_changes_nothing_is_not_told(bot: Bot, caller: AccessContext) -> None:
    bots.change(connector=caller.connector, bot_id=str(bot.pk), name="Rota", picture_url=None, by=caller)
    assert not AuditEvent.objects.filter(tag="connector:bot:changed").exists()


def test_a_bots_call_is_one_select_and_knows_the_bot(bot: Bot, token: str, program: Program) -> None:
    with CaptureQueriesContext(connection) as captured:
        caller = authentication.get_access_context(token)
        assert caller.bot == bot
        assert (caller.bot.name, caller.bot.picture_url) == (bot.name, bot.picture_url)
        assert caller.bot.connector == caller.connector == program.connector
        assert caller.grant == program.grant
        name = f"Rota ({program.connector.name})"
        assert caller.audit_actor() == ("connector", str(program.connector.pk), name)
    assert len(captured) == 1


def test_an_ordinary_token_is_still_one_select_and_no_bot(bot: Bot, program: Program) -> None:
    token = exchange(program).access_token
    with CaptureQueriesContext(connection) as captured:
        assert authentication.get_access_context(token).bot is None
    assert len(captured) == 1
    assert "bot" not in captured[0]["sql"]
