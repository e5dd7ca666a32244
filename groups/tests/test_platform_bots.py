"""The endpoints of bots (wire protocol §6, Bots), and where a bot's token leads."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, User
from connectors import authentication
from connectors.models import Bot, Connector
from connectors.permissions import PERMISSIONS
from connectors.services import bots
from groups import access
from groups.models import Group, GroupBot, Membership, Message
from groups.tests.conftest import invalid, not_found, refused
from groups.tests.factories import Program, let_act_for, let_in, make_connector, make_group, unknown_id
from kaizala_console.api.errors import GroupNotReachable
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.django_db


def made(program: Program, **body: str) -> Any:
    answer = program.post("/v1/bot", {"name": "Rota", **body})
    assert answer.status_code == 200, answer.content
    return answer.json()


def add(program: Program, group: Group, *bot_ids: str) -> Any:
    return program.put(f"/v1/groups/{group.pk}/bot", {"botIds": bot_ids})


@pytest.fixture
def bot(program: Program) -> str:
    """The id of a bot of the program's connector."""
    return str(made(program)["id"])


def acting_as(program: Program, bot: str) -> Program:
    return program.with_token(program.get(f"/v1/bot/accessToken/{bot}").json()["accessToken"])


@pytest.fixture
def as_bot(program: Program, bot: str, group: Group) -> Program:
    """The program with a token that acts as the bot, which is in the group."""
    assert add(program, group, bot).json() == {"result": True}
    return acting_as(program, bot)


@pytest.fixture
def other(developer: User, group: Group, group_admin: User) -> Program:
    """Another program of the same developer, in the same group."""
    return let_in(make_connector(developer, name="Canteen", permissions=PERMISSIONS), group, group_admin)


# The doors ------------------------------------------------------------------------------------------------------------


def test_a_bot_is_made_listed_changed_and_deleted(program: Program) -> None:
    picture = "https://example.com/rota.png"
    bot = made(program, profilePic=picture)
    named = {"id": bot["id"], "botUserId": bot["id"]}  # old programs in C# read the second one
    assert bot == {**named, "name": "Rota", "profilePic": picture}
    assert program.get("/v1/bot").json() == {"bots": [bot]}
    changed = program.put(f"/v1/bot/{bot['id']}", '{"Name": "Rota 2"}')
    assert changed.json() == {**named, "name": "Rota 2", "profilePic": picture}
    assert program.delete(f"/v1/bot/{bot['id']}").json() == {"result": True}
    assert program.get("/v1/bot").json() == {"bots": []}


def test_a_bot_is_added_as_old_programs_do_it(program: Program, other: Program, group: Group) -> None:
    bot = made(program)["botUserId"]
    body = json.dumps({"BotUserId": bot})
    not_found(other.post(f"/v1/groups/{group.pk}/bot", body))
    assert not GroupBot.objects.exists()
    assert program.post(f"/v1/groups/{group.pk}/bot", body).json() == {"result": True}
    assert str(GroupBot.objects.get().bot_id) == bot
    assert program.put(f"/v1/groups/{group.pk}/bot", body).json() == {"result": True}


def test_a_token_for_the_bot_tells_its_end_and_its_scopes(program: Program, bot: str) -> None:
    answer = program.get(f"/v1/bot/accessToken/{bot}").json()
    assert sorted(answer) == ["accessToken", "accessTokenExpiry", "scope"]
    assert 23 * 3600_000 < answer["accessTokenExpiry"] - clock.epoch_ms(clock.now()) <= 24 * 3600_000
    assert answer["scope"].split(",")[0] == "textmessage.read"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{}", "name"),
        ('{"name": " "}', "name"),
        ('{"name": "Rota", "profilePic": "x"}', "profilePic"),
        ('{"name": {}}', "name"),
    ],
)
def test_a_field_that_is_wrong_is_named(program: Program, body: str, field: str) -> None:
    message = invalid(program.post("/v1/bot", body))
    assert field in message
    assert not Bot.objects.exists()


def test_a_strangers_bot_and_none_are_one_answer(other: Program, group: Group, bot: str, as_bot: Program) -> None:
    answers = set()
    for bot_id in (bot, unknown_id(), "nonsense"):
        for answer in (
            other.put(f"/v1/bot/{bot_id}", '{"name": "Mine"}'),
            other.delete(f"/v1/bot/{bot_id}"),
            other.get(f"/v1/bot/accessToken/{bot_id}"),
            other.delete(f"/v1/groups/{group.pk}/bot/{bot_id}"),
        ):
            answers.add(not_found(answer))
    assert len(answers) == 2, "one for the connector and one for the group"
    assert other.get("/v1/bot").json() == {"bots": []}
    kept = Bot.objects.get()
    assert (kept.name, kept.removed_at, GroupBot.objects.count()) == ("Rota", None, 1)


# Into a group, and out of it ------------------------------------------------------------------------------------------


def test_bots_are_added_to_those_that_are_there(program: Program, group: Group, bot: str) -> None:
    second = made(program)["id"]
    assert add(program, group, bot).json() == {"result": True}
    assert add(program, group, second, second, bot).json() == {"result": True}
    assert {str(row.bot_id) for row in GroupBot.objects.filter(group=group)} == {bot, second}
    events = AuditEvent.objects.filter(tag="group:bot:added", group_id=group.pk)
    assert sorted(event.subject_id for event in events) == sorted([bot, second])


def test_a_bot_is_taken_out_again(program: Program, group: Group, bot: str, as_bot: Program) -> None:
    path = f"/v1/groups/{group.pk}/bot/{bot}"
    assert program.delete(path).json() == {"result": True}
    refused(as_bot.post(f"/v1/groups/{group.pk}/messages", '{"message": "x"}'), 403, "Unauthorized")
    not_found(program.delete(path))
    assert AuditEvent.objects.filter(tag="group:bot:removed", group_id=group.pk).count() == 1


@pytest.mark.parametrize("bot_ids", [None, [], {}, [unknown_id() for _ in range(bots.MOST_BOTS + 1)]])
def test_no_bot_and_more_than_a_connector_can_have_are_refused(program: Program, group: Group, bot_ids: Any) -> None:
    answer = program.put(f"/v1/groups/{group.pk}/bot", {"botIds": bot_ids})
    assert "botIds" in invalid(answer)


def test_when_one_is_not_the_connectors_none_is_added(program: Program, other: Program, group: Group, bot: str) -> None:
    foreign = made(other)["id"]
    answers = {not_found(add(program, group, bot, wrong)) for wrong in (foreign, unknown_id(), "nonsense")}
    assert len(answers) == 1
    assert not GroupBot.objects.exists()


def test_a_bot_is_in_a_group_once(group: Group, bot: str) -> None:
    GroupBot.objects.create(group=group, bot_id=bot)
    with pytest.raises(IntegrityError), transaction.atomic():
        GroupBot.objects.create(group=group, bot_id=bot)


# Where a bot's token leads --------------------------------------------------------------------------------------------


def test_what_a_bot_posts_shows_the_bot(group: Group, bot: str, as_bot: Program, program: Program) -> None:
    answer = as_bot.post(f"/v1/groups/{group.pk}/messages", '{"message": "Rota is out"}')
    message = Message.objects.get(pk=answer.json()["referenceId"])
    assert (str(message.bot_id), message.connector) == (bot, program.connector)


def test_a_bot_reaches_the_groups_it_was_added_to_and_no_others(
    program: Program, group: Group, bot: str, as_bot: Program
) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    caller = authentication.get_access_context(as_bot.access_token)
    assert [found.name for found in access.list_reachable_groups(caller)] == ["Night Shift"]
    assert [found.name for found in access.list_named_groups(caller)] == ["Night Shift"]
    with pytest.raises(GroupNotReachable):
        access.reach(caller, below.pk)
    add(program, below, bot)
    assert access.reach(caller, below.pk).name == "Below"
    assert {found.name for found in access.list_reachable_groups(caller)} == {"Below", "Night Shift"}


def test_a_bot_never_reaches_more_than_its_grant(
    connector: Connector, program: Program, group: Group, member: User, bot: str, as_bot: Program
) -> None:
    of_member = let_act_for(connector, member)
    members_bot = acting_as(of_member, bot)
    assert access.reach(authentication.get_access_context(members_bot.access_token), group.pk).role == "Member"
    Membership.objects.filter(group=group, person=of_member.grant.person).delete()
    refused(members_bot.post(f"/v1/groups/{group.pk}/messages", {"message": "x"}), 403, "Unauthorized")
    assert access.reach(authentication.get_access_context(as_bot.access_token), group.pk).role == "Admin"


def statements_of(act: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)


def test_a_bots_reach_costs_no_statement_more(program: Program, group: Group, as_bot: Program) -> None:
    def statements(token: Program) -> int:
        return statements_of(lambda: access.reach(authentication.get_access_context(token.access_token), group.pk))

    assert statements(as_bot) == statements(program) == 2


def test_the_list_of_bots_is_one_statement_however_many(program: Program) -> None:
    made(program)
    few = statements_of(lambda: program.get("/v1/bot"))
    for number in range(5):
        made(program, name=f"Bot {number}")
    assert statements_of(lambda: program.get("/v1/bot")) == few


def test_the_inspector_knows_the_reach_of_a_bot(program: Program, group: Group, bot: str, as_bot: Program) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    found = Bot.objects.get(pk=bot)
    assert access.get_token_role(program.grant, str(group.pk), found) == "Admin"
    assert access.get_token_role(program.grant, str(below.pk), found) == ""
    assert access.get_token_role(program.grant, str(below.pk)) == "Admin"
    assert access.get_token_role(program.grant, str(group.pk), Bot(pk=ids.new_id())) == ""
