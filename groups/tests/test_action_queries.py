"""Messages and cards as pages show them: the timeline, what was answered in sum, and by whom."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from accounts.models import Person, User
from accounts.tests.factories import make_person
from groups import access
from groups.action_types.base import ViewedAction
from groups.models import Action, Group, Message, Response
from groups.queries import actions as action_queries
from groups.queries.actions import Viewer
from groups.services import actions, responses
from groups.tests.cards import ANSWERS, POLL, SURVEY
from groups.tests.factories import make_group, person_of
from kaizala_console.lib import clock, pagination
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.pagination import paginate

pytestmark = pytest.mark.postgresql


def viewer_of(user: User, group: Group) -> tuple[Group, Viewer]:
    found = access.require_member(user, group.pk)
    return found, Viewer.of(found, access.list_held_people(user))


def post(group: Group, by: User, kind: str, body: dict[str, Any]) -> Action:
    return actions.post(group=group, action_type=kind, body=body, person=person_of(by), by=by)


def answer(action: Action, user: User, body: dict[str, Any]) -> Response:
    return responses.give(action=action, body=body, person=person_of(user))


def seen(action: Action, user: User) -> tuple[ViewedAction, Viewer]:
    group, viewer = viewer_of(user, action.group)
    return action_queries.get_action(group, action.pk, viewer), viewer


# ---------------------------------------------------------------- The timeline


def ids_of(items: list[Any]) -> list[Any]:
    return [item.action.pk if isinstance(item, ViewedAction) else item.pk for item in items]


def fill(group: Group, person: Person) -> list[Any]:
    """Messages and cards in turn, several of them at the same moment; their ids, the newest first."""
    start = clock.now()
    rows: list[Any] = []
    for n in range(12):
        at = start + dt.timedelta(minutes=n // 3)
        if n % 2:
            rows.append(Message.objects.create(group=group, person=person, text=str(n), sent_at=at))
        else:
            body = {"question": str(n), "choices": [{"title": "a"}, {"title": "b"}]}
            rows.append(Action.objects.create(group=group, person=person, kind="Poll", body=body, sent_at=at))
    return [row.pk for row in sorted(rows, key=lambda row: (row.sent_at, row.pk), reverse=True)]


def test_messages_and_cards_stand_in_one_order_both_ways(group: Group, group_admin: User) -> None:
    expected = fill(group, person_of(group_admin))
    group, viewer = viewer_of(group_admin, group)
    pages, cursor = [], None
    while True:
        page = action_queries.timeline(group, viewer, cursor=cursor, size=5)
        pages.append(page)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [item for page in pages for item in ids_of(page.items)] == expected
    back = action_queries.timeline(group, viewer, cursor=pages[-1].previous_cursor, size=5)
    assert ids_of(back.items) == expected[5:10]
    assert action_queries.timeline(group, viewer, cursor=back.previous_cursor, size=5).previous_cursor is None


def test_the_timeline_takes_three_statements(group: Group, group_admin: User, django_assert_num_queries: Any) -> None:
    fill(group, person_of(group_admin))
    group, viewer = viewer_of(group_admin, group)
    with django_assert_num_queries(3):
        for item in action_queries.timeline(group, viewer, size=50).items:
            assert (item.action if isinstance(item, ViewedAction) else item).person.name


def test_a_cursor_of_another_list_is_refused(group: Group, group_admin: User) -> None:
    fill(group, person_of(group_admin))
    group, viewer = viewer_of(group_admin, group)
    other = paginate(Message.objects.all(), ("-sent_at", "-id"), None, 2).next_cursor
    with pytest.raises(pagination.BadCursor):
        action_queries.timeline(group, viewer, cursor=other)


def test_a_member_of_a_public_group_sees_what_went_to_members(group_admin: User, member: User) -> None:
    public = make_group(
        "Notices",
        organisation=group_admin.organisation,
        admins=[group_admin],
        members=[member],
        group_type=Group.Type.CONNECT,
    )
    post(public, group_admin, "Poll", POLL)
    actions.post(
        group=public,
        action_type="Poll",
        body=POLL,
        person=person_of(group_admin),
        by=group_admin,
        to_all_subscribers=True,
    )
    for user, number in ((group_admin, 2), (member, 1)):
        group, viewer = viewer_of(user, public)
        assert len(action_queries.timeline(group, viewer).items) == number


# ---------------------------------------------------------------- In sum


def test_a_poll_in_sum(group: Group, group_admin: User, member: User) -> None:
    poll = post(group, group_admin, "Poll", POLL)
    answer(poll, group_admin, {"choice": "Later"})
    answer(poll, member, {"choice": "Yes"})
    found = action_queries.summarise(seen(poll, member)[0])
    assert found is not None
    assert (found.people, found.responses, found.asked, found.rate) == (2, 2, 3, 67)
    assert list(found.questions[0].counts) == [("Yes", 1), ("No", 0), ("Later", 1)]


def test_a_survey_in_sum(group: Group, group_admin: User, member: User) -> None:
    survey = post(group, group_admin, "Survey", SURVEY)
    answer(survey, group_admin, {"answers": ANSWERS})
    answer(survey, member, {"answers": ["", "Day", ["Gloves", "Masks"], 2, None, None]})
    found = action_queries.summarise(seen(survey, member)[0])
    assert found is not None
    text, shift, missing, patients, place, _when = found.questions
    assert (text.answered, place.answered) == (2, 1)
    assert list(shift.counts) == [("Day", 1), ("Night", 1)]
    assert list(missing.counts) == [("Gloves", 2), ("Masks", 1)]
    assert (patients.lowest, patients.highest, patients.mean) == (2, 12, 7)
    assert [each.count for each in patients.ranges] == [1, 0, 0, 0, 1]


def test_a_job_in_sum(group: Group, group_admin: User, member: User) -> None:
    numbers = [person_of(member).number, person_of(group_admin).number]
    job = post(group, group_admin, "Job", {"title": "Clean", "assignedTo": numbers})
    answer(job, member, {"isCompleted": True})
    found = action_queries.summarise(seen(job, member)[0])
    assert found is not None
    assert (found.people, found.asked, found.rate) == (1, 2, 50)


def test_what_is_for_the_sender_only_has_no_sum_for_others(group: Group, group_admin: User, member: User) -> None:
    poll = post(group, member, "Poll", {**POLL, "isSenderOnly": True})
    assert action_queries.summarise(seen(poll, group_admin)[0]) is None
    assert action_queries.summarise(seen(poll, member)[0]) is not None


# ---------------------------------------------------------------- One by one


def many(action: Action, number: int) -> list[Response]:
    people = [make_person(f"Person {n}") for n in range(number)]
    return [responses.give(action=action, body={"choice": n % 3}, person=person) for n, person in enumerate(people)]


def test_responses_are_paged_the_newest_first(group: Group, group_admin: User) -> None:
    poll = post(group, group_admin, "Poll", POLL)
    given = many(poll, 5)
    card, viewer = seen(poll, group_admin)
    first = action_queries.response_page(card, viewer, size=3)
    second = action_queries.response_page(card, viewer, cursor=first.next_cursor, size=3)
    assert [each.id for each in first.items + second.items] == [response.pk for response in reversed(given)]
    assert first.items[0].person == given[-1].person
    assert first.items[0].body == {"choice": "No"}


def test_what_one_has_answered_oneself(group: Group, group_admin: User, member: User) -> None:
    survey = post(group, group_admin, "Survey", {**SURVEY, "isAnonymous": True})
    mine = answer(survey, member, {"answers": ANSWERS})
    answer(survey, group_admin, {"answers": ANSWERS})
    card, viewer = seen(survey, member)
    assert action_queries.list_own_responses(card, viewer.people) == [mine]
    assert [each.person for each in action_queries.response_page(card, viewer).items] == [None, None]


def test_a_card_is_found_in_its_group_alone(group: Group, group_admin: User) -> None:
    poll = post(group, group_admin, "Poll", POLL)
    other = make_group("Day Shift", organisation=group.organisation, admins=[group_admin])
    found, viewer = viewer_of(group_admin, other)
    with pytest.raises(NotFound):
        action_queries.get_action(found, poll.pk, viewer)
