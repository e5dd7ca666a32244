"""Bots and the tokens that act as one, accepted only while everything under them lives; and the tab of their owners."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors import authentication
from connectors.authentication import AccessContext
from connectors.models import Bot, Connector, Grant, RefreshToken
from connectors.permissions import PERMISSIONS, Permission
from connectors.services import bots, introspection, leak_reports
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import count_queries, text_of
from connectors.tests.test_tokens import exchange
from kaizala_console.api.errors import RefreshTokenRefused, TokenInvalid
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotAllowed, RuleBroken

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
KEY = {"idempotency_key": "k" * 32}


@pytest.fixture
def connector(developer: User) -> Connector:
    return factories.make_connector(developer, "Shift Planner", permissions=PERMISSIONS)


@pytest.fixture
def program(connector: Connector, group_admin: User) -> Program:
    """A program that may do everything."""
    return factories.make_program(connector, group_admin)


@pytest.fixture
def caller(program: Program) -> AccessContext:
    """The program at work."""
    return authentication.get_access_context(exchange(program).access_token)


@pytest.fixture
def bot(caller: AccessContext) -> Bot:
    return bots.create(connector=caller.connector, name="Rota", picture_url="https://example.com/rota.png", by=caller)


@pytest.fixture
def token(bot: Bot, caller: AccessContext) -> str:
    """An access token that acts as the bot."""
    return bots.access_token(bot_id=str(bot.pk), by=caller).access_token


def at(name: str, *ids: Any) -> str:
    return reverse(f"connectors:{name}", args=ids)


def refused(token: str) -> bool:
    with pytest.raises(TokenInvalid):
        authentication.get_access_context(token)
    return True


# Made, changed, deleted -----------------------------------------------------------------------------------------------


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
def test_what_cannot_be_shown_is_refused(caller: AccessContext, name: str, picture_url: str, field: str) -> None:
    with pytest.raises(RuleBroken) as caught:
        bots.create(connector=caller.connector, name=name, picture_url=picture_url, by=caller)
    assert caught.value.field == field
    assert not Bot.objects.exists()


def test_a_connector_has_fifty_bots_at_the_most_and_a_deleted_one_makes_room(
    owner: Client, connector: Connector, bot: Bot
) -> None:
    Bot.objects.bulk_create(Bot(connector=connector, name=str(n)) for n in range(bots.MOST_BOTS - 1))
    add = at("bot_add", connector.pk)
    assert add not in owner.get(at("bots", connector.pk)).content.decode()
    assert owner.post(add, {"name": "One more", **KEY}).status_code == 400
    bots.remove(connector=connector, bot_id=bot.pk, by=connector.owner)
    assert owner.post(add, {"name": "One more", **KEY}).status_code == 302


def test_a_programs_change_keeps_what_is_left_out_and_the_trail_tells_what_changed(
    bot: Bot, caller: AccessContext
) -> None:
    which: dict[str, Any] = {"connector": caller.connector, "bot_id": str(bot.pk), "by": caller}
    bots.change(name="Rota", picture_url=None, **which)
    assert bots.change(name="Rota 2", picture_url=None, **which).picture_url == bot.picture_url
    assert bots.change(name=None, picture_url="", **which).name == "Rota 2"
    made, renamed, last = AuditEvent.objects.filter(subject_id=str(bot.pk)).order_by("id")
    assert (made.tag, made.actor_kind, made.connector_id) == ("connector:bot:created", "connector", bot.connector_id)
    assert (renamed.before["bot"], renamed.after["bot"]) == ("Rota", "Rota 2")
    assert last.tag == "connector:bot:changed"


@pytest.mark.parametrize(
    "act",
    [
        lambda bot, by: bots.create(connector=bot.connector, name="Another", picture_url="", by=by),
        lambda bot, by: bots.change(connector=bot.connector, bot_id=bot.pk, name="Mine", picture_url=None, by=by),
        lambda bot, by: bots.remove(connector=bot.connector, bot_id=bot.pk, by=by),
        lambda bot, by: bots.access_token(bot_id=str(bot.pk), by=by),
        lambda _bot, by: bots.list_bots(by=by),
    ],
    ids=["create", "change", "remove", "access token", "list"],
)
def test_a_bots_token_manages_no_bots(bot: Bot, token: str, act: Callable[[Bot, AccessContext], Any]) -> None:
    with pytest.raises(NotAllowed):
        act(bot, authentication.get_access_context(token))
    assert Bot.objects.get(removed_at=None).name == "Rota"


def test_a_bot_without_a_name_is_no_row(caller: AccessContext) -> None:
    with pytest.raises(IntegrityError, match="bot_has_a_name"), transaction.atomic():
        Bot.objects.create(connector=caller.connector, name="")


# Tokens ---------------------------------------------------------------------------------------------------------------


def test_a_bot_speaks_administers_nothing_and_never_may_more_than_its_connector(token: str) -> None:
    def scopes() -> set[str]:
        return set(authentication.get_access_context(token).scopes)

    assert {scope.partition(".")[0] for scope in scopes()} == {"textmessage", "action", "media", "reaction"}
    Grant.objects.update(permissions=[Permission.TEXT_MESSAGE, Permission.GROUP_INFORMATION])
    assert scopes() == {"textmessage.read", "textmessage.write"}
    Connector.objects.update(permissions=[Permission.GROUP_INFORMATION])
    assert scopes() == set()


def test_a_bots_token_lives_24_hours_and_never_outlives_what_it_stands_on(
    bot: Bot, token: str, caller: AccessContext, travel: Callable[..., dt.datetime]
) -> None:
    soon = travel(hours=23, minutes=59) + dt.timedelta(minutes=5)
    assert authentication.get_access_context(token)
    travel(minutes=2)
    assert refused(token)
    soon = clock.from_epoch_ms(clock.epoch_ms(soon))
    RefreshToken.objects.update(expires_at=soon)
    assert bots.access_token(bot_id=str(bot.pk), by=caller).expires_at == soon
    caller.grant.ends_at = soon - dt.timedelta(minutes=1)
    assert bots.access_token(bot_id=str(bot.pk), by=caller).expires_at == caller.grant.ends_at


def test_a_bot_that_was_given_to_another_connector_or_deleted_ends_its_tokens_and_the_inspector_says_so(
    bot: Bot, token: str, developer: User
) -> None:
    found = introspection.introspect(text=token, by=developer)
    assert (found.bot, found.works) == (bot, True)
    assert "textmessage.write" in found.scopes
    assert "groupinfo.read" not in found.scopes
    Bot.objects.update(connector=factories.make_connector(developer))
    assert refused(token)
    found = introspection.introspect(text=token, by=developer)
    assert (found.bot, found.works) == (None, False)
    Bot.objects.update(connector=bot.connector)
    bots.remove(connector=bot.connector, bot_id=bot.pk, by=developer)
    assert refused(token)
    found = introspection.introspect(text=token, by=developer)
    assert [check.label for check in found.checks if not check.passed] == ["Bot"]
    assert "POST /v1/bot" in found.next_step


def test_a_leaked_bots_token_is_refused_with_what_it_stands_on(token: str, program: Program) -> None:
    leak_reports.report(text=f"accessToken: {token}", address="127.0.0.1")
    assert refused(token)
    with pytest.raises(RefreshTokenRefused):
        exchange(program)


def test_a_bots_call_is_one_select_and_knows_the_bot(bot: Bot, token: str, program: Program) -> None:
    ordinary = exchange(program).access_token
    with CaptureQueriesContext(connection) as captured:
        caller = authentication.get_access_context(token)
        assert caller.bot == bot
        assert (caller.bot.name, caller.bot.picture_url) == (bot.name, bot.picture_url)
        assert caller.bot.connector == caller.connector == program.connector
        assert caller.grant == program.grant
        name = f"Rota ({program.connector.name})"
        assert caller.audit_actor() == ("connector", str(program.connector.pk), name)
        assert authentication.get_access_context(ordinary).bot is None
    assert len(captured) == 2
    assert "bot" not in captured[1]["sql"]


# The pages ------------------------------------------------------------------------------------------------------------


def test_without_the_permission_to_post_it_leads_to_that_instead(owner: Client, developer: User) -> None:
    mute = factories.make_connector(developer, "Reader", permissions=frozenset({Permission.GROUP_INFORMATION}))
    assert at("bot_add", mute.pk) not in owner.get(at("bots", mute.pk)).content.decode()
    for answer in (owner.get(at("bot_add", mute.pk)), owner.post(at("bot_add", mute.pk), {"name": "Rota", **KEY})):
        assert answer["Location"] == at("bots", mute.pk)
    assert not Bot.objects.exists()


@pytest.mark.parametrize("who", ["developer", "member"])
def test_an_owner_makes_one_and_a_double_click_makes_no_second(
    connector: Connector, who: str, request: pytest.FixtureRequest, member: User, browser_of: Browser
) -> None:
    connector.co_owners.add(member)
    client = browser_of(request.getfixturevalue(who))
    form = {"name": " Shift  reminders ", "picture": "https://pictures.example/a.png", **KEY}
    assert client.post(at("bot_add", connector.pk), {**form, "name": ""}).status_code == 400
    for _click in range(2):
        page = client.post(at("bot_add", connector.pk), form, follow=True)
        assert "Shift reminders Picture at pictures.example no group yet not yet" in text_of(page)
    made = Bot.objects.get()
    assert (made.connector, made.name, made.picture_url) == (connector, "Shift reminders", form["picture"])
    event = AuditEvent.objects.get(tag="connector:bot:created")
    assert (event.actor_kind, event.connector_id) == ("user", connector.pk)


def test_more_bots_cost_no_more_queries(owner: Client, connector: Connector, bot: Bot) -> None:
    few = count_queries(owner, at("bots", connector.pk))
    Bot.objects.bulk_create(Bot(connector=connector, name=f"{n}") for n in range(20))
    assert count_queries(owner, at("bots", connector.pk)) == few


def test_an_owner_changes_one_after_a_mistake(owner: Client, connector: Connector, bot: Bot) -> None:
    url = at("bot_change", connector.pk, bot.pk)
    for field, value in (("name", ""), ("picture", "rota.png")):
        page = owner.post(url, {"name": "Rota 2", "picture": "", field: value})
        assert page.status_code == 400
        assert f"id_{field}_error" in page.content.decode()
    assert owner.post(url, {"name": "Rota 2", "picture": ""})["Location"] == at("bots", connector.pk)
    bot.refresh_from_db()
    assert (bot.name, bot.picture_url) == ("Rota 2", "")


def test_deleting_says_what_stops_and_wants_the_name(owner: Client, connector: Connector, bot: Bot) -> None:
    url = at("bot_remove", connector.pk, bot.pk)
    assert "What will stop" in text_of(owner.get(url))
    assert owner.post(url, {"typed": "Shift Planner"}).status_code == 400
    assert Bot.objects.present().exists()
    assert owner.post(url, {"typed": "rota"})["Location"] == at("bots", connector.pk)
    assert Bot.objects.get().removed_at is not None
    assert AuditEvent.objects.filter(tag="connector:bot:removed").count() == 1


@pytest.mark.parametrize("name", ["bot_change", "bot_remove"])
def test_pages_that_were_open_when_the_bot_was_deleted_lead_to_the_others(
    owner: Client, connector: Connector, bot: Bot, name: str
) -> None:
    bots.remove(connector=connector, bot_id=bot.pk, by=connector.owner)
    url = at(name, connector.pk, bot.pk)
    for answer in (owner.get(url), owner.post(url, {"name": "Rota 2", "typed": "Rota"})):
        assert answer["Location"] == at("bots", connector.pk)
    assert "is already deleted." in text_of(owner.get(at("bots", connector.pk)))
