"""The doors of reactions (wire protocol §6, Reactions): reacting, and who may."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from accounts.models import User
from accounts.tests.factories import make_person
from connectors.models import Connector
from connectors.permissions import Permission
from groups.models import Action, Group, Message, Reaction, Subscription
from groups.services import hierarchy, messages
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, make_connector, make_group, person_of, unknown_id
from groups.tests.reactions import body, comment, path, react
from kaizala_console.lib import ids

pytestmark = pytest.mark.django_db


@pytest.fixture
def message(group: Group, group_admin: User) -> Message:
    return messages.post(group=group, text="Rota is out", person=person_of(group_admin), by=group_admin)


@pytest.fixture
def members_program(connector: Connector, member: User, group: Group) -> Program:
    """The program with a token of a mere member."""
    return let_act_for(connector, member)


# POST …/reaction ------------------------------------------------------------------------------------------------------


def test_a_like_is_the_tokens_users(wire: Wire, program: Program, message: Message, group_admin: User) -> None:
    reaction = Reaction.objects.get(pk=react(wire, program, message, "like", comment="is ignored"))
    assert (reaction.reference_id, reaction.reaction_type, reaction.comment) == (message.pk, "Like", "")
    assert (reaction.person, reaction.connector, reaction.bot) == (person_of(group_admin), program.connector, None)


@pytest.mark.postgresql
def test_a_second_like_is_the_same_like_and_another_users_is_not(
    wire: Wire, program: Program, members_program: Program, message: Message
) -> None:
    first = react(wire, program, message)
    assert react(wire, program, message) == first
    assert react(wire, members_program, message) != first
    assert Reaction.objects.count() == 2


@pytest.mark.postgresql
def test_every_comment_is_one_more(wire: Wire, program: Program, message: Message) -> None:
    assert comment(wire, program, message, "Thanks") != comment(wire, program, message, "Thanks")
    assert [row.comment for row in Reaction.objects.all()] == ["Thanks", "Thanks"]


def test_an_action_is_liked_as_a_message_is(wire: Wire, program: Program, group: Group, group_admin: User) -> None:
    action = Action.objects.create(group=group, person=person_of(group_admin), kind="Image")
    react(wire, program, action)
    answer = wire.get(path(group, action.pk, "summary"), program).json()
    assert answer["summary"] == [{"referenceId": str(action.pk), "reactionsCountMap": {"like": 1, "comment": 0}}]


def test_a_bots_like_is_the_bots(wire: Wire, program: Program, group: Group, message: Message) -> None:
    bot = wire.post("/v1/bot", '{"name": "Rota"}', program).json()["id"]
    wire.put(f"/v1/groups/{group.pk}/bot", json.dumps({"botIds": [bot]}), program)
    token = wire.get(f"/v1/bot/accessToken/{bot}", program).json()["accessToken"]
    first = react(wire, token, message)
    assert react(wire, token, message) == first != react(wire, program, message)
    users = [row["userId"] for row in wire.get(path(group, message.pk), program).json()["reactionDetails"]]
    assert users == [bot, str(program.grant.person_id)]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ('{"reactionType": "Like"}', "referenceId"),
        ('{"referenceId": "x", "reactionType": "Like"}', "referenceId"),
        ('{{"referenceId": "{}"}}', "reactionType"),
        ('{{"referenceId": "{}", "reactionType": "Wow"}}', "reactionType"),
        ('{{"referenceId": "{}", "reactionType": "Comment"}}', "comment"),
        ('{{"referenceId": "{}", "reactionType": "Comment", "comment": "  "}}', "comment"),
        ('{{"referenceId": "{}", "reactionType": "Comment", "comment": "' + "x" * 1001 + '"}}', "comment"),
    ],
)
def test_what_is_wrong_is_named(wire: Wire, program: Program, message: Message, sent: str, field: str) -> None:
    text = sent.format(message.pk) if "{{" in sent else sent
    answer = wire.post(path(message.group), text, program)
    assert field in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert not Reaction.objects.exists()


def test_bodies_are_read_as_python_prints_them(wire: Wire, program: Program, message: Message) -> None:
    sent = {"ReferenceId": str(message.pk), "reactionType": "comment", "Comment": "It’s fine", "sourceGroupId": None}
    assert wire.post(f"/groups/{message.group_id}/reaction/", str(sent).encode(), program).status_code == 200
    assert Reaction.objects.get().comment == "It’s fine"


# Who may ----------------------------------------------------------------------------------------------------------


def doors(wire: Wire, of: object, group_id: object, token: Any) -> list[Any]:
    base = f"/v1/groups/{group_id}/reaction"
    return [
        wire.post(base, body(of), token),
        wire.get(f"{base}/summary", token),
        wire.get(f"{base}/{of}/summary", token),
        wire.get(f"{base}/{of}", token),
    ]


def test_strangers_get_one_answer_on_every_door(
    wire: Wire, connector: Connector, program: Program, stranger: User, message: Message
) -> None:
    answers = set()
    of_stranger = let_act_for(connector, stranger)
    for group_id in (message.group_id, unknown_id()):
        for answer in doors(wire, message.pk, group_id, of_stranger):
            answers.add(refused(answer, 403, "Unauthorized"))
        for answer in doors(wire, message.pk, group_id, None):
            refused(answer, 401, "InvalidToken")
    assert len(answers) == 1
    assert not Reaction.objects.exists()


def test_the_permission_that_is_missing_is_named(
    wire: Wire, developer: User, group: Group, group_admin: User, message: Message
) -> None:
    poster = let_in(make_connector(developer, permissions=[Permission.TEXT_MESSAGE]), group, group_admin)
    for answer in doors(wire, message.pk, group.pk, poster):
        assert "Reactions" in refused(answer, 403, "Unauthorized")


def test_what_stands_in_another_group_is_not_here(
    wire: Wire, program: Program, group: Group, group_admin: User
) -> None:
    beside = make_group("Beside", organisation=group.organisation, admins=[group_admin])
    elsewhere = messages.post(group=beside, text="Hello", person=person_of(group_admin), by=group_admin)
    answers = set()
    for of in (elsewhere.pk, ids.new_id()):
        post, _group, summary, details = doors(wire, of, group.pk, program)
        answers |= {refused(answer, 404, "NotFound", "NotFoundException") for answer in (post, summary, details)}
    assert len(answers) == 1
    assert not Reaction.objects.exists()
    refused(wire.get(path(group, "nonsense"), program), 404, "NotFound", "NotFoundException")


def test_only_who_may_see_a_message_may_react_to_it_or_count_it(
    wire: Wire, connector: Connector, group_admin: User, member: User
) -> None:
    public = make_group(
        "Notices",
        organisation=group_admin.organisation,
        admins=[group_admin],
        members=[member],
        group_type=Group.Type.CONNECT,
    )
    hotel = make_person("Hotel Sagar")
    for person in (hotel, person_of(member)):
        Subscription.objects.create(group=public, person=person)
    post = partial(messages.post, group=public, text="Hello", person=person_of(group_admin), by=group_admin)
    to_members, to_all = post(), post(to_all_subscribers=True)
    to_hotel, to_member = post(subscribers=[hotel.number]), post(subscribers=[person_of(member).number])
    action = Action.objects.create(group=public, person=hotel, kind="Image", audience="chosen")
    admins, members = let_in(connector, public, group_admin), let_act_for(connector, member)
    for posted in (to_members, to_all, to_hotel, to_member, action):
        react(wire, admins, posted)
    seen = {str(posted.pk) for posted in (to_members, to_member)}
    for posted in (to_members, to_all, to_hotel, to_member, action):
        answer = wire.post(path(public), body(posted.pk), members)
        assert answer.status_code == (200 if str(posted.pk) in seen else 404)
        assert wire.get(path(public, posted.pk), members).status_code == answer.status_code
    counted = wire.get(path(public, "summary"), members).json()["summary"]
    assert {entry["referenceId"] for entry in counted} == seen
    assert len(wire.get(path(public, "summary"), admins).json()["summary"]) == 5


# sourceGroupId ----------------------------------------------------------------------------------------------------


def test_a_message_of_a_group_below_is_reached_through_the_one_above(
    wire: Wire, program: Program, group: Group, group_admin: User
) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    far = make_group("Far", organisation=group.organisation, under=below)
    message = messages.post(group=far, text="Hello", person=person_of(group_admin), by=group_admin)
    answer = wire.post(path(group), body(message.pk, sourceGroupId=f"{far.pk}@1"), program)
    assert Reaction.objects.get(pk=answer.json()["reactionId"]).group == far
    for end in (f"{message.pk}/summary", f"{message.pk}", "summary"):
        found = wire.get(f"{path(group, end)}?sourceGroupId={far.pk}", program).json()
        assert len(found.get("summary") or found["reactionDetails"]) == 1
    assert react(wire, program, message) == answer.json()["reactionId"]
    upwards = wire.post(path(far), body(message.pk, sourceGroupId=str(group.pk)), program)
    refused(upwards, 404, "NotFound", "NotFoundException")


def test_a_source_out_of_reach_and_none_are_one_answer(
    wire: Wire, program: Program, group: Group, group_admin: User, message: Message
) -> None:
    above = make_group("Above", organisation=group.organisation)
    hierarchy.link(parent=above, child=group, by=group_admin)
    answers = {
        refused(wire.post(path(group), body(message.pk, sourceGroupId=str(source)), program), 403, "Unauthorized")
        for source in (above.pk, unknown_id(), "nonsense")
    }
    assert len(answers) == 1
    assert not Reaction.objects.exists()


def test_a_source_that_is_neither_above_nor_below_is_refused(
    wire: Wire, connector: Connector, group: Group, group_admin: User, message: Message
) -> None:
    beside = make_group("Beside", organisation=group.organisation, admins=[group_admin])
    program = let_act_for(connector, group_admin)
    answer = wire.post(path(beside), body(message.pk, sourceGroupId=str(group.pk)), program)
    assert "sourceGroupId" in refused(answer, 400, "InvalidParameters", "ValidationException")
