"""The doors of bots (wire protocol §6, Bots), and where a bot's token leads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, User
from connectors import authentication
from connectors.models import Bot, Connector
from connectors.permissions import PERMISSIONS, Permission
from connectors.services import bots
from groups import access
from groups.models import Group, GroupBot, Membership, Message
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, make_connector, make_group, unknown_id
from kaizala_console.api.errors import GroupNotReachable
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.django_db


def made(wire: Wire, program: Program, **body: str) -> Any:
    answer = wire.post("/v1/bot", json.dumps({"name": "Rota", **body}), program)
    assert answer.status_code == 200, answer.content
    return answer.json()


def add(wire: Wire, program: Program, group: Group, *bot_ids: str) -> Any:
    return wire.put(f"/v1/groups/{group.pk}/bot", json.dumps({"botIds": bot_ids}), program)


@pytest.fixture
def bot(wire: Wire, program: Program) -> str:
    """The id of a bot of the program's connector."""
    return str(made(wire, program)["id"])


@pytest.fixture
def token(wire: Wire, program: Program, bot: str, group: Group) -> str:
    """A token that acts as the bot, which is in the group."""
    assert add(wire, program, group, bot).json() == {"result": True}
    return str(wire.get(f"/v1/bot/accessToken/{bot}", program).json()["accessToken"])


@pytest.fixture
def other(developer: User, group: Group, group_admin: User) -> Program:
    """Another program of the same developer, in the same group."""
    return let_in(make_connector(developer, name="Canteen", permissions=PERMISSIONS), group, group_admin)


# The doors ------------------------------------------------------------------------------------------------------------


def test_a_bot_is_made_listed_changed_and_deleted(wire: Wire, program: Program) -> None:
    picture = "https://example.com/rota.png"
    bot = made(wire, program, profilePic=picture)
    named = {"id": bot["id"], "botUserId": bot["id"]}  # old programs in C# read the second one
    assert bot == {**named, "name": "Rota", "profilePic": picture}
    assert wire.get("/v1/bot", program).json() == {"bots": [bot]}
    changed = wire.put(f"/v1/bot/{bot['id']}", '{"Name": "Rota 2"}', program)
    assert changed.json() == {**named, "name": "Rota 2", "profilePic": picture}
    assert wire.delete(f"/v1/bot/{bot['id']}", program).json() == {"result": True}
    assert wire.get("/v1/bot", program).json() == {"bots": []}


def test_a_bot_is_added_as_old_programs_do_it(wire: Wire, program: Program, other: Program, group: Group) -> None:
    bot = made(wire, program)["botUserId"]
    body = json.dumps({"BotUserId": bot})
    refused(wire.post(f"/v1/groups/{group.pk}/bot", body, other), 404, "NotFound", "NotFoundException")
    assert not GroupBot.objects.exists()
    assert wire.post(f"/v1/groups/{group.pk}/bot", body, program).json() == {"result": True}
    assert str(GroupBot.objects.get().bot_id) == bot
    assert wire.put(f"/v1/groups/{group.pk}/bot", body, program).json() == {"result": True}


def test_a_token_for_the_bot_tells_its_end_and_its_scopes(wire: Wire, program: Program, bot: str) -> None:
    answer = wire.get(f"/v1/bot/accessToken/{bot}", program).json()
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
def test_a_field_that_is_wrong_is_named(wire: Wire, program: Program, body: str, field: str) -> None:
    message = refused(wire.post("/v1/bot", body, program), 400, "InvalidParameters", "ValidationException")
    assert field in message
    assert not Bot.objects.exists()


DOORS = {
    "PUT": ("put", "/v1/bot/{}"),
    "DELETE": ("delete", "/v1/bot/{}"),
    "access token": ("get", "/v1/bot/accessToken/{}"),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_strangers_bot_and_none_are_one_answer(wire: Wire, other: Program, bot: str, door: str) -> None:
    method, path = DOORS[door]
    answers = []
    for bot_id in (bot, unknown_id(), "nonsense"):
        body = ['{"name": "Mine"}'] if method == "put" else []
        answer = getattr(wire, method)(path.format(bot_id), *body, other)
        answers.append(refused(answer, 404, "NotFound", "NotFoundException"))
    assert len(set(answers)) == 1
    assert wire.get("/v1/bot", other).json() == {"bots": []}
    kept = Bot.objects.get()
    assert (kept.name, kept.removed_at) == ("Rota", None)


def test_nobody_without_a_token_comes_in(wire: Wire, bot: str, group: Group) -> None:
    paths = ["/v1/bot", f"/v1/bot/accessToken/{bot}"]
    for answer in [
        *(wire.get(path) for path in paths),
        wire.post("/v1/bot", '{"name": "Mine"}'),
        wire.put(f"/v1/bot/{bot}", '{"name": "Mine"}'),
        wire.delete(f"/v1/bot/{bot}"),
        wire.put(f"/v1/groups/{group.pk}/bot", json.dumps({"botIds": [bot]})),
        wire.delete(f"/v1/groups/{group.pk}/bot/{bot}"),
    ]:
        refused(answer, 401, "InvalidToken")
    assert Bot.objects.filter(name="Rota", removed_at=None).count() == 1
    assert not GroupBot.objects.exists()


def test_the_permission_that_is_missing_is_named(wire: Wire, developer: User, group: Group, group_admin: User) -> None:
    reader = let_in(make_connector(developer, permissions=[Permission.GROUP_INFORMATION]), group, group_admin)
    assert "Text Message" in refused(wire.post("/v1/bot", '{"name": "Rota"}', reader), 403, "Unauthorized")
    assert "Text Message" in refused(wire.get("/v1/bot", reader), 403, "Unauthorized")
    writer = let_in(make_connector(developer, permissions=[Permission.TEXT_MESSAGE]), group, group_admin)
    bot = made(wire, writer)["id"]
    assert "Group Information" in refused(add(wire, writer, group, bot), 403, "Unauthorized")
    assert not GroupBot.objects.exists()


# Into a group, and out of it ------------------------------------------------------------------------------------------


def test_bots_are_added_to_those_that_are_there(wire: Wire, program: Program, group: Group, bot: str) -> None:
    second = made(wire, program)["id"]
    assert add(wire, program, group, bot).json() == {"result": True}
    assert add(wire, program, group, second, second, bot).json() == {"result": True}
    assert {str(row.bot_id) for row in GroupBot.objects.filter(group=group)} == {bot, second}
    events = AuditEvent.objects.filter(tag="group:bot:added", group_id=group.pk)
    assert sorted(event.subject_id for event in events) == sorted([bot, second])


def test_a_bot_is_taken_out_again(wire: Wire, program: Program, group: Group, bot: str, token: str) -> None:
    path = f"/v1/groups/{group.pk}/bot/{bot}"
    assert wire.delete(path, program).json() == {"result": True}
    refused(wire.post(f"/v1/groups/{group.pk}/messages", '{"message": "x"}', token), 403, "Unauthorized")
    refused(wire.delete(path, program), 404, "NotFound", "NotFoundException")
    assert AuditEvent.objects.filter(tag="group:bot:removed", group_id=group.pk).count() == 1


@pytest.mark.parametrize("body", ["{}", '{"botIds": []}', '{"botIds": {}}', '{"botIds": null}'])
def test_no_bot_at_all_is_refused(wire: Wire, program: Program, group: Group, body: str) -> None:
    answer = wire.put(f"/v1/groups/{group.pk}/bot", body, program)
    assert "botIds" in refused(answer, 400, "InvalidParameters", "ValidationException")


def test_when_one_is_not_the_connectors_none_is_added(
    wire: Wire, program: Program, other: Program, group: Group, bot: str
) -> None:
    foreign = made(wire, other)["id"]
    answers = {
        refused(add(wire, program, group, bot, wrong), 404, "NotFound", "NotFoundException")
        for wrong in (foreign, unknown_id(), "nonsense")
    }
    assert len(answers) == 1
    assert not GroupBot.objects.exists()


def test_more_than_a_connector_can_have_are_not_looked_for(wire: Wire, program: Program, group: Group) -> None:
    answer = add(wire, program, group, *(unknown_id() for _ in range(bots.MOST_BOTS + 1)))
    assert "botIds" in refused(answer, 400, "InvalidParameters", "ValidationException")


def test_a_members_token_adds_no_bot_and_takes_none_out(
    wire: Wire, connector: Connector, program: Program, group: Group, member: User, bot: str, token: str
) -> None:
    of_member = let_act_for(connector, member)
    refused(add(wire, of_member, group, bot), 403, "Unauthorized")
    refused(wire.delete(f"/v1/groups/{group.pk}/bot/{bot}", of_member), 403, "Unauthorized")
    assert GroupBot.objects.count() == 1


def test_a_group_out_of_reach_and_none_are_one_answer(wire: Wire, program: Program, group: Group, bot: str) -> None:
    beside = make_group("Beside", organisation=group.organisation)
    paths = [f"/v1/groups/{group_id}/bot" for group_id in (beside.pk, unknown_id())]
    answers = {refused(wire.put(path, json.dumps({"botIds": [bot]}), program), 403, "Unauthorized") for path in paths}
    answers |= {refused(wire.delete(f"{path}/{bot}", program), 403, "Unauthorized") for path in paths}
    assert len(answers) == 1
    assert not GroupBot.objects.exists()


def test_another_connectors_bot_is_not_taken_out(
    wire: Wire, other: Program, group: Group, bot: str, token: str
) -> None:
    for bot_id in (bot, unknown_id(), "nonsense"):
        answer = wire.delete(f"/v1/groups/{group.pk}/bot/{bot_id}", other)
        refused(answer, 404, "NotFound", "NotFoundException")
    assert GroupBot.objects.count() == 1


def test_a_bot_is_in_a_group_once(group: Group, bot: str) -> None:
    GroupBot.objects.create(group=group, bot_id=bot)
    with pytest.raises(IntegrityError), transaction.atomic():
        GroupBot.objects.create(group=group, bot_id=bot)


# Where a bot's token leads --------------------------------------------------------------------------------------------


def test_what_a_bot_posts_shows_the_bot(wire: Wire, group: Group, bot: str, token: str, program: Program) -> None:
    answer = wire.post(f"/v1/groups/{group.pk}/messages", '{"message": "Rota is out"}', token)
    message = Message.objects.get(pk=answer.json()["referenceId"])
    assert (str(message.bot_id), message.connector) == (bot, program.connector)


def test_a_bot_reaches_the_groups_it_was_added_to_and_no_others(
    wire: Wire, program: Program, group: Group, bot: str, token: str
) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    caller = authentication.get_access_context(token)
    assert [found.name for found in access.list_reachable_groups(caller)] == ["Night Shift"]
    assert [found.name for found in access.list_named_groups(caller)] == ["Night Shift"]
    with pytest.raises(GroupNotReachable):
        access.reach(caller, below.pk)
    add(wire, program, below, bot)
    assert access.reach(caller, below.pk).name == "Below"
    assert {found.name for found in access.list_reachable_groups(caller)} == {"Below", "Night Shift"}


def test_a_bot_never_reaches_more_than_its_grant(
    wire: Wire, connector: Connector, program: Program, group: Group, member: User, bot: str, token: str
) -> None:
    of_member = let_act_for(connector, member)
    text = wire.get(f"/v1/bot/accessToken/{bot}", of_member).json()["accessToken"]
    assert access.reach(authentication.get_access_context(text), group.pk).role == "Member"
    Membership.objects.filter(group=group, person=of_member.grant.person).delete()
    refused(wire.post(f"/v1/groups/{group.pk}/messages", '{"message": "x"}', text), 403, "Unauthorized")
    assert access.reach(authentication.get_access_context(token), group.pk).role == "Admin"


def test_a_bot_neither_reads_members_nor_prolongs_itself(wire: Wire, group: Group, bot: str, token: str) -> None:
    refused(wire.get(f"/v1/groups/{group.pk}/members", token), 403, "Unauthorized")
    refused(wire.get("/v1/groups", token), 403, "Unauthorized")
    refused(wire.get(f"/v1/bot/accessToken/{bot}", token), 403, "Unauthorized")
    refused(wire.post("/v1/bot", '{"name": "Another"}', token), 403, "Unauthorized")


def test_a_deleted_bots_token_is_refused_on_the_very_next_call(
    wire: Wire, program: Program, group: Group, bot: str, token: str
) -> None:
    path = f"/v1/groups/{group.pk}/messages"
    assert wire.post(path, '{"message": "x"}', token).status_code == 200
    wire.delete(f"/v1/bot/{bot}", program)
    assert "Token validation failed" in refused(wire.post(path, '{"message": "x"}', token), 401, "InvalidToken")
    assert Message.objects.count() == 1


def test_a_bots_reach_costs_no_statement_more(program: Program, group: Group, token: str) -> None:
    def statements(text: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            access.reach(authentication.get_access_context(text), group.pk)
        return len(captured)

    assert statements(token) == statements(program.access_token) == 2


def test_the_list_of_bots_is_one_statement_however_many(wire: Wire, program: Program) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            wire.get("/v1/bot", program)
        return len(captured)

    made(wire, program)
    few = statements()
    for number in range(5):
        made(wire, program, name=f"Bot {number}")
    assert statements() == few


def test_the_inspector_knows_the_reach_of_a_bot(program: Program, group: Group, bot: str, token: str) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    found = Bot.objects.get(pk=bot)
    assert access.get_token_role(program.grant, str(group.pk), found) == "Admin"
    assert access.get_token_role(program.grant, str(below.pk), found) == ""
    assert access.get_token_role(program.grant, str(below.pk)) == "Admin"
    assert access.get_token_role(program.grant, str(group.pk), Bot(pk=ids.new_id())) == ""
