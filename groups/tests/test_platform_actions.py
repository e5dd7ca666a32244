"""Posting each kind of action (wire protocol §6, Actions; ADR 0052)."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from connectors.permissions import Permission
from groups.models import Action, Group, MediaResource
from groups.tests.cards import MEETING, POLL, SURVEY, actions_of, details, listed, make_media, post, posted
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_in, make_connector, person_of
from kaizala_console.lib import clock

Travel = Callable[..., dt.datetime]


def iso(at: dt.datetime | None) -> str:
    assert at is not None
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def body_of(wire: Wire, program: Program, group: Group) -> dict[str, Any]:
    """The actionBody of the only action in the list."""
    (action,) = listed(wire, program, group)
    found: dict[str, Any] = action["actionBody"]
    return found


@pytest.mark.parametrize(
    ("kind", "name"),
    [("Album", "a.jpg"), ("Audio", "a.mp3"), ("Document", "a.pdf"), ("Video", "a.mp4")],
)
def test_media_are_posted_with_a_caption(wire: Wire, program: Program, group: Group, kind: str, name: str) -> None:
    answer = post(wire, program, group, kind, {"mediaResource": make_media(program, kind, name), "caption": "Look"})
    assert answer.status_code == 200, answer.content
    assert list(answer.json()) == ["referenceId"]
    body = body_of(wire, program, group)
    assert body["caption"] == "Look"
    assert [file["mediaFileName"] for file in body["media"]] == [name]
    assert MediaResource.objects.get().used_at is not None


def test_a_picture_is_listed_by_its_address_alone(wire: Wire, program: Program, group: Group) -> None:
    action = posted(wire, program, group, "image", {"mediaResource": make_media(program), "caption": "The ward"})
    (only,) = listed(wire, program, group)
    assert sorted(only["actionBody"]) == ["imageUrl"]
    assert "/media/" in only["actionBody"]["imageUrl"]
    shown = details(wire, program, action)
    assert (shown["caption"], shown["media"][0]["mediaFileName"]) == ("The ward", "photo.jpg")


def test_an_album_takes_a_single_picture_too(wire: Wire, program: Program, group: Group) -> None:
    assert posted(wire, program, group, "Album", {"mediaResource": make_media(program)}).kind == "Album"


def test_an_announcement_with_media(wire: Wire, program: Program, group: Group) -> None:
    body = {"Title": "Rain", "Message": "Stay in.", "MediaResources": [make_media(program), make_media(program)]}
    answer = post(wire, program, group, "Announcement", body)
    assert list(answer.json()) == ["referenceId"]
    shown = body_of(wire, program, group)
    assert (shown["title"], shown["message"], len(shown["media"])) == ("Rain", "Stay in.", 2)


def test_an_announcement_may_have_no_title(wire: Wire, program: Program, group: Group) -> None:
    post(wire, program, group, "announcement", {"message": "Lets test"})  # Microsoft's own description: ADR 0061
    assert body_of(wire, program, group) == {"title": "", "message": "Lets test", "media": []}


def test_a_job_is_due_in_24_hours(wire: Wire, program: Program, group: Group, member: User, travel: Travel) -> None:
    now = travel()
    answer = post(wire, program, group, "Job", {"title": "Clean", "assignedTo": [person_of(member).number]})
    action = Action.objects.get()
    assert answer.json() == {"referenceId": str(action.pk), "actionId": str(action.pk)}
    assert action.expires_at == now + dt.timedelta(hours=24)
    assert list(action.assignees.all()) == [person_of(member)]
    assert body_of(wire, program, group) == {
        "actionId": str(action.pk),
        "title": "Clean",
        "assigneeCount": 1,
        "responseCount": 0,
        "isCompleted": False,
    }
    assert details(wire, program, action) == {
        "actionId": str(action.pk),
        "title": "Clean",
        "dueDate": iso(action.expires_at),
        "status": False,
        "assigneeCount": 1,
        "responseCount": 0,
        "responses": [],
    }


def test_who_is_assigned_twice_is_assigned_once(wire: Wire, program: Program, group: Group, member: User) -> None:
    number = person_of(member).number
    for numbers in ([number, f" {number} "], number):
        body = {"title": "Clean", "assignedTo": numbers, "dueDate": "10"}
        assert posted(wire, program, group, "Job", body).assignee_count == 1


def test_only_members_are_assigned_and_the_others_are_named(
    wire: Wire, program: Program, group: Group, member: User
) -> None:
    numbers = [person_of(member).number, "+919930000099", "nonsense"]
    answer = post(wire, program, group, "Job", {"title": "Clean", "assignedTo": numbers})
    message = refused(answer, 400, "InvalidParameters", "ValidationException")
    assert "actionBody.assignedTo" in message
    assert "+919930000099" in message
    assert "nonsense" in message
    assert numbers[0] not in message
    assert not Action.objects.exists()


def test_a_poll_closes_in_720_hours(wire: Wire, program: Program, group: Group, travel: Travel) -> None:
    now = travel()
    choices = [{"title": "Yes", "image": make_media(program)}, {"title": "No"}]
    action = posted(wire, program, group, "Poll", {"question": "Tea?", "choices": choices})
    assert action.expires_at == now + dt.timedelta(hours=720)
    body = body_of(wire, program, group)
    assert sorted(body) == ["actionId", "choices", "expiryDate", "isSenderOnly", "question"]
    assert (body["question"], body["isSenderOnly"], body["expiryDate"]) == ("Tea?", False, iso(action.expires_at))
    assert body["choices"][0]["image"].startswith("http")
    assert body["choices"][1] == {"title": "No"}


def test_a_poll_says_when_it_closes(wire: Wire, program: Program, group: Group, travel: Travel) -> None:
    now = travel()
    action = posted(wire, program, group, "Poll", {**POLL, "ExpiryInHours": 10})
    assert action.expires_at == now + dt.timedelta(hours=10)


def test_a_meeting_takes_half_an_hour(wire: Wire, program: Program, group: Group) -> None:
    action = posted(wire, program, group, "LetsMeet", MEETING)
    assert body_of(wire, program, group) == {
        "actionId": str(action.pk),
        "title": "Handover",
        "startingTime": "2030-01-01T06:00:00Z",
        "agenda": "",
        "duration": 30,
        "isSenderOnly": False,
    }


def test_a_meeting_at_a_place(wire: Wire, program: Program, group: Group) -> None:
    place = {"latitude": 15, "longitude": 96, "name": "MS Building 3"}
    body = {**MEETING, "startingTime": "2030-01-01T08:00:00+05:30", "DurationInMins": 45, "place": place}
    posted(wire, program, group, "LetsMeet", {**body, "agenda": "no agenda", "isSenderOnly": "true"})
    shown = body_of(wire, program, group)
    assert (shown["startingTime"], shown["duration"], shown["isSenderOnly"]) == ("2030-01-01T02:30:00Z", 45, True)
    assert (shown["place"], shown["agenda"]) == (place, "no agenda")


def test_what_a_class_with_a_number_and_a_text_leaves_unsaid(
    wire: Wire, program: Program, group: Group, travel: Travel
) -> None:
    """Microsoft's own client in C# sends 0 for a `DueDate` that nobody has set (ADR 0061)."""
    now = travel()
    unsaid = {"DueDate": 0, "Visibility": None, "Description": None, "CoverImage": None}
    question = {"Title": "Q", "Type": "Text", "Options": None}
    action = posted(wire, program, group, "Survey", {**unsaid, "Title": "x", "Questions": [question]}, Subscribers=None)
    assert action.expires_at == now + dt.timedelta(hours=24)
    poll = posted(wire, program, group, "Poll", {"Question": "Q", "Choices": [{"Title": "a", "Image": ""}, "b"]})
    assert [choice["title"] for choice in details(wire, program, poll)["choices"]] == ["a", "b"]


def test_a_survey_is_listed_with_its_count_and_end(wire: Wire, program: Program, group: Group, travel: Travel) -> None:
    now = travel()
    action = posted(wire, program, group, "Survey", {**SURVEY, "dueDate": 10})
    assert action.expires_at == now + dt.timedelta(hours=10)
    assert body_of(wire, program, group) == {
        "actionId": str(action.pk),
        "title": "Shift report",
        "responseCount": 0,
        "expiryDate": iso(action.expires_at),
    }
    shown = details(wire, program, action, responses=False)
    assert [question["type"] for question in shown["questions"]] == [
        "Text",
        "SingleOption",
        "MultiOption",
        "Numeric",
        "Location",
        "DateTime",
    ]
    assert shown["questions"][1]["options"] == [{"title": "Day"}, {"title": "Night"}]
    assert (shown["isAnonymous"], shown["acceptMultipleResponses"], "responses" in shown) == (False, False, False)


def test_a_package_is_posted_by_its_id(wire: Wire, program: Program, group: Group) -> None:
    properties = [
        {"name": "Ward", "type": 0, "value": "3"},
        {"name": "Beds", "type": "1", "value": 12},
        {"name": "Tags", "type": "stringset", "value": ["a", "b"]},
        {"name": "Files", "type": 7, "value": '["x"]'},
    ]
    answer = post(wire, program, group, "com.contoso.inspection", {**SURVEY, "properties": properties})
    assert sorted(answer.json()) == ["actionId", "referenceId"]
    action = Action.objects.get()
    assert (action.kind, action.package_id) == ("Package", "com.contoso.inspection")
    assert [action["actionType"] for action in listed(wire, program, group)] == ["com.contoso.inspection"]
    shown = details(wire, program, action)
    assert [each["type"] for each in shown["properties"]] == ["Text", "Numeric", "StringSet", "AttachmentList"]


def test_a_package_needs_no_title(wire: Wire, program: Program, group: Group) -> None:
    """What it shows stands in its properties: most programs that posted packages sent nothing else."""
    properties = [{"name": "messageTitle", "value": "Water is back", "type": "Text"}]
    action = posted(wire, program, group, "com.contoso.notice.2", {"properties": properties})
    assert action.title == ""
    assert details(wire, program, action)["properties"] == properties


def test_validity_is_the_moment_at_which_a_package_closes(
    wire: Wire, program: Program, group: Group, travel: Travel
) -> None:
    end = travel() + dt.timedelta(days=3)
    action = posted(wire, program, group, "com.contoso.x", {"title": "x", "validity": clock.epoch_ms(end)})
    assert action.expires_at is not None
    assert clock.epoch_ms(action.expires_at) == clock.epoch_ms(end)


def test_places_are_shared(wire: Wire, program: Program, group: Group) -> None:
    place = {"latitude": 17.429725, "longitude": 78.3408851}
    posted(wire, program, group, "ShareLocation", place)
    posted(wire, program, group, "PhotoWithLocation", {**place, "mediaResource": make_media(program)})
    only, photo = listed(wire, program, group)
    assert only["actionBody"] == place
    assert sorted(photo["actionBody"]) == ["imageUrl", "latitude", "longitude"]


LENIENT = {
    "str(dict) of Python": str(
        {"actionType": "Survey", "actionBody": {**SURVEY, "isAnonymous": True, "validity": None}}
    ),
    "unquoted keys": '{actionType:"survey", actionBody:{title:"Hello", questions:[{title:"Q", type:"TEXT"},],}}',
    "another case": '{"ACTIONTYPE":"SURVEY","actionbody":{"Title":1,"Questions":[{"Title":"Q","Type":"singleoption",'
    '"Options":["a","b"]}],"isanonymous":"false"}}',
}


@pytest.mark.parametrize("kind", LENIENT)
def test_bodies_are_read_as_old_programs_write_them(wire: Wire, program: Program, group: Group, kind: str) -> None:
    answer = wire.post(actions_of(group), LENIENT[kind].encode(), program)
    assert answer.status_code == 200, answer.content
    assert Action.objects.get().kind == "Survey"


QUESTION = {"title": "Q", "type": "Text"}
REFUSED: dict[str, tuple[str, Any, str]] = {
    "no body": ("Poll", None, "actionBody"),
    "a body that is none": ("Poll", [1], "actionBody"),
    "a poll without a question": ("Poll", {"choices": POLL["choices"]}, "actionBody.question"),
    "a poll with one choice": ("Poll", {"question": "Q", "choices": [{"title": "Yes"}]}, "actionBody.choices"),
    "a poll with a choice twice": (
        "Poll",
        {"question": "Q", "choices": ["a", "b", "a"]},
        "actionBody.choices[2].title",
    ),
    "too many choices": ("Poll", {"question": "Q", "choices": [str(n) for n in range(51)]}, "actionBody.choices"),
    "a poll that never was open": ("Poll", {**POLL, "expiryInHours": 0}, "actionBody.expiryInHours"),
    "a choice that says nothing": ("Poll", {"question": "Q", "choices": ["a", " "]}, "actionBody.choices[1].title"),
    "no media": ("Image", {"caption": "x"}, "actionBody.mediaResource"),
    "unknown media": ("Image", {"mediaResource": "eyJUaHVtYm5h"}, "actionBody.mediaResource"),
    "an announcement without words": ("Announcement", {"title": "x", "message": " "}, "actionBody.message"),
    "a job for nobody": ("Job", {"title": "x", "assignedTo": []}, "actionBody.assignedTo"),
    "a meeting at no time": ("LetsMeet", {"title": "x", "startingTime": "soon"}, "actionBody.startingTime"),
    "a meeting before time": ("LetsMeet", {"title": "x", "startingTime": "0001-01-01T00:00:00+14:00"}, "startingTime"),
    "a meeting off the map": (
        "LetsMeet",
        {**MEETING, "place": {"latitude": 91, "longitude": 0}},
        "actionBody.place.latitude",
    ),
    "a survey without a title": ("Survey", {"questions": [QUESTION]}, "actionBody.title"),
    "a survey that asks nothing": ("Survey", {"title": "x"}, "actionBody.questions"),
    "too many questions": ("Survey", {"title": "x", "questions": [QUESTION] * 101}, "actionBody.questions"),
    "a question of no type": (
        "Survey",
        {"title": "x", "questions": [QUESTION, {"title": "Q", "type": "Colour"}]},
        "actionBody.questions[1].type",
    ),
    "a choice without options": (
        "Survey",
        {"title": "x", "questions": [QUESTION, QUESTION, {"title": "Q", "type": "SingleOption"}]},
        "actionBody.questions[2].options",
    ),
    "an option twice": (
        "Survey",
        {"title": "x", "questions": [{"title": "Q", "type": "MultiOption", "options": ["a", "a"]}]},
        "actionBody.questions[0].options[1].title",
    ),
    "a title that is too long": ("Survey", {"title": "x" * 501, "questions": [QUESTION]}, "actionBody.title"),
    "a survey that has closed": (
        "Survey",
        {"title": "x", "questions": [QUESTION], "validity": 1500377471000},
        "actionBody.validity",
    ),
    "a property of no type": (
        "com.contoso.x",
        {"title": "x", "properties": [{"name": "a", "type": 8, "value": ""}]},
        "actionBody.properties[0].type",
    ),
    "a property that is no number": (
        "com.contoso.x",
        {"title": "x", "properties": [{"name": "a", "type": 1, "value": [1]}]},
        "actionBody.properties[0].value",
    ),
    "a type that is none": ("Song", {}, "actionType"),
    "a package id that is none": ("com/contoso.x", {}, "id"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_named_by_its_path(wire: Wire, program: Program, group: Group, case: str) -> None:
    kind, body, path = REFUSED[case]
    message = refused(post(wire, program, group, kind, body), 400, "InvalidParameters", "ValidationException")
    assert path in message
    assert not Action.objects.exists()


@pytest.mark.parametrize("named", [{}, {"actionType": "Poll", "id": "com.contoso.x"}])
def test_either_a_type_or_a_package(wire: Wire, program: Program, group: Group, named: dict[str, str]) -> None:
    answer = wire.post(actions_of(group), json.dumps({**named, "actionBody": POLL}), program)
    assert "actionType" in refused(answer, 400, "InvalidParameters", "ValidationException")


def test_media_of_another_connector_are_unknown(
    wire: Wire, program: Program, group: Group, developer: User, group_admin: User
) -> None:
    other = let_in(make_connector(developer, name="Other", permissions=list(Permission)), group, group_admin)
    answer = post(wire, program, group, "Image", {"mediaResource": make_media(other)})
    assert "actionBody.mediaResource" in refused(answer, 400, "InvalidParameters", "ValidationException")


def test_media_of_another_kind_are_refused(wire: Wire, program: Program, group: Group) -> None:
    answer = post(wire, program, group, "Audio", {"mediaResource": make_media(program, "Image")})
    message = refused(answer, 400, "InvalidParameters", "ValidationException")
    assert "Audio" in message


def test_what_is_refused_uses_no_media_up(wire: Wire, program: Program, group: Group) -> None:
    body = {"title": "x", "message": "y", "mediaResources": [make_media(program), "nothing"]}
    refused(post(wire, program, group, "Announcement", body), 400, "InvalidParameters", "ValidationException")
    assert MediaResource.objects.get().used_at is None
