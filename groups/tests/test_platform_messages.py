"""`POST /v1/groups/{groupId}/messages` (wire protocol §6, Messages; §2, leniency)."""

from __future__ import annotations

import json

import pytest

from accounts.models import User
from accounts.tests.factories import make_person
from connectors.models import Connector
from connectors.permissions import Permission
from groups.models import Action, Group, Message, Subscription
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, make_group, person_of, unknown_id


@pytest.fixture
def public(group_admin: User, member: User) -> Group:
    """A managed public group with one subscriber."""
    group = make_group(
        "Notices",
        organisation=group_admin.organisation,
        admins=[group_admin],
        members=[member],
        group_type=Group.Type.CONNECT,
    )
    Subscription.objects.create(group=group, person=make_person("Hotel Sagar", "+919820000041"))
    return group


def path(group: Group) -> str:
    return f"/v1/groups/{group.pk}/messages"


def test_a_message_is_posted_and_its_reference_id_told(
    wire: Wire, program: Program, group: Group, group_admin: User
) -> None:
    answer = wire.post(path(group), '{"message": "Rain tomorrow ☔"}', program)
    assert answer.status_code == 200
    message = Message.objects.get()
    assert answer.json() == {"referenceId": str(message.pk)}
    assert (message.text, message.group, message.connector) == ("Rain tomorrow ☔", group, program.connector)
    assert message.person == person_of(group_admin)


LENIENT = {
    "str(dict) of Python": str({"message": "It’s raining", "sendToAllSubscribers": False, "subscribers": None}),
    "unquoted keys": '{message:"It’s raining", subscribers:[]}',
    "another case": '{"Message": "It’s raining", "SENDTOALLSUBSCRIBERS": "false"}',
    "trailing commas": '{"message": "It’s raining",}',
    "comments": '{/* new */ "message": "It’s raining" // today\n}',
    "a byte-order mark": '\ufeff{"message": "It’s raining"}',
    "an unknown property": '{"message": "It’s raining", "priority": 1}',
}


@pytest.mark.parametrize("kind", LENIENT)
def test_bodies_are_read_as_old_programs_write_them(wire: Wire, program: Program, group: Group, kind: str) -> None:
    answer = wire.post(path(group), LENIENT[kind].encode(), program)
    assert answer.status_code == 200, answer.content
    assert Message.objects.get().text == "It’s raining"


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/json;charset=UTF-8", "application/x-www-form-urlencoded"]
)
def test_the_content_type_does_not_matter(wire: Wire, program: Program, group: Group, content_type: str) -> None:
    answer = wire.post(path(group), '{"message": "Hello"}', program, content_type=content_type)
    assert answer.status_code == 200, answer.content


PATHS = [
    "/v1/groups/{}/messages/",
    "/groups/{}/messages",
    "//v1/groups/{}/messages",
    "/v1//groups/{}/Messages",
    "/V1/GROUPS/{}@1/MESSAGES/",
]


@pytest.mark.parametrize("written", PATHS)
def test_paths_are_read_as_old_programs_write_them(wire: Wire, program: Program, group: Group, written: str) -> None:
    answer = wire.post(written.format(group.pk), '{"message": "Hello"}', program)
    assert answer.status_code == 200, answer.content
    assert Message.objects.count() == 1


@pytest.mark.parametrize("header", ["ACCESSTOKEN", "Accesstoken", "accesstoken"])
def test_the_header_may_be_written_in_any_case(wire: Wire, program: Program, group: Group, header: str) -> None:
    assert wire.post(path(group), '{"message": "Hello"}', **{header: program.access_token}).status_code == 200


def test_a_bearer_token_is_accepted_too(wire: Wire, program: Program, group: Group) -> None:
    answer = wire.post(path(group), '{"message": "Hello"}', Authorization=f"Bearer {program.access_token}")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        '{"message": null}',
        '{"message": ""}',
        '{"message": "  "}',
        '{"message": ["a"]}',
        '{"text": "Hello"}',
        json.dumps({"message": "x" * 4001}),
    ],
)
def test_a_message_that_is_missing_wrong_or_too_long_is_named(
    wire: Wire, program: Program, group: Group, body: str
) -> None:
    answer = wire.post(path(group), body, program)
    assert "message" in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        '"Hello"',
        "message=Hello",
        '{"message": NaN}',
        b"\xff\xfe{",
        "[" * 70 + "]" * 70,
        '{"message": "nul \\u0000"}',
        '{"message": "half \\ud83c"}',
    ],
)
def test_what_is_no_json_object_or_no_text_is_refused(
    wire: Wire, program: Program, group: Group, body: str | bytes
) -> None:
    refused(wire.post(path(group), body, program), 400, "InvalidParameters", "ValidationException")
    assert not Message.objects.exists()


def test_4000_characters_are_taken(wire: Wire, program: Program, group: Group) -> None:
    assert wire.post(path(group), json.dumps({"message": "न" * 4000}), program).status_code == 200


def test_a_message_in_a_sub_group_by_the_groups_token(wire: Wire, program: Program, group: Group) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    assert wire.post(path(below), '{"message": "Hello"}', program).status_code == 200
    assert Message.objects.get().group == below


def test_a_member_posts_in_their_own_name(wire: Wire, connector: Connector, group: Group, member: User) -> None:
    assert wire.post(path(group), '{"message": "Hello"}', let_act_for(connector, member)).status_code == 200
    assert Message.objects.get().person == person_of(member)


def test_a_strangers_token_is_told_the_same_as_for_no_group_and_nothing_is_posted(
    wire: Wire, connector: Connector, group: Group, stranger: User
) -> None:
    token = let_act_for(connector, stranger)
    answers = [
        wire.post(f"/v1/groups/{key}/messages", '{"message": "Hello"}', token) for key in (group.pk, unknown_id(), "x")
    ]
    assert len({refused(answer, 403, "Unauthorized") for answer in answers}) == 1
    assert not Message.objects.exists()


def test_the_permission_that_is_missing_is_named(
    wire: Wire, connector: Connector, group: Group, group_admin: User
) -> None:
    program = let_in(connector, group, group_admin, permissions=[Permission.GROUP_INFORMATION])
    answer = wire.post(path(group), '{"message": "Hello"}', program)
    assert "Text Message" in refused(answer, 403, "Unauthorized")
    assert not Message.objects.exists()


# ---------------------------------------------------------------- Subscribers


def test_in_a_plain_group_none_can_be_chosen_and_all_subscribers_are_its_members(
    wire: Wire, program: Program, connector: Connector, group: Group, member: User
) -> None:
    answer = wire.post(path(group), '{"message": "Hello", "subscribers": ["+919820000041"]}', program)
    assert "plain group" in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert not Message.objects.exists()
    for token in (program, let_act_for(connector, member)):
        answer = wire.post(path(group), '{"message": "Hello", "sendToAllSubscribers": true}', token)
        assert answer.status_code == 200, answer.content
    assert {message.audience for message in Message.objects.all()} == {Message.Audience.MEMBERS}


def test_a_message_to_all_subscribers(wire: Wire, connector: Connector, public: Group, group_admin: User) -> None:
    program = let_in(connector, public, group_admin)
    answer = wire.post(path(public), "{'message': 'Hello', 'sendToAllSubscribers': True}", program)
    assert answer.status_code == 200
    assert Message.objects.get().audience == "subscribers"


def test_a_message_to_one_subscriber(wire: Wire, connector: Connector, public: Group, group_admin: User) -> None:
    program = let_in(connector, public, group_admin)
    answer = wire.post(path(public), '{"message": "Hello", "subscribers": ["+91 98200 00041"]}', program)
    assert answer.status_code == 200, answer.content
    assert [person.number for person in Message.objects.get().recipients.all()] == ["+919820000041"]


NO_SUBSCRIBERS = [("+919930000099", "Not a subscriber"), ("12", "country code")]


@pytest.mark.parametrize(("number", "reason"), NO_SUBSCRIBERS)
@pytest.mark.parametrize("what", ["messages", "actions"])
def test_whoever_is_no_subscriber_is_named_and_the_others_get_it(
    wire: Wire, connector: Connector, public: Group, group_admin: User, what: str, number: str, reason: str
) -> None:
    """As Microsoft's client in C# reads it (ADR 0061)."""
    program = let_in(connector, public, group_admin)
    body = {"message": "Hello"} if what == "messages" else {"id": "com.shift", "actionBody": {"title": "Hello"}}
    numbers = [number, "+919820000041"]
    answer = wire.post(f"/v1/groups/{public.pk}/{what}", json.dumps({**body, "subscribers": numbers}), program)
    assert answer.status_code == 200, answer.content
    (failed,) = answer.json()["failedResult"]
    assert reason in failed.pop("errorReason")
    assert failed == {"subscriber": number, "subscriberId": "", "errorCode": "InvalidParameters"}
    (posted,) = Message.objects.all() if what == "messages" else Action.objects.all()
    assert [person.number for person in posted.recipients.all()] == ["+919820000041"]


def test_where_none_is_a_subscriber_nothing_is_sent(
    wire: Wire, connector: Connector, public: Group, group_admin: User
) -> None:
    program = let_in(connector, public, group_admin)
    answer = wire.post(path(public), '{"message": "Hello", "subscribers": ["+919930000099", "12"]}', program)
    assert "+919930000099" in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert not Message.objects.exists()


def test_a_mere_member_posts_to_the_members_but_not_to_subscribers(
    wire: Wire, connector: Connector, public: Group, member: User
) -> None:
    token = let_act_for(connector, member)
    answer = wire.post(path(public), '{"message": "Hello", "sendToAllSubscribers": true}', token)
    refused(answer, 403, "Unauthorized")
    assert not Message.objects.exists()
    assert wire.post(path(public), '{"message": "Hello"}', token).status_code == 200
