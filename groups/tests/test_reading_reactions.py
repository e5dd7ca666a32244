"""The doors of reactions (wire protocol §6, Reactions): counts, lists and their cursors; and what the table refuses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from connectors.models import Connector
from groups.models import Group, Message, Reaction
from groups.queries import reactions
from groups.services import messages
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, person_of
from groups.tests.reactions import comment, pages, path, react
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.django_db


@pytest.fixture
def message(group: Group, group_admin: User) -> Message:
    return messages.post(group=group, text="Rota is out", person=person_of(group_admin), by=group_admin)


@pytest.fixture
def members_program(connector: Connector, member: User, group: Group) -> Program:
    """The program with a token of a mere member."""
    return let_act_for(connector, member)


# Reading ----------------------------------------------------------------------------------------------------------


def test_one_summary_counts_likes_and_comments_and_zeros(
    wire: Wire, program: Program, members_program: Program, message: Message
) -> None:
    address = path(message.group, message.pk, "summary")
    nothing = {"referenceId": str(message.pk), "reactionsCountMap": {"like": 0, "comment": 0}}
    assert wire.get(address, program).json() == {"cursor": 0, "summary": [nothing]}
    for token in (program, members_program):
        react(wire, token, message)
    comment(wire, program, message, "Thanks")
    assert wire.get(address, program).json()["summary"][0]["reactionsCountMap"] == {"like": 2, "comment": 1}


def test_details_tell_who_when_and_what(
    wire: Wire, program: Program, message: Message, travel: Callable[..., dt.datetime]
) -> None:
    at = travel(minutes=1)
    like, said = react(wire, program, message), comment(wire, program, message, "Thanks")
    user = str(program.grant.person_id)
    address = path(message.group, message.pk)
    assert wire.get(address, program).json()["reactionDetails"] == [
        {"reactionId": like, "userId": user, "lastModifiedTime": clock.epoch_ms(at), "comment": ""},
        {"reactionId": said, "userId": user, "lastModifiedTime": clock.epoch_ms(at), "comment": "Thanks"},
    ]
    for kind, expected in (("Like", like), ("comment", said)):
        found = wire.get(f"{address}?reactionType={kind}", program).json()["reactionDetails"]
        assert [row["reactionId"] for row in found] == [expected]
    answer = wire.get(f"{address}?reactionType=Wow", program)
    assert "reactionType" in refused(answer, 400, "InvalidParameters", "ValidationException")


def test_details_go_on_page_by_page_though_all_came_at_one_moment(
    wire: Wire, program: Program, message: Message, travel: Callable[..., dt.datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reactions, "PAGE_SIZE", 3)
    travel(minutes=1)
    made = [comment(wire, program, message, str(number)) for number in range(7)]
    found = pages(wire, program, path(message.group, message.pk), "reactionDetails")
    assert [len(page) for page in found] == [3, 3, 1]
    assert [row["reactionId"] for page in found for row in page] == made


def test_what_comes_later_is_found_with_the_last_cursor(wire: Wire, program: Program, message: Message) -> None:
    address = path(message.group, message.pk)
    comment(wire, program, message, "First")
    cursor = wire.get(f"{address}?cursor=0", program).json()["cursor"]
    assert wire.get(f"{address}?cursor={cursor}", program).json() == {"cursor": 0, "reactionDetails": []}
    comment(wire, program, message, "Second")
    later = wire.get(f"{address}?cursor={cursor}", program).json()["reactionDetails"]
    assert [row["comment"] for row in later] == ["Second"]


def test_a_cursor_is_a_number_that_no_client_rounds(wire: Wire, program: Program, message: Message) -> None:
    react(wire, program, message)
    cursor = wire.get(path(message.group, "summary"), program).json()["cursor"]
    assert isinstance(cursor, int)
    assert cursor == int(float(cursor)) < 2**53


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "१", "9" * 18, "9" * 19, "1e3", "636674054802000000"])
def test_a_bad_cursor_is_refused(wire: Wire, program: Program, message: Message, cursor: str) -> None:
    for address in (path(message.group, "summary"), path(message.group, message.pk)):
        answer = wire.get(f"{address}?cursor={cursor}", program)
        assert "cursor" in refused(answer, 400, "InvalidParameters", "ValidationException")


def test_the_groups_summary_goes_on_page_by_page_and_tells_of_what_changed(
    wire: Wire, program: Program, group: Group, group_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reactions, "PAGE_SIZE", 2)
    post = partial(messages.post, group=group, text="Hello", person=person_of(group_admin), by=group_admin)
    posted = [post() for _ in range(5)]
    for message in posted:
        react(wire, program, message)
    found = pages(wire, program, path(group, "summary"), "summary")
    assert [len(page) for page in found] == [2, 2, 1]
    assert [entry["referenceId"] for page in found for entry in page] == [str(message.pk) for message in posted]
    cursor = wire.get(path(group, "summary"), program).json()["cursor"]
    comment(wire, program, posted[0], "Thanks")
    since = pages(wire, program, path(group, "summary"), "summary")
    assert [entry["referenceId"] for page in since for entry in page][-1] == str(posted[0].pk)
    assert since[-1][-1]["reactionsCountMap"] == {"like": 1, "comment": 1}
    assert str(posted[1].pk) not in str(wire.get(f"{path(group, 'summary')}?cursor={cursor}", program).json())


def test_reading_costs_the_same_number_of_statements_however_much_there_is(
    wire: Wire, program: Program, members_program: Program, group: Group, message: Message, group_admin: User
) -> None:
    def statements(token: Program) -> list[int]:
        counts = []
        for end in (f"{message.pk}/summary", f"{message.pk}", "summary"):
            with CaptureQueriesContext(connection) as captured:
                assert wire.get(path(group, end), token).status_code == 200
            counts.append(len(captured))
        return counts

    react(wire, program, message)
    few = statements(program), statements(members_program)
    for number in range(5):
        comment(wire, program, message, str(number))
        react(wire, program, messages.post(group=group, text="Hi", person=person_of(group_admin), by=group_admin))
    assert (statements(program), statements(members_program)) == few
    assert few[0] == [4, 4, 4]


def test_the_counts_of_many_are_one_statement(wire: Wire, program: Program, message: Message) -> None:
    react(wire, program, message)
    with CaptureQueriesContext(connection) as captured:
        found = reactions.get_counts([message.pk, ids.new_id()])
    assert found == {message.pk: reactions.ReactionCounts(like=1, comment=0)}
    assert len(captured) == 1


# What the table refuses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"reaction_type": "Like"},
        {"reaction_type": "Like", "comment": "x", "reference_id": ids.new_id()},
        {"reaction_type": "Comment", "comment": ""},
        {"reaction_type": "Wow", "comment": "x"},
        {"reaction_type": "Comment", "comment": "x" * 1001},
    ],
)
def test_the_table_refuses_a_second_like_and_what_is_no_reaction(
    wire: Wire, program: Program, message: Message, fields: dict[str, Any]
) -> None:
    react(wire, program, message)
    row = {"group": message.group, "reference_id": message.pk, "person_id": program.grant.person_id, **fields}
    with pytest.raises(IntegrityError), transaction.atomic():
        Reaction.objects.create(**row)


def test_the_table_refuses_two_reactions_of_a_group_at_one_moment(
    wire: Wire, program: Program, message: Message
) -> None:
    react(wire, program, message)
    first = Reaction.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        Reaction.objects.create(
            group=first.group,
            reference_id=ids.new_id(),
            person=first.person,
            reaction_type="Like",
            modified_at=first.modified_at,
        )
