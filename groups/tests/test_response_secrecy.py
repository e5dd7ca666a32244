"""What nobody learns of responses: whose they are, when anonymous; what they say, when for the sender only."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from accounts.models import AuditEvent, User
from accounts.tests.factories import make_person
from connectors.models import Connector
from groups.models import Action, Group, Response
from groups.platform_service import actions as door
from groups.tests.cards import ANSWERS, POLL, SURVEY, action_path, details, listed, posted, respond
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, make_group, person_of
from kaizala_console.lib import clock


@pytest.fixture
def members(connector: Connector, member: User, group: Group) -> Program:
    """A program that acts for the member."""
    return let_act_for(connector, member)


@pytest.fixture
def anonymous(wire: Wire, program: Program, group: Group) -> Action:
    return posted(wire, program, group, "Survey", {**SURVEY, "isAnonymous": True})


@pytest.fixture
def for_me(wire: Wire, members: Program, group: Group) -> Action:
    """A poll of the member, for the member only."""
    return posted(wire, members, group, "Poll", {**POLL, "isSenderOnly": True})


def give(wire: Wire, token: Program, action: Action, body: Any, **more: Any) -> str:
    answer = respond(wire, token, action, body, **more)
    assert answer.status_code == 200, answer.content
    found: str = answer.json()["responseId"]
    return found


# ---------------------------------------------------------------- Anonymous


def test_an_anonymous_response_is_its_answers_alone(
    wire: Wire, program: Program, members: Program, anonymous: Action
) -> None:
    place = {"latitude": 1, "longitude": 1, "name": "Home"}
    give(wire, members, anonymous, {"answers": ANSWERS, "responseName": "Meera", "responseLocation": place})
    for token in (program, members):
        shown = details(wire, token, anonymous)
        assert (shown["isAnonymous"], shown["responseCount"]) == (True, 1)
        assert shown["responses"] == [{"answers": ANSWERS}]


def test_the_table_itself_does_not_say_who_or_when(
    wire: Wire, members: Program, member: User, anonymous: Action
) -> None:
    give(wire, members, anonymous, {"answers": ANSWERS, "responseName": "Meera"})
    row = Response.objects.values().get()
    assert all(row[column] is None for column in ("person_id", "connector_id", "responded_at"))
    assert str(person_of(member).pk) not in str(row)
    assert row["body"] == {"answers": ANSWERS}


def test_the_ids_do_not_tell_the_order(wire: Wire, members: Program, anonymous: Action) -> None:
    key = give(wire, members, anonymous, {"answers": ANSWERS})
    assert uuid.UUID(key).version == 4


def test_responses_are_ordered_by_nothing_but_chance(wire: Wire, program: Program, anonymous: Action) -> None:
    Response.objects.bulk_create(
        Response(id=uuid.uuid4(), action=anonymous, responder=str(n), body={"answers": [str(n), *[None] * 5]})
        for n in range(40)
    )
    order = [int(each["answers"][0]) for each in details(wire, program, anonymous)["responses"]]
    assert sorted(order) == list(range(40))
    assert order not in ([*range(40)], [*range(39, -1, -1)])


def test_one_person_answers_an_anonymous_survey_once_and_may_change_it(
    wire: Wire, program: Program, members: Program, anonymous: Action
) -> None:
    key = give(wire, members, anonymous, {"answers": ANSWERS})
    assert give(wire, members, anonymous, {"answers": ["B", *ANSWERS[1:]]}) == key
    assert give(wire, members, anonymous, {"answers": ["C", *ANSWERS[1:]]}, responseId=key) == key
    refused(
        respond(wire, program, anonymous, {"answers": ANSWERS}, responseId=key), 404, "NotFound", "NotFoundException"
    )
    shown = details(wire, program, anonymous)
    assert (shown["responseCount"], [each["answers"][0] for each in shown["responses"]]) == (1, ["C"])


def test_the_same_person_looks_different_in_each_survey(
    wire: Wire, program: Program, group: Group, members: Program, anonymous: Action
) -> None:
    other = posted(wire, program, group, "Survey", {**SURVEY, "isAnonymous": True})
    for action in (anonymous, other):
        give(wire, members, action, {"answers": ANSWERS})
    assert len(set(Response.objects.values_list("responder", flat=True))) == 2


def test_the_audit_trail_is_silent_about_it(wire: Wire, members: Program, anonymous: Action) -> None:
    before = AuditEvent.objects.count()
    give(wire, members, anonymous, {"answers": ANSWERS})
    assert AuditEvent.objects.count() == before


# ---------------------------------------------------------------- For the sender only


def test_nobody_but_the_sender_sees_what_was_answered(
    wire: Wire, program: Program, members: Program, for_me: Action, connector: Connector, organisation_admin: User
) -> None:
    give(wire, program, for_me, {"choice": "Yes"})
    give(wire, members, for_me, {"choice": "No"})
    shown = details(wire, members, for_me)
    assert (shown["responseCount"], len(shown["responses"])) == (2, 2)
    admins = details(wire, program, for_me)
    assert "responseCount" not in admins
    assert [response["choice"] for response in admins["responses"]] == ["Yes"]  # their own


def test_who_has_not_answered_sees_nothing(wire: Wire, program: Program, members: Program, for_me: Action) -> None:
    give(wire, members, for_me, {"choice": "No"})
    assert details(wire, program, for_me)["responses"] == []


def test_the_list_hides_the_count_as_well(wire: Wire, program: Program, members: Program, group: Group) -> None:
    posted(wire, members, group, "Survey", {**SURVEY, "isSenderOnly": True})
    assert "responseCount" in listed(wire, members, group)[0]["actionBody"]
    assert "responseCount" not in listed(wire, program, group)[0]["actionBody"]


def test_an_anonymous_survey_for_the_sender_only_hides_everything_from_others(
    wire: Wire, program: Program, members: Program, group: Group
) -> None:
    card = posted(wire, members, group, "Survey", {**SURVEY, "isSenderOnly": True, "isAnonymous": True})
    give(wire, program, card, {"answers": ANSWERS})
    give(wire, members, card, {"answers": ["Other", *ANSWERS[1:]]})
    assert details(wire, program, card)["responses"] == [{"answers": ANSWERS}]
    assert len(details(wire, members, card)["responses"]) == 2


# ---------------------------------------------------------------- Very many


def test_many_responses_are_sent_as_they_are_read(
    wire: Wire, program: Program, group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey = posted(wire, program, group, "Survey", SURVEY)
    people = [make_person(f"Person {n}") for n in range(5)]
    Response.objects.bulk_create(
        Response(
            action=survey, person=person, responder=str(person.pk), responded_at=clock.now(), body={"answers": ANSWERS}
        )
        for person in people
    )
    at_once = wire.get(f"{action_path(survey)}?getDetails=true", program)
    monkeypatch.setattr(door, "AT_ONCE", 2)
    streamed = wire.get(f"{action_path(survey)}?getDetails=true", program)
    assert streamed.streaming
    assert json.loads(streamed.getvalue()) == at_once.json()
    assert streamed["Content-Type"] == at_once["Content-Type"]
    assert len(at_once.json()["actionDetails"]["responses"]) == 5


def test_details_take_as_many_queries_for_many_responses_as_for_one(
    wire: Wire, program: Program, group: Group, members: Program, django_assert_max_num_queries: Any
) -> None:
    survey = posted(wire, program, group, "Survey", SURVEY)
    give(wire, members, survey, {"answers": ANSWERS})
    give(wire, program, survey, {"answers": ANSWERS})
    with django_assert_max_num_queries(6):
        details(wire, program, survey)


def test_a_card_of_a_group_elsewhere_is_not_read(
    wire: Wire, group: Group, anonymous: Action, connector: Connector, group_admin: User
) -> None:
    other = make_group("Elsewhere", organisation=group.organisation, admins=[group_admin])
    token = let_in(connector, other, group_admin)
    refused(wire.get(action_path(anonymous), token), 403, "Unauthorized")
