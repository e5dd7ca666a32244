"""Reactions (wire protocol §6): reacting, who may, counts, lists and their cursors; and what the table refuses."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.tests.factories import make_person
from connectors.models import Connector
from groups.models import Action, Group, Message, Reaction
from groups.queries import reactions
from groups.services import hierarchy, messages
from groups.tests.conftest import invalid, not_found, refused
from groups.tests.factories import (
    Program,
    let_act_for,
    let_in,
    make_group,
    make_public_group,
    person_of,
    unknown_id,
)
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.django_db


def path(group: Group, *more: object) -> str:
    return "/".join([f"/v1/groups/{group.pk}/reaction", *map(str, more)])


def body(of: object, kind: str = "Like", **more: Any) -> str:
    return json.dumps({"referenceId": str(of), "sourceGroupId": "", "reactionType": kind, **more})


def react(program: Program, message: Message | Action, kind: str = "Like", **more: Any) -> str:
    answer = program.post(path(message.group), body(message.pk, kind, **more))
    assert answer.status_code == 200, answer.content
    return str(answer.json()["reactionId"])


def comment(program: Program, message: Message | Action, text: str) -> str:
    return react(program, message, "Comment", comment=text)


def pages(program: Program, address: str, name: str) -> list[list[Any]]:
    """All pages as a program reads them that goes on until nothing comes."""
    found: list[list[Any]] = []
    cursor = ""
    while True:
        answer = program.get(f"{address}?cursor={cursor}")
        assert answer.status_code == 200, answer.content
        items = answer.json()[name]
        if not items:
            assert answer.json()["cursor"] == 0
            return found
        found.append(items)
        cursor = answer.json()["cursor"]


@pytest.fixture
def message(group: Group, group_admin: User) -> Message:
    return messages.post(group=group, text="Rota is out", person=person_of(group_admin), by=group_admin)


def test_a_like_is_the_tokens_users(program: Program, message: Message, group_admin: User) -> None:
    reaction = Reaction.objects.get(pk=react(program, message, "like", comment="is ignored"))
    assert (reaction.reference_id, reaction.reaction_type, reaction.comment) == (message.pk, "Like", "")
    assert (reaction.person, reaction.connector, reaction.bot) == (person_of(group_admin), program.connector, None)


@pytest.mark.postgresql
def test_a_second_like_is_the_same_like_and_every_comment_is_one_more(
    program: Program, members: Program, message: Message
) -> None:
    first = react(program, message)
    assert react(program, message) == first
    assert react(members, message) != first
    assert comment(program, message, "Thanks") != comment(program, message, "Thanks")
    assert [row.comment for row in Reaction.objects.order_by("modified_at")] == ["", "", "Thanks", "Thanks"]


def test_an_action_is_liked_as_a_message_is(program: Program, group: Group, group_admin: User) -> None:
    action = Action.objects.create(group=group, person=person_of(group_admin), kind="Image")
    react(program, action)
    answer = program.get(path(group, action.pk, "summary")).json()
    assert answer["summary"] == [{"referenceId": str(action.pk), "reactionsCountMap": {"like": 1, "comment": 0}}]


def test_a_bots_like_is_the_bots(program: Program, group: Group, message: Message) -> None:
    bot = program.post("/v1/bot", {"name": "Rota"}).json()["id"]
    program.put(f"/v1/groups/{group.pk}/bot", {"botIds": [bot]})
    as_bot = program.with_token(program.get(f"/v1/bot/accessToken/{bot}").json()["accessToken"])
    first = react(as_bot, message)
    assert react(as_bot, message) == first != react(program, message)
    users = [row["userId"] for row in program.get(path(group, message.pk)).json()["reactionDetails"]]
    assert users == [bot, str(program.grant.person_id)]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"referenceId": None}, "referenceId"),
        ({"referenceId": "x"}, "referenceId"),
        ({"reactionType": None}, "reactionType"),
        ({"reactionType": "Wow"}, "reactionType"),
        ({"reactionType": "Comment"}, "comment"),
        ({"reactionType": "Comment", "comment": "  "}, "comment"),
        ({"reactionType": "Comment", "comment": "x" * 1001}, "comment"),
    ],
)
def test_what_is_wrong_is_named(program: Program, message: Message, changes: dict[str, Any], field: str) -> None:
    sent = {"referenceId": str(message.pk), "reactionType": "Like", **changes}
    assert field in invalid(program.post(path(message.group), sent))
    assert not Reaction.objects.exists()


def test_what_stands_in_another_group_is_not_here(program: Program, group: Group, group_admin: User) -> None:
    beside = make_group("Beside", organisation=group.organisation, admins=[group_admin])
    elsewhere = messages.post(group=beside, text="Hello", person=person_of(group_admin), by=group_admin)
    answers = set()
    for of in (elsewhere.pk, ids.new_id()):
        calls = (program.post(path(group), body(of)), program.get(path(group, of, "summary")))
        answers |= {not_found(answer) for answer in (*calls, program.get(path(group, of)))}
    assert len(answers) == 1
    assert not Reaction.objects.exists()
    not_found(program.get(path(group, "nonsense")))


def test_only_who_may_see_a_message_may_react_to_it_or_count_it(
    connector: Connector, group_admin: User, member: User
) -> None:
    hotel = make_person("Hotel Sagar")
    people: dict[str, Any] = {"admins": [group_admin], "members": [member]}
    public = make_public_group(organisation=group_admin.organisation, subscribers=[hotel, member], **people)
    post = partial(messages.post, group=public, text="Hello", person=person_of(group_admin), by=group_admin)
    to_members, to_all = post(), post(to_all_subscribers=True)
    to_hotel, to_member = post(subscribers=[hotel.number]), post(subscribers=[person_of(member).number])
    action = Action.objects.create(group=public, person=hotel, kind="Image", audience="chosen")
    admins, members = let_in(connector, public, group_admin), let_act_for(connector, member)
    for posted in (to_members, to_all, to_hotel, to_member, action):
        react(admins, posted)
    seen = {str(posted.pk) for posted in (to_members, to_member)}
    for posted in (to_members, to_all, to_hotel, to_member, action):
        answer = members.post(path(public), body(posted.pk))
        assert answer.status_code == (200 if str(posted.pk) in seen else 404)
        assert members.get(path(public, posted.pk)).status_code == answer.status_code
    counted = members.get(path(public, "summary")).json()["summary"]
    assert {entry["referenceId"] for entry in counted} == seen
    assert len(admins.get(path(public, "summary")).json()["summary"]) == 5


def test_a_message_of_a_group_below_is_reached_through_the_one_above(
    program: Program, group: Group, group_admin: User
) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    far = make_group("Far", organisation=group.organisation, under=below)
    message = messages.post(group=far, text="Hello", person=person_of(group_admin), by=group_admin)
    answer = program.post(path(group), body(message.pk, sourceGroupId=f"{far.pk}@1"))
    assert Reaction.objects.get(pk=answer.json()["reactionId"]).group == far
    for end in (f"{message.pk}/summary", f"{message.pk}", "summary"):
        found = program.get(f"{path(group, end)}?sourceGroupId={far.pk}").json()
        assert len(found.get("summary") or found["reactionDetails"]) == 1
    assert react(program, message) == answer.json()["reactionId"]
    upwards = program.post(path(far), body(message.pk, sourceGroupId=str(group.pk)))
    not_found(upwards)


def test_a_source_out_of_reach_and_none_are_one_answer_and_one_beside_is_refused(
    program: Program, connector: Connector, group: Group, group_admin: User, message: Message
) -> None:
    above = make_group("Above", organisation=group.organisation)
    hierarchy.link(parent=above, child=group, by=group_admin)
    answers = {
        refused(program.post(path(group), body(message.pk, sourceGroupId=str(source))), 403, "Unauthorized")
        for source in (above.pk, unknown_id(), "nonsense")
    }
    assert len(answers) == 1
    beside = make_group("Beside", organisation=group.organisation, admins=[group_admin])
    of_admin = let_act_for(connector, group_admin)
    assert "sourceGroupId" in invalid(of_admin.post(path(beside), body(message.pk, sourceGroupId=str(group.pk))))
    assert not Reaction.objects.exists()


def test_one_summary_counts_likes_and_comments_and_zeros(program: Program, members: Program, message: Message) -> None:
    address = path(message.group, message.pk, "summary")
    nothing = {"referenceId": str(message.pk), "reactionsCountMap": {"like": 0, "comment": 0}}
    assert program.get(address).json() == {"cursor": 0, "summary": [nothing]}
    for token in (program, members):
        react(token, message)
    comment(program, message, "Thanks")
    assert program.get(address).json()["summary"][0]["reactionsCountMap"] == {"like": 2, "comment": 1}


def test_details_tell_who_when_and_what(program: Program, message: Message, travel: Callable[..., dt.datetime]) -> None:
    at = travel(minutes=1)
    like, said = react(program, message), comment(program, message, "Thanks")
    user = str(program.grant.person_id)
    address = path(message.group, message.pk)
    assert program.get(address).json()["reactionDetails"] == [
        {"reactionId": like, "userId": user, "lastModifiedTime": clock.epoch_ms(at), "comment": ""},
        {"reactionId": said, "userId": user, "lastModifiedTime": clock.epoch_ms(at), "comment": "Thanks"},
    ]
    for kind, expected in (("Like", like), ("comment", said)):
        found = program.get(f"{address}?reactionType={kind}").json()["reactionDetails"]
        assert [row["reactionId"] for row in found] == [expected]
    answer = program.get(f"{address}?reactionType=Wow")
    assert "reactionType" in invalid(answer)


def test_details_go_on_page_by_page_though_all_came_at_one_moment(
    program: Program, message: Message, travel: Callable[..., dt.datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reactions, "PAGE_SIZE", 3)
    travel(minutes=1)
    made = [comment(program, message, str(number)) for number in range(7)]
    found = pages(program, path(message.group, message.pk), "reactionDetails")
    assert [len(page) for page in found] == [3, 3, 1]
    assert [row["reactionId"] for page in found for row in page] == made


def test_what_comes_later_is_found_with_the_last_cursor_a_number_that_no_client_rounds(
    program: Program, message: Message
) -> None:
    address = path(message.group, message.pk)
    comment(program, message, "First")
    cursor = program.get(f"{address}?cursor=0").json()["cursor"]
    assert cursor == int(float(cursor)) < 2**53
    assert program.get(f"{address}?cursor={cursor}").json() == {"cursor": 0, "reactionDetails": []}
    comment(program, message, "Second")
    later = program.get(f"{address}?cursor={cursor}").json()["reactionDetails"]
    assert [row["comment"] for row in later] == ["Second"]


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "१", "9" * 18, "9" * 19, "1e3", "636674054802000000"])
def test_a_bad_cursor_is_refused(program: Program, message: Message, cursor: str) -> None:
    for address in (path(message.group, "summary"), path(message.group, message.pk)):
        answer = program.get(f"{address}?cursor={cursor}")
        assert "cursor" in invalid(answer)


def test_the_groups_summary_goes_on_page_by_page_and_tells_of_what_changed(
    program: Program, group: Group, group_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reactions, "PAGE_SIZE", 2)
    post = partial(messages.post, group=group, text="Hello", person=person_of(group_admin), by=group_admin)
    posted = [post() for _ in range(5)]
    for message in posted:
        react(program, message)
    found = pages(program, path(group, "summary"), "summary")
    assert [len(page) for page in found] == [2, 2, 1]
    assert [entry["referenceId"] for page in found for entry in page] == [str(message.pk) for message in posted]
    cursor = program.get(path(group, "summary")).json()["cursor"]
    comment(program, posted[0], "Thanks")
    since = pages(program, path(group, "summary"), "summary")
    assert [entry["referenceId"] for page in since for entry in page][-1] == str(posted[0].pk)
    assert since[-1][-1]["reactionsCountMap"] == {"like": 1, "comment": 1}
    assert str(posted[1].pk) not in str(program.get(f"{path(group, 'summary')}?cursor={cursor}").json())


def test_reading_costs_the_same_number_of_statements_however_much_there_is(
    program: Program, members: Program, group: Group, message: Message, group_admin: User
) -> None:
    def statements(token: Program) -> list[int]:
        counts = []
        for end in (f"{message.pk}/summary", f"{message.pk}", "summary"):
            with CaptureQueriesContext(connection) as captured:
                assert token.get(path(group, end)).status_code == 200
            counts.append(len(captured))
        return counts

    react(program, message)
    few = statements(program), statements(members)
    for number in range(5):
        comment(program, message, str(number))
        react(program, messages.post(group=group, text="Hi", person=person_of(group_admin), by=group_admin))
    assert (statements(program), statements(members)) == few
    assert few[0] == [4, 4, 4]


@pytest.mark.parametrize(
    "fields",
    [
        {"reaction_type": "Like"},
        {"reaction_type": "Like", "comment": "x", "reference_id": ids.new_id()},
        {"reaction_type": "Comment", "comment": ""},
        {"reaction_type": "Wow", "comment": "x"},
        {"reaction_type": "Comment", "comment": "x" * 1001},
        {"reaction_type": "Like", "reference_id": ids.new_id(), "modified_at": "the same moment"},
    ],
)
def test_the_table_refuses_a_second_like_two_at_one_moment_and_what_is_no_reaction(
    program: Program, message: Message, fields: dict[str, Any]
) -> None:
    react(program, message)
    if "modified_at" in fields:
        fields = {**fields, "modified_at": Reaction.objects.get().modified_at}
    row = {"group": message.group, "reference_id": message.pk, "person_id": program.grant.person_id, **fields}
    with pytest.raises(IntegrityError), transaction.atomic():
        Reaction.objects.create(**row)
