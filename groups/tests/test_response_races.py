"""Two at once, on PostgreSQL with real threads: who answers twice at the same moment has answered once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError

from accounts.models import User
from groups.models import Action, Group, Response
from groups.services import actions, responses
from groups.tests.cards import ANSWERS, POLL, SURVEY
from groups.tests.factories import person_of

Together = Callable[[int, Callable[[], Any]], list[Any]]
THREADS = 6


def post(group: Group, by: User, kind: str, body: dict[str, Any]) -> Action:
    return actions.post(group=group, action_type=kind, body=body, person=person_of(by), by=by)


@pytest.mark.services
@pytest.mark.parametrize("body", [SURVEY, {**SURVEY, "isAnonymous": True}], ids=["named", "anonymous"])
def test_two_first_responses_are_one(
    group: Group, group_admin: User, member: User, together: Together, body: dict[str, Any]
) -> None:
    survey, person = post(group, group_admin, "Survey", body), person_of(member)
    given = together(THREADS, lambda: responses.give(action=survey, body={"answers": ANSWERS}, person=person).pk)
    assert given == [given[0]] * THREADS
    assert Response.objects.count() == 1
    assert Action.objects.get().response_count == 1


@pytest.mark.services
def test_of_several_only_one_is_the_first(group: Group, group_admin: User, member: User, together: Together) -> None:
    survey = post(group, group_admin, "Survey", {**SURVEY, "acceptMultipleResponses": True})
    person = person_of(member)
    given = together(THREADS, lambda: responses.give(action=survey, body={"answers": ANSWERS}, person=person).pk)
    assert len(set(given)) == THREADS
    assert Response.objects.filter(is_first=True).count() == 1
    assert Action.objects.get().response_count == 1


@pytest.mark.services
def test_a_job_is_completed_once(group: Group, group_admin: User, member: User, together: Together) -> None:
    person = person_of(member)
    job = post(group, group_admin, "Job", {"title": "x", "assignedTo": [person.number]})
    together(THREADS, lambda: responses.give(action=job, body={"isCompleted": True}, person=person).pk)
    assert Action.objects.get().response_count == 1


def test_the_table_takes_one_first_response_a_responder(group: Group, group_admin: User, member: User) -> None:
    poll = post(group, group_admin, "Poll", POLL)
    response = responses.give(action=poll, body={"choice": 1}, person=person_of(member))
    with pytest.raises(IntegrityError, match=r"one_first_response|UNIQUE"):
        Response.objects.create(
            action=poll,
            person=person_of(member),
            responder=response.responder,
            responded_at=response.responded_at,
            body=response.body,
        )


def test_the_table_takes_no_half_anonymous_response(group: Group, group_admin: User, member: User) -> None:
    survey = post(group, group_admin, "Survey", {**SURVEY, "isAnonymous": True})
    response = responses.give(action=survey, body={"answers": ANSWERS}, person=person_of(member))
    with pytest.raises(IntegrityError, match="response_is_named_or_anonymous"):
        Response.objects.filter(pk=response.pk).update(person=person_of(member))


def test_only_a_package_has_a_package_id(group: Group, group_admin: User) -> None:
    poll = post(group, group_admin, "Poll", POLL)
    with pytest.raises(IntegrityError, match="action_package_has_an_id"):
        Action.objects.filter(pk=poll.pk).update(package_id="com.contoso.x")
