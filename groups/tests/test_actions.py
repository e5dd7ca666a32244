"""Posting and answering Actions, and what pages show of them: one line of time with messages, and answers in sum."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError

from accounts.models import Person, User
from connectors.webhooks import publish
from groups import access
from groups.action_types.base import ViewedAction
from groups.models import Action, Group, Message, Response
from groups.queries import actions as action_queries
from groups.queries.actions import Viewer
from groups.services import actions, responses
from groups.tests.cards import ANSWERS, POLL, SURVEY
from groups.tests.factories import person_of
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotAllowed, RuleBroken
from kaizala_console.lib.pagination import Page


def post(group: Group, by: User, kind: str = "Poll", body: Any = POLL, **options: Any) -> Action:
    return actions.post(group=group, action_type=kind, body=body, person=person_of(by), by=by, **options)


def give(action: Action, by: User, body: Any, **options: Any) -> Response:
    return responses.give(action=action, body=body, person=person_of(by), **options)


def full(*_target: Any, **_options: Any) -> None:
    raise DatabaseError("full")


def test_nothing_is_posted_or_answered_when_its_webhooks_cannot_be_told(
    group: Group, group_admin: User, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll = post(group, group_admin)
    monkeypatch.setattr(publish, "list_interested", full)
    with pytest.raises(DatabaseError):
        give(poll, member, {"choice": 0})
    with pytest.raises(DatabaseError):
        post(group, group_admin)
    assert not Response.objects.exists()
    assert Action.objects.get().response_count == 0


def test_people_without_a_program_post_no_media(group: Group, group_admin: User) -> None:
    with pytest.raises(RuleBroken) as refused:
        post(group, group_admin, "Image", {"mediaResource": "x"})
    assert refused.value.field == "actionBody.mediaResource"
    assert not Action.objects.exists()


def test_who_may_not_change_responses_gives_the_first_alone(group: Group, group_admin: User, member: User) -> None:
    poll = post(group, group_admin)
    response = give(poll, member, {"choice": 0}, may_update=False)
    for options in ({}, {"response_id": response.pk}):
        with pytest.raises(NotAllowed):
            give(poll, member, {"choice": 1}, may_update=False, **options)
    assert Response.objects.get().body == {"choice": 0}


def test_where_several_are_taken_the_next_one_changes_nothing(group: Group, group_admin: User, member: User) -> None:
    survey = post(group, group_admin, "Survey", {**SURVEY, "acceptMultipleResponses": True})
    for _n in range(2):
        give(survey, member, {"answers": ANSWERS}, may_update=False)
    assert Response.objects.count() == 2


def test_an_anonymous_responder_is_known_again_with_a_new_pepper(
    group: Group, group_admin: User, member: User, settings: Any
) -> None:
    survey = post(group, group_admin, "Survey", {**SURVEY, "isAnonymous": True})
    first = give(survey, member, {"answers": ANSWERS})
    settings.CREDENTIAL_PEPPERS = [("new", b"n" * 32), *settings.CREDENTIAL_PEPPERS]
    assert give(survey, member, {"answers": ["B", *ANSWERS[1:]]}).pk == first.pk
    assert Response.objects.get().body["answers"][0] == "B"


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
    group = access.require_member(group_admin, group.pk)
    viewer = Viewer.of(group, access.list_held_people(group_admin))

    def page(cursor: str | None = None) -> tuple[Page[Any], list[Any]]:
        found = action_queries.timeline(group, viewer, cursor=cursor, size=5)
        return found, [item.action.pk if isinstance(item, ViewedAction) else item.pk for item in found.items]

    pages = [page()]
    while pages[-1][0].next_cursor is not None:
        pages.append(page(pages[-1][0].next_cursor))
    assert [key for _page, keys in pages for key in keys] == expected
    back, keys = page(pages[-1][0].previous_cursor)
    assert keys == expected[5:10]
    assert page(back.previous_cursor)[0].previous_cursor is None


def test_a_survey_in_sum(group: Group, group_admin: User, member: User) -> None:
    survey = post(group, group_admin, "Survey", SURVEY)
    give(survey, group_admin, {"answers": ANSWERS})
    give(survey, member, {"answers": ["", "Day", ["Gloves", "Masks"], 2, None, None]})
    group = access.require_member(member, group.pk)
    viewer = Viewer.of(group, access.list_held_people(member))
    found = action_queries.summarise(action_queries.get_action(group, survey.pk, viewer))
    assert found is not None
    assert (found.people, found.responses, found.asked, found.rate) == (2, 2, 3, 67)
    text, shift, missing, patients, place, _when = found.questions
    assert (text.answered, place.answered) == (2, 1)
    assert list(shift.counts) == [("Day", 1), ("Night", 1)]
    assert list(missing.counts) == [("Gloves", 2), ("Masks", 1)]
    assert (patients.lowest, patients.highest, patients.mean) == (2, 12, 7)
    assert [each.count for each in patients.ranges] == [1, 0, 0, 0, 1]
