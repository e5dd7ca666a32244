"""`POST …/actions/{actionId}/responses`, the details, and what nobody learns of responses (ADR 0052)."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError

from accounts.models import User
from accounts.tests.factories import make_person
from connectors.models import Connector, WebhookEvent
from groups.models import Action, Group, Membership, Response
from groups.platform_service import actions as door
from groups.services import actions, responses
from groups.tests.cards import (
    ANSWERS,
    POLL,
    SURVEY,
    TOLD_ANSWERS,
    action_path,
    details,
    give,
    listed,
    listen,
    make_media,
    posted,
    respond,
)
from groups.tests.conftest import invalid, not_found, refused
from groups.tests.factories import Program, person_of, unknown_id
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
Travel = Callable[..., dt.datetime]


@pytest.fixture
def poll(program: Program, group: Group) -> Action:
    return posted(program, group, "Poll", POLL)


@pytest.fixture
def survey(program: Program, group: Group) -> Action:
    return posted(program, group, "Survey", SURVEY)


def choices(token: Program, action: Action) -> list[str]:
    return [response["choice"] for response in details(token, action)["responses"]]


# ---------------------------------------------------------------- Each kind


def test_an_assignee_and_nobody_else_completes_a_job_or_finds_that_it_is_not_done(
    program: Program, group: Group, members: Program, member: User, group_admin: User
) -> None:
    job = posted(program, group, "Job", {"title": "Clean", "assignedTo": [person_of(member).number]})
    refused(respond(program, job, {"isCompleted": True}), 403, "Unauthorized")
    counts = []
    for done in (False, "true", True):
        key = give(members, job, {"isCompleted": done}, actionType="job")
        shown = details(program, job)
        counts.append((shown["responseCount"], shown["assigneeCount"], shown["status"]))
    assert counts == [(0, 1, False), (1, 1, True), (1, 1, True)]
    (response,) = shown["responses"]
    assert response.pop("respondedAt").endswith("Z")
    assert response == {
        "responseId": key,
        "assignee": person_of(member).number,
        "assigneeName": person_of(member).name,
        "assigneeProfilePic": "",
        "isCompleted": True,
    }
    give(members, job, {"isCompleted": False})
    assert details(program, job)["status"] is False


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("No", "No"), ("no ", "No"), (0, "Yes"), (2, "Later"), ("2", "Later")],
)
def test_a_choice_is_named_by_title_or_by_index(
    program: Program, poll: Action, members: Program, choice: Any, expected: str
) -> None:
    give(members, poll, {"Choice": choice}, actionType="Poll")
    assert choices(program, poll) == [expected]
    assert details(program, poll, responses=False)["responseCount"] == 1


@pytest.mark.parametrize("choice", ["Maybe", 3, -1, True, None, 1.5, [0], {"title": "Yes"}, "9" * 5000])
def test_a_choice_that_is_none_is_refused(poll: Action, members: Program, choice: Any) -> None:
    assert "actionBody.choice" in invalid(respond(members, poll, {"choice": choice}))
    assert not Response.objects.exists()


def test_a_survey_is_answered_question_by_question(
    program: Program, survey: Action, members: Program, member: User
) -> None:
    place = {"latitude": 1, "longitude": 1, "name": "locationName234"}
    body = {"responseName": "API response", "responseLocation": place, "Answers": ANSWERS}
    key = give(members, survey, body, actionType="Survey")
    shown = details(program, survey)
    assert shown["responseCount"] == 1
    (response,) = shown["responses"]
    assert response["answers"] == ANSWERS
    assert (response["responseId"], response["responder"]) == (key, person_of(member).number)
    assert (response["responseName"], response["responseLocation"]) == ("API response", place)


def test_a_package_is_answered_like_a_survey(program: Program, group: Group, members: Program) -> None:
    card = posted(program, group, "com.contoso.inspection", SURVEY)
    give(members, card, {"answers": ANSWERS}, id="com.contoso.inspection")
    assert details(program, card)["responses"][0]["answers"] == ANSWERS
    # Microsoft's page had one form of answer for both, and programs say so (ADR 0061).
    give(members, card, {"Answers": ["x", *ANSWERS[1:]]}, actiontype="survey")
    assert details(program, card)["responses"][0]["answers"][0] == "x"
    assert "com.contoso.inspection" in invalid(respond(members, card, {"answers": ANSWERS}, actionType="Poll"))


OWN = ["-", 4.5, ["a", "b"], {"lt": 1, "lg": 2, "n": "Pune"}, None, "ERP Upload Success"]


def test_a_package_that_keeps_its_questions_to_itself_is_answered_all_the_same(
    program: Program, group: Group, members: Program
) -> None:
    """Programs send such a card with properties alone, and answer the questions that the package has (ADR 0061)."""
    listen(program, group.pk)
    card = posted(program, group, "com.contoso.orders", {"properties": [{"name": "state", "value": "0"}]})
    give(members, card, {"Answers": OWN}, actiontype="survey")
    shown = details(program, card)
    assert (shown["responses"][0]["answers"], shown["questions"]) == (OWN, [])
    told = WebhookEvent.objects.get(event_type="ActionResponse").data["responseDetails"]["responseWithQuestions"]
    assert [(each["title"], each["answer"]) for each in told] == [(str(n), answer) for n, answer in enumerate(OWN, 1)]
    assert [each["type"] for each in told] == ["Text", "Numeric", "MultiOption", "Location", "Text", "Text"]
    for unasked in (True, {"lt": 91, "lg": 0}, [1, {}], ["x"] * 101, "x" * 4001, 1e300, {}):
        assert "answers" in invalid(respond(members, card, {"answers": [unasked]}))
    assert "answers" in invalid(respond(members, card, {"answers": ["x"] * 101}))


def test_pictures_and_attachments_are_shown_by_their_files(program: Program, group: Group, members: Program) -> None:
    questions = [{"title": "Photo", "type": "Image"}, {"title": "Papers", "type": "AttachmentList"}]
    survey = posted(program, group, "Survey", {"title": "x", "questions": questions})
    papers = [make_media(members, "Document", "a.pdf"), make_media(members, "Image", "b.jpg")]
    give(members, survey, {"answers": [make_media(members), papers]})
    photo, files = details(program, survey)["responses"][0]["answers"]
    assert [file["mediaFileName"] for file in photo] == ["photo.jpg"]
    assert [file["mediaFileName"] for file in files] == ["a.pdf", "b.jpg"]
    foreign = invalid(respond(members, survey, {"answers": [make_media(members, "Audio"), None]}))
    assert "actionBody.answers[0]" in foreign


@pytest.mark.parametrize(
    ("index", "answer"),
    [
        (0, ["Meera"]),
        (0, "x" * 4001),
        (1, "Evening"),
        (1, ["Day", "Night"]),
        (1, []),
        (1, [["Night"]]),
        (2, ["Gloves", "Gloves"]),
        (2, ["Day"]),
        (3, "twelve"),
        (3, True),
        (3, 1e300),
        (4, {"lt": 91, "lg": 0}),
        (4, {"lt": 1}),
        (4, "Ward 3"),
        (5, "yesterday"),
    ],
)
def test_an_answer_of_the_wrong_type_is_named_by_its_index(
    survey: Action, members: Program, index: int, answer: Any
) -> None:
    answers = [*ANSWERS[:index], answer, *ANSWERS[index + 1 :]]
    assert f"actionBody.answers[{index}]" in invalid(respond(members, survey, {"answers": answers}))
    assert not Response.objects.exists()


def test_there_is_one_answer_for_each_question(program: Program, survey: Action, members: Program) -> None:
    for answers in ([], ANSWERS[:-1], [*ANSWERS, 1]):
        assert "expected 6" in invalid(respond(members, survey, {"answers": answers}))
    give(members, survey, {"answers": [None, "Day", None, None, None, None]})
    assert details(program, survey)["responses"][0]["answers"][1] == "Day"


def test_answers_are_read_leniently(program: Program, survey: Action, members: Program) -> None:
    give(members, survey, {"answers": ["Meera", "Day", "Masks", "12.5", {"LT": 1, "LG": 2}, None]})
    kept = ["Meera", "Day", ["Masks"], 12.5, {"lt": 1, "lg": 2}, None]
    assert details(program, survey)["responses"][0]["answers"] == kept


@pytest.mark.parametrize(
    ("kind", "body"),
    [("Announcement", {"title": "a", "message": "b"}), ("ShareLocation", {"latitude": 1, "longitude": 2})],
)
def test_some_kinds_take_no_responses(program: Program, group: Group, kind: str, body: dict[str, Any]) -> None:
    action = posted(program, group, kind, body)
    assert kind in invalid(respond(program, action, {"choice": 1}))
    assert "responses" not in details(program, action)


# ---------------------------------------------------------------- The second time


def test_a_second_response_changes_the_first(program: Program, poll: Action, members: Program) -> None:
    first = give(members, poll, {"choice": "Yes"})
    assert give(members, poll, {"choice": "No"}) == first
    assert choices(program, poll) == ["No"]
    assert details(program, poll)["responseCount"] == 1


def test_a_response_is_changed_by_its_id(program: Program, group: Group, members: Program) -> None:
    survey = posted(program, group, "Survey", {**SURVEY, "acceptMultipleResponses": True})
    first = give(members, survey, {"answers": ANSWERS})
    second = give(members, survey, {"answers": ["Later", *ANSWERS[1:]]})
    assert first != second
    assert give(members, survey, {"answers": ["First", *ANSWERS[1:]]}, responseId=first) == first
    shown = details(program, survey)
    assert [response["answers"][0] for response in shown["responses"]] == ["First", "Later"]
    assert shown["responseCount"] == 1  # one person


def test_nobody_changes_the_response_of_another_or_to_another_action(
    program: Program, group: Group, members: Program
) -> None:
    poll, other = posted(program, group, "Poll", POLL), posted(program, group, "Poll", POLL)
    theirs = give(members, poll, {"choice": "Yes"})
    answers = [respond(program, poll, {"choice": "No"}, responseId=key) for key in (theirs, unknown_id(), "x")]
    for answer in (*answers, respond(members, other, {"choice": "No"}, responseId=theirs)):
        not_found(answer)
    assert choices(program, poll) == ["Yes"]


def test_an_action_that_has_closed_says_when(program: Program, group: Group, members: Program, travel: Travel) -> None:
    now = travel()
    poll = posted(program, group, "Poll", {**POLL, "expiryInHours": 1})
    travel(minutes=59)
    key = give(members, poll, {"choice": "Yes"})
    travel(minutes=1)
    end = (now + dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert end in invalid(respond(members, poll, {"choice": "No"}))
    assert end in invalid(respond(members, poll, {"choice": "No"}, responseId=key))
    assert choices(program, poll) == ["Yes"]


def test_the_type_of_another_action_is_a_mistake(poll: Action, members: Program) -> None:
    for named in ({"actionType": "Survey"}, {"id": "com.contoso.x"}, {"actionType": "Song"}):
        invalid(respond(members, poll, {"choice": "Yes"}, **named))
    assert not Response.objects.exists()


# ---------------------------------------------------------------- Who may


def test_who_has_left_the_group_responds_no_more(group: Group, members: Program, member: User, poll: Action) -> None:
    Membership.objects.filter(group=group, person=person_of(member)).delete()
    refused(respond(members, poll, {"choice": "Yes"}), 403, "Unauthorized")
    assert not Response.objects.exists()


def test_a_package_is_answered_by_any_of_its_names_and_by_no_other(program: Program, group: Group) -> None:
    """With one choice as a list of one, as it was told."""
    card = posted(program, group, "com.contoso.inspection.2", SURVEY)
    for name in ("com.contoso.other.2", "2", unknown_id()):
        assert "com.contoso.inspection.2" in invalid(respond(program, card, {"answers": ANSWERS}, id=name))
    for name in ("com.contoso.inspection.2", "com.contoso.inspection", str(card.pk).upper()):
        give(program, card, {"answers": TOLD_ANSWERS}, id=name)
    assert [each["answers"] for each in details(program, card)["responses"]] == [ANSWERS]


@pytest.fixture
def anonymous(program: Program, group: Group) -> Action:
    return posted(program, group, "Survey", {**SURVEY, "isAnonymous": True})


@pytest.fixture
def for_me(members: Program, group: Group) -> Action:
    """A poll of the member, for the member only."""
    return posted(members, group, "Poll", {**POLL, "isSenderOnly": True})


# ---------------------------------------------------------------- Anonymous


def test_an_anonymous_response_is_its_answers_alone(program: Program, members: Program, anonymous: Action) -> None:
    place = {"latitude": 1, "longitude": 1, "name": "Home"}
    give(members, anonymous, {"answers": ANSWERS, "responseName": "Meera", "responseLocation": place})
    for token in (program, members):
        shown = details(token, anonymous)
        assert (shown["isAnonymous"], shown["responseCount"]) == (True, 1)
        assert shown["responses"] == [{"answers": ANSWERS}]


def test_the_table_itself_does_not_say_who_or_when(members: Program, member: User, anonymous: Action) -> None:
    key = give(members, anonymous, {"answers": ANSWERS, "responseName": "Meera"})
    row = Response.objects.values().get()
    assert all(row[column] is None for column in ("person_id", "connector_id", "responded_at"))
    assert str(person_of(member).pk) not in str(row)
    assert row["body"] == {"answers": ANSWERS}
    assert uuid.UUID(key).version == 4, "which does not tell the order"


def test_responses_are_ordered_by_nothing_but_chance(program: Program, anonymous: Action) -> None:
    Response.objects.bulk_create(
        Response(id=uuid.uuid4(), action=anonymous, responder=str(n), body={"answers": [str(n), *[None] * 5]})
        for n in range(40)
    )
    order = [int(each["answers"][0]) for each in details(program, anonymous)["responses"]]
    assert sorted(order) == list(range(40))
    assert order not in ([*range(40)], [*range(39, -1, -1)])


def test_one_person_answers_an_anonymous_survey_once_and_may_change_it(
    program: Program, members: Program, anonymous: Action
) -> None:
    key = give(members, anonymous, {"answers": ANSWERS})
    assert give(members, anonymous, {"answers": ["B", *ANSWERS[1:]]}) == key
    assert give(members, anonymous, {"answers": ["C", *ANSWERS[1:]]}, responseId=key) == key
    not_found(respond(program, anonymous, {"answers": ANSWERS}, responseId=key))
    shown = details(program, anonymous)
    assert (shown["responseCount"], [each["answers"][0] for each in shown["responses"]]) == (1, ["C"])


def test_the_same_person_looks_different_in_each_survey(
    program: Program, group: Group, members: Program, anonymous: Action
) -> None:
    other = posted(program, group, "Survey", {**SURVEY, "isAnonymous": True})
    for action in (anonymous, other):
        give(members, action, {"answers": ANSWERS})
    assert len(set(Response.objects.values_list("responder", flat=True))) == 2


# ---------------------------------------------------------------- For the sender only


def test_nobody_but_the_sender_sees_what_was_answered(
    program: Program, members: Program, for_me: Action, connector: Connector, organisation_admin: User
) -> None:
    give(program, for_me, {"choice": "Yes"})
    give(members, for_me, {"choice": "No"})
    shown = details(members, for_me)
    assert (shown["responseCount"], len(shown["responses"])) == (2, 2)
    admins = details(program, for_me)
    assert "responseCount" not in admins
    assert [response["choice"] for response in admins["responses"]] == ["Yes"]  # their own


def test_an_anonymous_survey_for_the_sender_only_hides_everything_from_others(
    program: Program, members: Program, group: Group
) -> None:
    card = posted(members, group, "Survey", {**SURVEY, "isSenderOnly": True, "isAnonymous": True})
    give(program, card, {"answers": ANSWERS})
    give(members, card, {"answers": ["Other", *ANSWERS[1:]]})
    assert details(program, card)["responses"] == [{"answers": ANSWERS}]
    assert len(details(members, card)["responses"]) == 2
    assert "responseCount" in listed(members, group)[0]["actionBody"]
    assert "responseCount" not in listed(program, group)[0]["actionBody"]


# ---------------------------------------------------------------- Very many


def test_many_responses_are_sent_as_they_are_read(
    program: Program, survey: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [make_person(f"Person {n}") for n in range(5)]
    Response.objects.bulk_create(
        Response(
            action=survey, person=person, responder=str(person.pk), responded_at=clock.now(), body={"answers": ANSWERS}
        )
        for person in people
    )
    at_once = program.get(f"{action_path(survey)}?getDetails=true")
    monkeypatch.setattr(door, "AT_ONCE", 2)
    streamed = program.get(f"{action_path(survey)}?getDetails=true")
    assert streamed.streaming
    assert json.loads(streamed.getvalue()) == at_once.json()
    assert streamed["Content-Type"] == at_once["Content-Type"]
    assert len(at_once.json()["actionDetails"]["responses"]) == 5


def test_details_take_as_many_queries_for_many_responses_as_for_one(
    program: Program, survey: Action, members: Program, django_assert_max_num_queries: Any
) -> None:
    give(members, survey, {"answers": ANSWERS})
    give(program, survey, {"answers": ANSWERS})
    with django_assert_max_num_queries(6):
        details(program, survey)


Together = Callable[[int, Callable[[], Any]], list[Any]]

THREADS = 6


def post_by_service(group: Group, by: User, kind: str, body: dict[str, Any]) -> Action:
    return actions.post(group=group, action_type=kind, body=body, person=person_of(by), by=by)


@pytest.mark.services
@pytest.mark.parametrize("body", [SURVEY, {**SURVEY, "isAnonymous": True}], ids=["named", "anonymous"])
def test_two_first_responses_are_one(
    group: Group, group_admin: User, member: User, together: Together, body: dict[str, Any]
) -> None:
    survey, person = post_by_service(group, group_admin, "Survey", body), person_of(member)
    given = together(THREADS, lambda: responses.give(action=survey, body={"answers": ANSWERS}, person=person).pk)
    assert given == [given[0]] * THREADS
    assert Response.objects.count() == 1
    assert Action.objects.get().response_count == 1


@pytest.mark.services
def test_of_several_only_one_is_the_first(group: Group, group_admin: User, member: User, together: Together) -> None:
    survey = post_by_service(group, group_admin, "Survey", {**SURVEY, "acceptMultipleResponses": True})
    person = person_of(member)
    given = together(THREADS, lambda: responses.give(action=survey, body={"answers": ANSWERS}, person=person).pk)
    assert len(set(given)) == THREADS
    assert Response.objects.filter(is_first=True).count() == 1
    assert Action.objects.get().response_count == 1


@pytest.mark.services
def test_a_job_is_completed_once(group: Group, group_admin: User, member: User, together: Together) -> None:
    person = person_of(member)
    job = post_by_service(group, group_admin, "Job", {"title": "x", "assignedTo": [person.number]})
    together(THREADS, lambda: responses.give(action=job, body={"isCompleted": True}, person=person).pk)
    assert Action.objects.get().response_count == 1


def test_the_table_takes_one_first_response_a_responder(group: Group, group_admin: User, member: User) -> None:
    poll = post_by_service(group, group_admin, "Poll", POLL)
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
    survey = post_by_service(group, group_admin, "Survey", {**SURVEY, "isAnonymous": True})
    response = responses.give(action=survey, body={"answers": ANSWERS}, person=person_of(member))
    with pytest.raises(IntegrityError, match="response_is_named_or_anonymous"):
        Response.objects.filter(pk=response.pk).update(person=person_of(member))


def test_only_a_package_has_a_package_id(group: Group, group_admin: User) -> None:
    poll = post_by_service(group, group_admin, "Poll", POLL)
    with pytest.raises(IntegrityError, match="action_package_has_an_id"):
        Action.objects.filter(pk=poll.pk).update(package_id="com.contoso.x")
