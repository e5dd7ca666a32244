"""`POST …/actions/{actionId}/responses`, and the responses in the details (wire protocol §6, Actions; ADR 0052)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from connectors.models import Connector, WebhookEvent
from connectors.permissions import Permission
from groups.models import Action, Group, Membership, Response
from groups.tests.cards import ANSWERS, MEETING, POLL, SURVEY, action_path, details, listen, make_media, posted, respond
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, make_connector, person_of, unknown_id

Travel = Callable[..., dt.datetime]


@pytest.fixture
def members(connector: Connector, member: User, group: Group) -> Program:
    """A program that acts for the member."""
    return let_act_for(connector, member)


def given(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    assert list(answer.json()) == ["responseId"]
    found: str = answer.json()["responseId"]
    return found


def wrong(answer: Any) -> str:
    return refused(answer, 400, "InvalidParameters", "ValidationException")


def choices(wire: Wire, token: Program, action: Action) -> list[str]:
    return [response["choice"] for response in details(wire, token, action)["responses"]]


# ---------------------------------------------------------------- Each kind


def test_an_assignee_completes_a_job(
    wire: Wire, program: Program, group: Group, members: Program, member: User, group_admin: User
) -> None:
    numbers = [person_of(member).number, person_of(group_admin).number]
    job = posted(wire, program, group, "Job", {"title": "Clean", "assignedTo": numbers})
    key = given(respond(wire, members, job, {"isCompleted": "true"}, actionType="job"))
    shown = details(wire, program, job)
    assert (shown["responseCount"], shown["assigneeCount"], shown["status"]) == (1, 2, False)
    (response,) = shown["responses"]
    assert response.pop("respondedAt").endswith("Z")
    assert response == {
        "responseId": key,
        "assignee": person_of(member).number,
        "assigneeName": person_of(member).name,
        "assigneeProfilePic": "",
        "isCompleted": True,
    }
    given(respond(wire, program, job, {"isCompleted": True}))
    assert details(wire, program, job)["status"] is True


def test_a_job_can_turn_out_not_to_be_done(
    wire: Wire, program: Program, group: Group, members: Program, member: User
) -> None:
    job = posted(wire, program, group, "Job", {"title": "Clean", "assignedTo": [person_of(member).number]})
    counts = []
    for done in (False, True, True, False):
        given(respond(wire, members, job, {"isCompleted": done}))
        counts.append(details(wire, program, job)["responseCount"])
    assert counts == [0, 1, 1, 0]


def test_only_assignees_respond_to_a_job(wire: Wire, program: Program, group: Group, member: User) -> None:
    job = posted(wire, program, group, "Job", {"title": "Clean", "assignedTo": [person_of(member).number]})
    refused(respond(wire, program, job, {"isCompleted": True}), 403, "Unauthorized")
    assert not Response.objects.exists()


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("No", "No"), ("no ", "No"), (0, "Yes"), (2, "Later"), ("2", "Later")],
)
def test_a_choice_is_named_by_title_or_by_index(
    wire: Wire, program: Program, group: Group, members: Program, choice: Any, expected: str
) -> None:
    poll = posted(wire, program, group, "Poll", POLL)
    given(respond(wire, members, poll, {"Choice": choice}, actionType="Poll"))
    assert choices(wire, program, poll) == [expected]
    assert details(wire, program, poll, responses=False)["responseCount"] == 1


@pytest.mark.parametrize("choice", ["Maybe", 3, -1, True, None, 1.5, [0], {"title": "Yes"}, "9" * 5000])
def test_a_choice_that_is_none_is_refused(
    wire: Wire, program: Program, group: Group, members: Program, choice: Any
) -> None:
    poll = posted(wire, program, group, "Poll", POLL)
    assert "actionBody.choice" in wrong(respond(wire, members, poll, {"choice": choice}))
    assert not Response.objects.exists()


def test_people_say_whether_they_come_to_a_meeting(
    wire: Wire, program: Program, group: Group, members: Program
) -> None:
    meeting = posted(wire, program, group, "LetsMeet", MEETING)
    given(respond(wire, members, meeting, {"choice": "maybe"}))
    assert choices(wire, program, meeting) == ["Maybe"]


def test_a_survey_is_answered_question_by_question(
    wire: Wire, program: Program, group: Group, members: Program, member: User
) -> None:
    survey = posted(wire, program, group, "Survey", SURVEY)
    place = {"latitude": 1, "longitude": 1, "name": "locationName234"}
    body = {"responseName": "API response", "responseLocation": place, "Answers": ANSWERS}
    key = given(respond(wire, members, survey, body, actionType="Survey"))
    shown = details(wire, program, survey)
    assert shown["responseCount"] == 1
    (response,) = shown["responses"]
    assert response["answers"] == ANSWERS
    assert (response["responseId"], response["responder"]) == (key, person_of(member).number)
    assert (response["responseName"], response["responseLocation"]) == ("API response", place)


def test_a_package_is_answered_like_a_survey(wire: Wire, program: Program, group: Group, members: Program) -> None:
    card = posted(wire, program, group, "com.contoso.inspection", SURVEY)
    given(respond(wire, members, card, {"answers": ANSWERS}, id="com.contoso.inspection"))
    assert details(wire, program, card)["responses"][0]["answers"] == ANSWERS
    # Microsoft's page had one form of answer for both, and programs say so (ADR 0061).
    given(respond(wire, members, card, {"Answers": ["x", *ANSWERS[1:]]}, actiontype="survey"))
    assert details(wire, program, card)["responses"][0]["answers"][0] == "x"
    assert "com.contoso.inspection" in wrong(respond(wire, members, card, {"answers": ANSWERS}, actionType="Poll"))


UNASKED: list[list[Any]] = [
    [True],
    [{"lt": 91, "lg": 0}],
    [[1, {}]],
    ["x"] * 101,
    [["x"] * 101],
    ["x" * 4001],
    [1e300],
    [{}],
]
OWN = ["-", 4.5, ["a", "b"], {"lt": 1, "lg": 2, "n": "Pune"}, None, "ERP Upload Success"]


def test_a_package_that_keeps_its_questions_to_itself_is_answered_all_the_same(
    wire: Wire, program: Program, group: Group, members: Program
) -> None:
    """Programs send such a card with properties alone, and answer the questions that the package has (ADR 0061)."""
    listen(program, group.pk)
    card = posted(wire, program, group, "com.contoso.orders", {"properties": [{"name": "state", "value": "0"}]})
    given(respond(wire, members, card, {"Answers": OWN}, actiontype="survey"))
    shown = details(wire, program, card)
    assert (shown["responses"][0]["answers"], shown["questions"]) == (OWN, [])
    told = WebhookEvent.objects.get(event_type="ActionResponse").data["responseDetails"]["responseWithQuestions"]
    assert [(each["title"], each["type"], each["answer"]) for each in told] == [
        ("1", "Text", "-"),
        ("2", "Numeric", 4.5),
        ("3", "MultiOption", ["a", "b"]),
        ("4", "Location", OWN[3]),
        ("5", "Text", None),
        ("6", "Text", "ERP Upload Success"),
    ]
    for wrongly in UNASKED:
        assert "answers" in wrong(respond(wire, members, card, {"answers": wrongly}))


def test_pictures_and_attachments_are_shown_by_their_files(
    wire: Wire, program: Program, group: Group, members: Program
) -> None:
    questions = [{"title": "Photo", "type": "Image"}, {"title": "Papers", "type": "AttachmentList"}]
    survey = posted(wire, program, group, "Survey", {"title": "x", "questions": questions})
    papers = [make_media(members, "Document", "a.pdf"), make_media(members, "Image", "b.jpg")]
    given(respond(wire, members, survey, {"answers": [make_media(members), papers]}))
    photo, files = details(wire, program, survey)["responses"][0]["answers"]
    assert [file["mediaFileName"] for file in photo] == ["photo.jpg"]
    assert [file["mediaFileName"] for file in files] == ["a.pdf", "b.jpg"]
    foreign = wrong(respond(wire, members, survey, {"answers": [make_media(members, "Audio"), None]}))
    assert "actionBody.answers[0]" in foreign


WRONG: dict[str, tuple[int, Any]] = {
    "text that is a list": (0, ["Meera"]),
    "text that is too long": (0, "x" * 4001),
    "no option of the question": (1, "Evening"),
    "two options where one is asked": (1, ["Day", "Night"]),
    "an option twice": (2, ["Gloves", "Gloves"]),
    "an option of another question": (2, ["Day"]),
    "a number in words": (3, "twelve"),
    "a number that is none": (3, True),
    "a number without end": (3, 1e300),
    "a place off the map": (4, {"lt": 91, "lg": 0}),
    "a place without a half": (4, {"lt": 1}),
    "a place by name": (4, "Ward 3"),
    "a moment in words": (5, "yesterday"),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_answer_of_the_wrong_type_is_named_by_its_index(
    wire: Wire, program: Program, group: Group, members: Program, case: str
) -> None:
    survey = posted(wire, program, group, "Survey", SURVEY)
    index, answer = WRONG[case]
    answers = [*ANSWERS[:index], answer, *ANSWERS[index + 1 :]]
    assert f"actionBody.answers[{index}]" in wrong(respond(wire, members, survey, {"answers": answers}))
    assert not Response.objects.exists()


def test_there_is_one_answer_for_each_question(wire: Wire, program: Program, group: Group, members: Program) -> None:
    survey = posted(wire, program, group, "Survey", SURVEY)
    for answers in ([], ANSWERS[:-1], [*ANSWERS, 1]):
        assert "expected 6" in wrong(respond(wire, members, survey, {"answers": answers}))
    given(respond(wire, members, survey, {"answers": [None, "Day", None, None, None, None]}))
    assert details(wire, program, survey)["responses"][0]["answers"][1] == "Day"


def test_old_programs_answer_as_python_prints(wire: Wire, program: Program, group: Group, members: Program) -> None:
    survey = posted(wire, program, group, "Survey", SURVEY)
    body = str(
        {"actionType": "Survey", "actionBody": {"answers": ["Meera", "Day", "Masks", "12.5", {"LT": 1, "LG": 2}, None]}}
    )
    given(wire.post(f"{action_path(survey)}/responses", body, members))
    assert details(wire, program, survey)["responses"][0]["answers"] == [
        "Meera",
        "Day",
        ["Masks"],
        12.5,
        {"lt": 1, "lg": 2},
        None,
    ]


@pytest.mark.parametrize("kind", ["Image", "Announcement", "ShareLocation"])
def test_some_kinds_take_no_responses(wire: Wire, program: Program, group: Group, kind: str) -> None:
    body = {
        "Image": {"mediaResource": make_media(program)},
        "Announcement": {"title": "a", "message": "b"},
        "ShareLocation": {"latitude": 1, "longitude": 2},
    }[kind]
    action = posted(wire, program, group, kind, body)
    assert kind in wrong(respond(wire, program, action, {"choice": 1}))
    assert "responses" not in details(wire, program, action)


# ---------------------------------------------------------------- The second time


def test_a_second_response_changes_the_first(wire: Wire, program: Program, group: Group, members: Program) -> None:
    poll = posted(wire, program, group, "Poll", POLL)
    first = given(respond(wire, members, poll, {"choice": "Yes"}))
    assert given(respond(wire, members, poll, {"choice": "No"})) == first
    assert choices(wire, program, poll) == ["No"]
    assert details(wire, program, poll)["responseCount"] == 1


def test_a_response_is_changed_by_its_id(wire: Wire, program: Program, group: Group, members: Program) -> None:
    survey = posted(wire, program, group, "Survey", {**SURVEY, "acceptMultipleResponses": True})
    first = given(respond(wire, members, survey, {"answers": ANSWERS}))
    second = given(respond(wire, members, survey, {"answers": ["Later", *ANSWERS[1:]]}))
    assert first != second
    assert given(respond(wire, members, survey, {"answers": ["First", *ANSWERS[1:]]}, responseId=first)) == first
    shown = details(wire, program, survey)
    assert [response["answers"][0] for response in shown["responses"]] == ["First", "Later"]
    assert shown["responseCount"] == 1  # one person


def test_nobody_changes_the_response_of_another(wire: Wire, program: Program, group: Group, members: Program) -> None:
    poll = posted(wire, program, group, "Poll", POLL)
    theirs = given(respond(wire, members, poll, {"choice": "Yes"}))
    for key in (theirs, unknown_id(), "nonsense"):
        answer = respond(wire, program, poll, {"choice": "No"}, responseId=key)
        refused(answer, 404, "NotFound", "NotFoundException")
    assert choices(wire, program, poll) == ["Yes"]


def test_a_response_to_another_action_is_not_found(
    wire: Wire, program: Program, group: Group, members: Program
) -> None:
    one, other = posted(wire, program, group, "Poll", POLL), posted(wire, program, group, "Poll", POLL)
    key = given(respond(wire, members, one, {"choice": "Yes"}))
    refused(respond(wire, members, other, {"choice": "No"}, responseId=key), 404, "NotFound", "NotFoundException")


def test_an_action_that_has_closed_says_when(
    wire: Wire, program: Program, group: Group, members: Program, travel: Travel
) -> None:
    now = travel()
    poll = posted(wire, program, group, "Poll", {**POLL, "expiryInHours": 1})
    travel(minutes=59)
    key = given(respond(wire, members, poll, {"choice": "Yes"}))
    travel(minutes=1)
    end = (now + dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert end in wrong(respond(wire, members, poll, {"choice": "No"}))
    assert end in wrong(respond(wire, members, poll, {"choice": "No"}, responseId=key))
    assert choices(wire, program, poll) == ["Yes"]


def test_the_type_of_another_action_is_a_mistake(wire: Wire, program: Program, group: Group, members: Program) -> None:
    poll = posted(wire, program, group, "Poll", POLL)
    for named in ({"actionType": "Survey"}, {"id": "com.contoso.x"}, {"actionType": "Song"}):
        wrong(respond(wire, members, poll, {"choice": "Yes"}, **named))
    assert not Response.objects.exists()


# ---------------------------------------------------------------- Who may


def test_who_has_left_the_group_responds_no_more(
    wire: Wire, program: Program, group: Group, members: Program, member: User
) -> None:
    poll = posted(wire, program, group, "Poll", POLL)
    Membership.objects.filter(group=group, person=person_of(member)).delete()
    refused(respond(wire, members, poll, {"choice": "Yes"}), 403, "Unauthorized")
    assert not Response.objects.exists()


def test_a_stranger_responds_to_nothing(
    wire: Wire, program: Program, group: Group, connector: Connector, stranger: User
) -> None:
    poll = posted(wire, program, group, "Poll", POLL)
    refused(respond(wire, let_act_for(connector, stranger), poll, {"choice": "Yes"}), 403, "Unauthorized")
    assert not Response.objects.exists()


def test_the_permission_is_needed(
    wire: Wire, program: Program, group: Group, developer: User, group_admin: User
) -> None:
    poll = posted(wire, program, group, "Poll", POLL)
    other = let_in(make_connector(developer, name="Texts", permissions=[Permission.TEXT_MESSAGE]), group, group_admin)
    assert "Action" in refused(respond(wire, other, poll, {"choice": "Yes"}), 403, "Unauthorized")
    assert not Response.objects.exists()
