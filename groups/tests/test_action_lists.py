"""`GET /v1/groups/{groupId}/actions` (wire protocol §6, Actions; ADR 0052)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Person, User
from groups.models import Action, Group
from groups.tests.cards import POLL, SURVEY, actions_of, listed, make_media, posted
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, person_of
from kaizala_console.lib import clock

Travel = Callable[..., dt.datetime]


def iso(at: dt.datetime | None) -> str:
    assert at is not None
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_list_says_who_sent_what_and_when(
    wire: Wire, program: Program, group: Group, group_admin: User, travel: Travel
) -> None:
    now = travel()
    action = posted(wire, program, group, "Poll", POLL)
    (shown,) = listed(wire, program, group)
    assert {name: shown[name] for name in ("referenceId", "actionType", "sender", "sentAt", "creationTime")} == {
        "referenceId": str(action.pk),
        "actionType": "Poll",
        "sender": person_of(group_admin).number,
        "sentAt": iso(now),
        "creationTime": clock.epoch_ms(now) // 1000,
    }


def make_polls(group: Group, person: Person, number: int) -> list[Action]:
    start = clock.now() - dt.timedelta(days=10)
    return Action.objects.bulk_create(
        [
            Action(
                group=group,
                person=person,
                kind=Action.Kind.POLL,
                title=f"Poll {n}",
                body={"question": f"Poll {n}", "choices": [{"title": "a"}, {"title": "b"}]},
                sent_at=start + dt.timedelta(minutes=n),
                expires_at=start,
            )
            for n in range(number)
        ]
    )


def questions(answer: Any) -> list[str]:
    return [action["actionBody"]["question"] for action in answer.json()["actions"]]


@pytest.mark.postgresql
def test_without_a_date_the_last_thirty_are_listed_in_order(
    wire: Wire, program: Program, group: Group, group_admin: User
) -> None:
    make_polls(group, person_of(group_admin), 31)
    answer = wire.get(actions_of(group), program)
    assert questions(answer) == [f"Poll {n}" for n in range(1, 31)]
    assert answer.json()["hasMore"] is True


@pytest.mark.postgresql
@pytest.mark.parametrize("in_seconds", [False, True])
def test_a_program_walks_on_from_date_to_date(
    wire: Wire, program: Program, group: Group, group_admin: User, in_seconds: bool
) -> None:
    polls = make_polls(group, person_of(group_admin), 7)
    seen: list[str] = []
    since = clock.epoch_ms(polls[0].sent_at) // (1000 if in_seconds else 1)
    more = True
    while more:
        answer = wire.get(f"{actions_of(group)}?fromDate={since}&count=3", program)
        seen += [question for question in questions(answer) if question not in seen]
        last = answer.json()["actions"][-1]["creationTime"]
        more, since = answer.json()["hasMore"], last if in_seconds else last * 1000
    assert seen == [f"Poll {n}" for n in range(7)]


@pytest.mark.postgresql
def test_what_was_sent_in_one_second_comes_together(
    wire: Wire, program: Program, group: Group, group_admin: User
) -> None:
    """With the first one after it: from its second, a program goes on."""
    polls = make_polls(group, person_of(group_admin), 10)
    second = polls[3].sent_at.replace(microsecond=0)
    for n, poll in enumerate(polls[3:8]):
        poll.sent_at = second + dt.timedelta(milliseconds=n)
        poll.save()
    since = clock.epoch_ms(second)
    answer = wire.get(f"{actions_of(group)}?fromDate={since}&count=2", program)
    assert questions(answer) == [f"Poll {n}" for n in range(3, 9)]
    assert answer.json()["hasMore"] is True
    polls[9].delete()
    assert wire.get(f"{actions_of(group)}?fromDate={since}&count=2", program).json()["hasMore"] is False


@pytest.mark.postgresql
@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("at_once", [1, 2, 3, 7])
def test_a_program_that_goes_on_from_a_second_always_comes_further(
    wire: Wire, program: Program, group: Group, group_admin: User, at_once: int, count: int
) -> None:
    """However many were sent in one second, and however few it takes at a time."""
    polls = make_polls(group, person_of(group_admin), 3 * at_once)
    start = polls[0].sent_at.replace(microsecond=0)
    for n, poll in enumerate(polls):
        poll.sent_at = start + dt.timedelta(seconds=n // at_once, milliseconds=n % at_once)
    Action.objects.bulk_update(polls, ["sent_at"])
    since, seen, more = clock.epoch_ms(start) // 1000 - 60, set[str](), True
    for _page in range(2 * len(polls)):
        page = wire.get(f"/v1/groups/{group.pk}/actions?fromDate={since}&count={count}", program).json()
        seen |= {action["referenceId"] for action in page["actions"]}
        since, more = max(action["creationTime"] for action in page["actions"]), page["hasMore"]
        if not more:
            break
    assert (more, len(seen)) == (False, len(polls))


@pytest.mark.postgresql
def test_has_more_is_false_when_the_last_one_is_there(
    wire: Wire, program: Program, group: Group, group_admin: User
) -> None:
    make_polls(group, person_of(group_admin), 3)
    for query in ("?count=3", "?count=3&fromDate=0", "?count=5000"):
        answer = wire.get(actions_of(group) + query, program)
        assert (len(answer.json()["actions"]), answer.json()["hasMore"]) == (3, False)


def test_one_kind_is_listed_alone(wire: Wire, program: Program, group: Group) -> None:
    posted(wire, program, group, "Poll", POLL)
    posted(wire, program, group, "Survey", SURVEY)
    posted(wire, program, group, "com.contoso.x", SURVEY)
    posted(wire, program, group, "com.contoso.y", SURVEY)
    for query, expected in {
        "?actionType=SURVEY": ["Survey"],
        "?actiontype=poll": ["Poll"],
        "?actionType=com.contoso.x": ["com.contoso.x"],
        "?id=com.contoso.y": ["com.contoso.y"],
    }.items():
        assert [action["actionType"] for action in listed(wire, program, group, query)] == expected


@pytest.mark.parametrize("query", ["?actionType=Song", "?count=0", "?count=many", "?fromDate=yesterday"])
def test_a_query_that_means_nothing_is_refused(wire: Wire, program: Program, group: Group, query: str) -> None:
    message = refused(wire.get(actions_of(group) + query, program), 400, "InvalidParameters", "ValidationException")
    assert query[1:].partition("=")[0] in message


@pytest.mark.postgresql
def test_a_hundred_mixed_actions_take_as_many_queries_as_two(
    wire: Wire, program: Program, group: Group, group_admin: User, member: User
) -> None:
    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert wire.get(f"{actions_of(group)}?count=100", program).status_code == 200
        return len(captured)

    def some() -> None:
        posted(wire, program, group, "Image", {"mediaResource": make_media(program)})
        posted(wire, program, group, "Job", {"title": "x", "assignedTo": [person_of(member).number]})

    some()
    before = count()
    some()
    posted(wire, program, group, "Survey", SURVEY)
    posted(
        wire, program, group, "Announcement", {"title": "a", "message": "b", "mediaResources": [make_media(program)]}
    )
    make_polls(group, person_of(group_admin), 90)
    assert count() == before
