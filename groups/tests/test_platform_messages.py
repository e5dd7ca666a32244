"""`POST /v1/groups/{groupId}/messages` (wire protocol §6, Messages)."""

from __future__ import annotations

import json

import pytest

from accounts.models import User
from connectors.models import Connector
from groups.models import Action, Group, Message
from groups.tests.conftest import invalid, refused
from groups.tests.factories import Program, let_act_for, let_in, make_group, person_of


def path(group: Group) -> str:
    return f"/v1/groups/{group.pk}/messages"


def test_a_message_is_posted_and_its_reference_id_told(program: Program, group: Group, group_admin: User) -> None:
    answer = program.post(path(group), '{"message": "Rain tomorrow ☔"}')
    assert answer.status_code == 200
    message = Message.objects.get()
    assert answer.json() == {"referenceId": str(message.pk)}
    assert (message.text, message.group, message.connector) == ("Rain tomorrow ☔", group, program.connector)
    assert message.person == person_of(group_admin)


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"message": "  "}',
        '{"message": ["a"]}',
        json.dumps({"message": "x" * 4001}),
    ],
)
def test_a_message_that_is_missing_wrong_or_too_long_is_named(program: Program, group: Group, body: str) -> None:
    answer = program.post(path(group), body)
    assert "message" in invalid(answer)
    assert not Message.objects.exists()


def test_4000_characters_are_taken(program: Program, group: Group) -> None:
    assert program.post(path(group), {"message": "🏏" * 4000}).status_code == 200


def test_a_message_in_a_sub_group_by_the_groups_token(program: Program, group: Group) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    assert program.post(path(below), '{"message": "Hello"}').status_code == 200
    assert Message.objects.get().group == below


def test_a_member_posts_in_their_own_name(connector: Connector, group: Group, member: User) -> None:
    assert let_act_for(connector, member).post(path(group), '{"message": "Hello"}').status_code == 200
    assert Message.objects.get().person == person_of(member)


def test_in_a_plain_group_none_can_be_chosen_and_all_subscribers_are_its_members(
    program: Program, connector: Connector, group: Group, member: User
) -> None:
    answer = program.post(path(group), '{"message": "Hello", "subscribers": ["+919820000041"]}')
    assert "plain group" in invalid(answer)
    assert not Message.objects.exists()
    for token in (program, let_act_for(connector, member)):
        answer = token.post(path(group), '{"message": "Hello", "sendToAllSubscribers": true}')
        assert answer.status_code == 200, answer.content
    assert {message.audience for message in Message.objects.all()} == {Message.Audience.MEMBERS}


def test_a_message_to_all_subscribers_or_to_one(connector: Connector, public: Group, group_admin: User) -> None:
    program = let_in(connector, public, group_admin)
    named = '"subscribers": ["+91 98200 00041"]'
    for more in ('"sendToAllSubscribers": true', named, f'{named}, "sendToAllSubscribers": true'):
        answer = program.post(path(public), f'{{"message": "Hello", {more}}}')
        assert answer.status_code == 200, answer.content
    to_all, to_one, to_all_before_some = Message.objects.order_by("pk")
    assert (to_one.audience, to_one.recipients.get().number) == ("chosen", "+919820000041")
    for each in (to_all, to_all_before_some):
        assert (each.audience, each.recipients.count()) == ("subscribers", 0)


@pytest.mark.parametrize(("number", "reason"), [("+919930000099", "Not a subscriber"), ("12", "country code")])
@pytest.mark.parametrize("what", ["messages", "actions"])
def test_whoever_is_no_subscriber_is_named_and_the_others_get_it(
    connector: Connector, public: Group, group_admin: User, what: str, number: str, reason: str
) -> None:
    """As Microsoft's client in C# reads it (ADR 0061)."""
    program = let_in(connector, public, group_admin)
    body = {"message": "Hello"} if what == "messages" else {"id": "com.shift", "actionBody": {"title": "Hello"}}
    numbers = [number, "+919820000041"]
    answer = program.post(f"/v1/groups/{public.pk}/{what}", {**body, "subscribers": numbers})
    assert answer.status_code == 200, answer.content
    (failed,) = answer.json()["failedResult"]
    assert reason in failed.pop("errorReason")
    assert failed == {"subscriber": number, "subscriberId": "", "errorCode": "InvalidParameters"}
    (posted,) = Message.objects.all() if what == "messages" else Action.objects.all()
    assert [person.number for person in posted.recipients.all()] == ["+919820000041"]


def test_where_none_is_a_subscriber_nothing_is_sent(connector: Connector, public: Group, group_admin: User) -> None:
    program = let_in(connector, public, group_admin)
    answer = program.post(path(public), '{"message": "Hello", "subscribers": ["+919930000099", "12"]}')
    assert "+919930000099" in invalid(answer)
    assert not Message.objects.exists()


def test_a_mere_member_posts_to_the_members_but_not_to_subscribers(
    connector: Connector, public: Group, member: User
) -> None:
    token = let_act_for(connector, member)
    answer = token.post(path(public), '{"message": "Hello", "sendToAllSubscribers": true}')
    refused(answer, 403, "Unauthorized")
    assert not Message.objects.exists()
    assert token.post(path(public), '{"message": "Hello"}').status_code == 200
