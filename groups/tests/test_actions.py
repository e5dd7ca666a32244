"""Posting and answering Actions, as services do it for pages and programs alike."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError

from accounts.models import User
from connectors.models import Connector
from connectors.webhooks import publish
from groups.models import Action, Group, Response
from groups.services import actions, responses
from groups.tests.cards import ANSWERS, POLL, SURVEY
from groups.tests.factories import person_of
from kaizala_console.lib.errors import NotAllowed, RuleBroken


def post(group: Group, by: User, kind: str = "Poll", body: Any = POLL, **options: Any) -> Action:
    return actions.post(group=group, action_type=kind, body=body, person=person_of(by), by=by, **options)


def give(action: Action, by: User, body: Any, **options: Any) -> Response:
    return responses.give(action=action, body=body, person=person_of(by), **options)


def full(*_target: Any, **_options: Any) -> None:
    raise DatabaseError("full")


def test_an_action_says_who_posted_it_and_through_what(group: Group, group_admin: User, connector: Connector) -> None:
    action = Action.objects.get(pk=post(group, group_admin, connector=connector).pk)
    assert (action.person, action.connector, action.title) == (person_of(group_admin), connector, "Tea?")
    assert action.audience == "members"


def test_nothing_is_posted_when_its_webhooks_cannot_be_told(
    group: Group, group_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "list_interested", full)
    with pytest.raises(DatabaseError):
        post(group, group_admin)
    assert not Action.objects.exists()


def test_nothing_is_answered_when_its_webhooks_cannot_be_told(
    group: Group, group_admin: User, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll = post(group, group_admin)
    monkeypatch.setattr(publish, "list_interested", full)
    with pytest.raises(DatabaseError):
        give(poll, member, {"choice": 0})
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
