"""Bots and the tokens that act as one, accepted only while everything under them lives; and the tab of their owners."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors import authentication, token_format
from connectors.authentication import AccessContext
from connectors.models import Bot, Connector, Grant, RefreshToken
from connectors.permissions import PERMISSIONS, Permission
from connectors.services import bots, connectors, grants, introspection, leak_reports
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import count_queries, text_of
from connectors.tests.test_tokens import exchange
from kaizala_console.api.errors import RefreshTokenRefused, TokenInvalid
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import NotAllowed, NotFound, RuleBroken

pytestmark = pytest.mark.django_db
ACTS: dict[str, Callable[[str, AccessContext], Any]] = {
    "change": lambda bot_id, by: bots.change(
        connector=by.connector, bot_id=bot_id, name="Mine", picture_url=None, by=by
    ),
    "remove": lambda bot_id, by: bots.remove(connector=by.connector, bot_id=bot_id, by=by),
    "access token": lambda bot_id, by: bots.access_token(bot_id=bot_id, by=by),
}
ENDS: dict[str, Callable[[Program, User], Any]] = {
    "the bot deleted": lambda program, admin: bots.remove(
        connector=program.connector, bot_id=str(Bot.objects.get().pk), by=program.connector.owner
    ),
    "the bot given away": lambda program, admin: Bot.objects.update(
        connector=factories.make_connector(program.connector.owner)
    ),
    "revoked": lambda program, admin: grants.revoke(grant=program.grant, by=admin),
    "regenerated": lambda program, admin: grants.regenerate(grant=program.grant, by=admin),
    "suspended": lambda program, admin: connectors.suspend(connector=program.connector, by=program.connector.owner),
    "deleted": lambda program, admin: connectors.delete(connector=program.connector, by=program.connector.owner),
}
Browser = Callable[..., Client]
KEY = {"idempotency_key": "k" * 32}


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


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
def test_what_cannot_be_shown_is_refused(caller: AccessContext, name: str, picture_url: str, field: str) -> None:
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


def test_a_change_keeps_what_is_left_out_and_nothing_changed_is_no_event(bot: Bot, caller: AccessContext) -> None:
    which: dict[str, Any] = {"connector": caller.connector, "bot_id": str(bot.pk), "by": caller}
    bots.change(name="Rota", picture_url=None, **which)
    assert bots.change(name="Rota 2", picture_url=None, **which).picture_url == bot.picture_url
    assert bots.change(name=None, picture_url="", **which).name == "Rota 2"
    changes = AuditEvent.objects.filter(tag="connector:bot:changed").order_by("id")
    assert [(event.before["bot"], event.after["bot"]) for event in changes][:1] == [("Rota", "Rota 2")]
    assert len(changes) == 2


def test_a_deleted_bot_is_gone_but_its_row_and_name_stay(bot: Bot, caller: AccessContext) -> None:
    bots.remove(connector=caller.connector, bot_id=str(bot.pk), by=caller)
    assert bots.list_bots(by=caller) == []
    assert Bot.objects.get().name == "Rota"
    assert AuditEvent.objects.filter(tag="connector:bot:removed").count() == 1
    with pytest.raises(NotFound):
        bots.remove(connector=caller.connector, bot_id=str(bot.pk), by=caller)


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


def test_nothing_is_made_without_an_audit_row(caller: AccessContext, no_audit: Callable[[], None]) -> None:
    no_audit()
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


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_the_right_or_the_bot_ends_its_tokens_on_the_very_next_call(
    program: Program, token: str, group_admin: User, end: str
) -> None:
    assert authentication.get_access_context(token)
    ENDS[end](program, group_admin)
    assert refused(token)


def test_a_bots_token_says_what_was_put_into_it_and_is_no_other_bots(bot: Bot, token: str) -> None:
    claims = token_format.read_access_token(token)
    assert claims is not None
    assert claims.bot_id == bot.pk
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


def test_the_inspector_says_that_the_bot_was_deleted_and_nothing_of_another_connectors(
    token: str, bot: Bot, caller: AccessContext, developer: User
) -> None:
    bots.remove(connector=caller.connector, bot_id=str(bot.pk), by=caller)
    found = introspection.introspect(text=token, by=developer)
    assert [check.label for check in found.checks if not check.passed] == ["Bot"]
    assert "POST /v1/bot" in found.next_step
    Bot.objects.update(connector=factories.make_connector(developer), removed_at=None)
    found = introspection.introspect(text=token, by=developer)
    assert (found.bot, found.works) == (None, False)


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


def at(name: str, *ids: Any) -> str:
    return reverse(f"connectors:{name}", args=ids)


# The pages ------------------------------------------------------------------------------------------------------------


def test_without_the_permission_to_post_it_leads_to_that_instead(client: Client, developer: User) -> None:
    mute = factories.make_connector(developer, "Reader", permissions=frozenset({Permission.GROUP_INFORMATION}))
    assert at("bot_add", mute.pk) not in client.get(at("bots", mute.pk)).content.decode()
    for answer in (client.get(at("bot_add", mute.pk)), client.post(at("bot_add", mute.pk), {"name": "Rota", **KEY})):
        assert answer["Location"] == at("bots", mute.pk)
    assert not Bot.objects.exists()


@pytest.mark.parametrize("who", ["developer", "member"])
def test_an_owner_makes_one_and_a_double_click_makes_no_second(
    connector: Connector, who: str, request: pytest.FixtureRequest, member: User, browser_of: Browser
) -> None:
    connector.co_owners.add(member)
    client = browser_of(request.getfixturevalue(who))
    form = {"name": " Shift  reminders ", "picture": "https://pictures.example/a.png", **KEY}
    for _click in range(2):
        page = client.post(at("bot_add", connector.pk), form, follow=True)
        assert "Shift reminders Picture at pictures.example no group yet not yet" in text_of(page)
    made = Bot.objects.get()
    assert (made.connector, made.name, made.picture_url) == (connector, "Shift reminders", form["picture"])
    event = AuditEvent.objects.get(tag="connector:bot:created")
    assert (event.actor_kind, event.connector_id) == ("user", connector.pk)


@pytest.mark.parametrize(
    ("name", "picture", "field"), [("", "https://pictures.example/a.png", "name"), ("Rota", "rota.png", "picture")]
)
def test_what_is_refused_stays_in_the_form_with_its_reason(
    client: Client, connector: Connector, name: str, picture: str, field: str
) -> None:
    page = client.post(at("bot_add", connector.pk), {"name": name, "picture": picture, **KEY})
    assert page.status_code == 400
    assert f"id_{field}_error" in page.content.decode()
    assert f'value="{picture}"' in page.content.decode()
    assert not Bot.objects.exists()


def test_a_full_connector_offers_no_more_and_refuses_one(client: Client, connector: Connector) -> None:
    Bot.objects.bulk_create(Bot(connector=connector, name=str(n)) for n in range(bots.MOST_BOTS))
    assert at("bot_add", connector.pk) not in client.get(at("bots", connector.pk)).content.decode()
    assert client.post(at("bot_add", connector.pk), {"name": "One more", **KEY}).status_code == 400


def test_more_bots_cost_no_more_queries(client: Client, connector: Connector, bot: Bot) -> None:
    few = count_queries(client, at("bots", connector.pk))
    Bot.objects.bulk_create(Bot(connector=connector, name=f"{n}") for n in range(20))
    assert count_queries(client, at("bots", connector.pk)) == few


def test_a_change_is_saved(connector: Connector, bot: Bot, developer: User, browser_of: Browser) -> None:
    url, client = at("bot_change", connector.pk, bot.pk), browser_of(developer)
    assert str(bot.pk) in client.get(url).content.decode()
    assert client.post(url, {"name": "Rota 2", "picture": ""})["Location"] == at("bots", connector.pk)
    bot.refresh_from_db()
    assert (bot.name, bot.picture_url) == ("Rota 2", "")


def test_deleting_says_what_stops_and_wants_the_name(
    connector: Connector, bot: Bot, developer: User, browser_of: Browser
) -> None:
    client, url = browser_of(developer), at("bot_remove", connector.pk, bot.pk)
    assert "What will stop" in text_of(client.get(url))
    refused = client.post(url, {"typed": "Shift Planner"})
    assert refused.status_code == 400
    assert "Type the name exactly: “Rota”." in text_of(refused)
    assert Bot.objects.present().exists()
    assert client.post(url, {"typed": "rota"})["Location"] == at("bots", connector.pk)
    assert not Bot.objects.present().exists()
    assert "is already deleted." in text_of(client.post(url, {"typed": "rota"}, follow=True))
    assert AuditEvent.objects.filter(tag="connector:bot:removed").count() == 1


@pytest.mark.parametrize("name", ["bot_change", "bot_remove"])
def test_pages_that_were_open_when_the_bot_was_deleted_lead_to_the_others(
    connector: Connector, bot: Bot, name: str, developer: User, browser_of: Browser
) -> None:
    bots.remove(connector=connector, bot_id=bot.pk, by=developer)
    client, url = browser_of(developer), at(name, connector.pk, bot.pk)
    for answer in (client.get(url), client.post(url, {"name": "Rota 2", "typed": "Rota"})):
        assert answer["Location"] == at("bots", connector.pk)
    assert "is already deleted." in text_of(client.get(at("bots", connector.pk)))


@pytest.mark.parametrize("name", ["bot_change", "bot_remove"])
def test_a_bot_is_found_under_its_own_connector(bot: Bot, name: str, developer: User, browser_of: Browser) -> None:
    other = factories.make_connector(developer, "Other", permissions=PERMISSIONS)
    client, url = browser_of(developer), at(name, other.pk, bot.pk)
    assert client.get(url).status_code == 404
    assert client.post(url, {"name": "Taken over", "typed": "Rota"}).status_code == 404
    bot.refresh_from_db()
    assert (bot.name, bot.removed_at) == ("Rota", None)
