"""Who posts and reads actions, and `GET /v1/groups/{groupId}/actions` (wire protocol §6, Actions; ADR 0052)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Person, User
from connectors.models import Connector
from connectors.permissions import Permission
from groups.models import Action, Group, Message
from groups.tests.cards import POLL, SURVEY, actions_of, listed, make_media, post, posted
from groups.tests.conftest import Wire, refused
from groups.tests.factories import (
    Program,
    let_act_for,
    let_in,
    make_connector,
    make_group,
    person_of,
    unknown_id,
)
from kaizala_console.lib import clock

Travel = Callable[..., dt.datetime]


@pytest.mark.parametrize("scope", ["write", "read"])
def test_the_permission_is_needed(wire: Wire, developer: User, group: Group, group_admin: User, scope: str) -> None:
    connector = make_connector(developer, name="Texts", permissions=[Permission.TEXT_MESSAGE])
    program = let_in(connector, group, group_admin)
    answer = post(wire, program, group, "Poll", POLL) if scope == "write" else wire.get(actions_of(group), program)
    assert "Action" in refused(answer, 403, "Unauthorized")
    assert not Action.objects.exists()


def test_a_stranger_gets_the_answer_for_no_group(
    wire: Wire, program: Program, connector: Connector, group: Group, stranger: User
) -> None:
    action = posted(wire, program, group, "Poll", POLL)
    token = let_act_for(connector, stranger)
    unknown = f"/v1/groups/{unknown_id()}/actions"
    for path in (actions_of(group), f"{actions_of(group)}/{action.pk}?getDetails=true"):
        answer = wire.get(path, token)
        assert refused(answer, 403, "Unauthorized") == refused(wire.get(unknown, token), 403, "Unauthorized")
    refused(post(wire, token, group, "Poll", POLL), 403, "Unauthorized")
    assert Action.objects.count() == 1


def test_an_action_of_another_group_is_not_found(
    wire: Wire, program: Program, group: Group, group_admin: User, connector: Connector
) -> None:
    other = make_group("Day Shift", organisation=group.organisation, admins=[group_admin])
    action = posted(wire, let_in(connector, other, group_admin), other, "Poll", POLL)
    for key in (action.pk, unknown_id(), "nonsense"):
        refused(wire.get(f"{actions_of(group)}/{key}", program), 404, "NotFound", "NotFoundException")


def test_in_a_managed_public_group_only_admins_post_and_members_do_not_see_what_goes_to_subscribers(
    wire: Wire, connector: Connector, public: Group, group_admin: User, member: User
) -> None:
    members, admins = let_act_for(connector, member), let_in(connector, public, group_admin)
    refused(post(wire, members, public, "Poll", POLL), 403, "Unauthorized")
    assert not Action.objects.exists()
    for to, audience in (
        ({"sendToAllSubscribers": "true"}, Message.Audience.SUBSCRIBERS),
        ({"subscribers": ["+91 98200 00041"]}, Message.Audience.CHOSEN),
    ):
        action = posted(wire, admins, public, "Poll", POLL, **to)
        assert action.audience == audience
        assert listed(wire, members, public) == []
        refused(wire.get(f"{actions_of(public)}/{action.pk}", members), 404, "NotFound", "NotFoundException")
    posted(wire, admins, public, "Poll", POLL)
    assert len(listed(wire, members, public)) == 1


def test_in_a_plain_group_all_subscribers_are_its_members(
    wire: Wire, program: Program, connector: Connector, group: Group, member: User
) -> None:
    for token in (program, let_act_for(connector, member)):
        card = posted(wire, token, group, "Poll", POLL, sendToAllSubscribers=True)
        assert card.audience == Message.Audience.MEMBERS
    answer = post(wire, program, group, "Poll", POLL, subscribers=["+919820000041"])
    assert "subscribers" in refused(answer, 400, "InvalidParameters", "ValidationException")


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
        "sentAt": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
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
@pytest.mark.parametrize("unit", [1, 1000])
@pytest.mark.parametrize(("at_once", "count"), [(1, 3), (2, 1), (3, 5), (7, 2)])
def test_a_program_that_goes_on_from_a_second_always_comes_further(
    wire: Wire, program: Program, group: Group, group_admin: User, at_once: int, count: int, unit: int
) -> None:
    """However many were sent in one second, however few it takes at a time, and in seconds as in milliseconds."""
    polls = make_polls(group, person_of(group_admin), 3 * at_once)
    start = polls[0].sent_at.replace(microsecond=0)
    for n, poll in enumerate(polls):
        poll.sent_at = start + dt.timedelta(seconds=n // at_once, milliseconds=n % at_once)
    Action.objects.bulk_update(polls, ["sent_at"])
    since, seen, more = clock.epoch_ms(start) // 1000 - 60, dict[str, int](), True
    for _page in range(2 * len(polls)):
        page = wire.get(f"{actions_of(group)}?fromDate={since * unit}&count={count}", program).json()
        seen |= {action["referenceId"]: action["creationTime"] for action in page["actions"]}
        since, more = max(action["creationTime"] for action in page["actions"]), page["hasMore"]
        if not more:
            break
    assert (more, len(seen)) == (False, len(polls))
    assert list(seen.values()) == sorted(seen.values())


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
        with CaptureQueriesContext(connection) as captured:
            assert wire.get(f"{actions_of(group)}?count=100", program).status_code == 200
        return len(captured)

    def some() -> None:
        posted(wire, program, group, "Image", {"mediaResource": make_media(program)})
        posted(wire, program, group, "Job", {"title": "x", "assignedTo": [person_of(member).number]})

    some()
    before = count()
    some()
    posted(wire, program, group, "Survey", SURVEY)
    body = {"title": "a", "message": "b", "mediaResources": [make_media(program)]}
    posted(wire, program, group, "Announcement", body)
    make_polls(group, person_of(group_admin), 90)
    assert count() == before
