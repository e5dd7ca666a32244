"""Actions (wire protocol §6; ADR 0052, 0061): posting each kind, changing properties, who posts and reads, the list."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, Person, User
from connectors.models import CompatibilityQuirkDay, Connector
from connectors.permissions import Permission
from connectors.services import usage
from groups.models import Action, Group, MediaResource, Message
from groups.tests.cards import (
    MEETING,
    POLL,
    SURVEY,
    action_path,
    actions_of,
    details,
    listed,
    make_media,
    post,
    posted,
)
from groups.tests.conftest import invalid, not_found, refused
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


def iso(at: dt.datetime | None) -> str:
    assert at is not None
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def body_of(program: Program, group: Group) -> dict[str, Any]:
    """The actionBody of the only action in the list."""
    (action,) = listed(program, group)
    found: dict[str, Any] = action["actionBody"]
    return found


@pytest.mark.parametrize(
    ("kind", "name"),
    [("Album", "a.jpg"), ("Audio", "a.mp3"), ("Document", "a.pdf"), ("Video", "a.mp4")],
)
def test_media_are_posted_with_a_caption(program: Program, group: Group, kind: str, name: str) -> None:
    answer = post(program, group, kind, {"mediaResource": make_media(program, kind, name), "caption": "Look"})
    assert answer.status_code == 200, answer.content
    assert list(answer.json()) == ["referenceId"]
    body = body_of(program, group)
    assert body["caption"] == "Look"
    assert [file["mediaFileName"] for file in body["media"]] == [name]
    assert MediaResource.objects.get().used_at is not None


def test_a_picture_is_listed_by_its_address_alone(program: Program, group: Group) -> None:
    action = posted(program, group, "image", {"mediaResource": make_media(program), "caption": "The ward"})
    (only,) = listed(program, group)
    assert sorted(only["actionBody"]) == ["imageUrl"]
    assert "/media/" in only["actionBody"]["imageUrl"]
    shown = details(program, action)
    assert (shown["caption"], shown["media"][0]["mediaFileName"]) == ("The ward", "photo.jpg")


def test_an_announcement_has_media_or_neither_them_nor_a_title(program: Program, group: Group) -> None:
    body = {"Title": "Rain", "Message": "Stay in.", "MediaResources": [make_media(program), make_media(program)]}
    assert list(post(program, group, "Announcement", body).json()) == ["referenceId"]
    post(program, group, "announcement", {"message": "Lets test"})  # Microsoft's own description: ADR 0061
    rain, bare = (action["actionBody"] for action in listed(program, group))
    assert (rain["title"], rain["message"], len(rain["media"])) == ("Rain", "Stay in.", 2)
    assert bare == {"title": "", "message": "Lets test", "media": []}


def test_a_job_is_due_in_24_hours(program: Program, group: Group, member: User, travel: Travel) -> None:
    now = travel()
    answer = post(program, group, "Job", {"title": "Clean", "assignedTo": [person_of(member).number]})
    action = Action.objects.get()
    assert answer.json() == {"referenceId": str(action.pk), "actionId": str(action.pk)}
    assert action.expires_at == now + dt.timedelta(hours=24)
    assert list(action.assignees.all()) == [person_of(member)]
    assert body_of(program, group) == {
        "actionId": str(action.pk),
        "title": "Clean",
        "assigneeCount": 1,
        "responseCount": 0,
        "isCompleted": False,
    }
    assert details(program, action) == {
        "actionId": str(action.pk),
        "title": "Clean",
        "dueDate": iso(action.expires_at),
        "status": False,
        "assigneeCount": 1,
        "responseCount": 0,
        "responses": [],
    }


def test_only_members_are_assigned_each_once_and_the_others_are_named(
    program: Program, group: Group, member: User
) -> None:
    number = person_of(member).number
    message = invalid(post(program, group, "Job", {"title": "x", "assignedTo": [number, "+919930000099", "nonsense"]}))
    named = [text for text in ("actionBody.assignedTo", "+919930000099", "nonsense", number) if text in message]
    assert named == ["actionBody.assignedTo", "+919930000099", "nonsense"]
    assert not Action.objects.exists()
    for numbers in ([number, f" {number} "], number):
        assert posted(program, group, "Job", {"title": "x", "assignedTo": numbers, "dueDate": "10"}).assignee_count == 1


def test_a_poll_closes_in_720_hours_or_when_it_says(program: Program, group: Group, travel: Travel) -> None:
    now = travel()
    choices = [{"title": "Yes", "image": make_media(program)}, {"title": "No"}]
    action = posted(program, group, "Poll", {"question": "Tea?", "choices": choices})
    assert action.expires_at == now + dt.timedelta(hours=720)
    body = body_of(program, group)
    assert sorted(body) == ["actionId", "choices", "expiryDate", "isSenderOnly", "question"]
    assert (body["question"], body["isSenderOnly"], body["expiryDate"]) == ("Tea?", False, iso(action.expires_at))
    assert body["choices"][0]["image"].startswith("http")
    assert body["choices"][1] == {"title": "No"}
    sooner = posted(program, group, "Poll", {**POLL, "ExpiryInHours": 10})
    assert sooner.expires_at == now + dt.timedelta(hours=10)


def test_a_meeting_takes_half_an_hour_or_as_long_as_it_says(program: Program, group: Group) -> None:
    action = posted(program, group, "LetsMeet", MEETING)
    place = {"latitude": 15, "longitude": 96, "name": "MS Building 3"}
    body = {**MEETING, "startingTime": "2030-01-01T08:00:00+05:30", "DurationInMins": 45, "place": place}
    longer = posted(program, group, "LetsMeet", {**body, "agenda": "no agenda", "isSenderOnly": "true"})
    plain = {
        "actionId": str(action.pk),
        "title": "Handover",
        "startingTime": "2030-01-01T06:00:00Z",
        "agenda": "",
        "duration": 30,
        "isSenderOnly": False,
    }
    told = {"agenda": "no agenda", "duration": 45, "isSenderOnly": True, "place": place}
    other = {**plain, **told, "actionId": str(longer.pk), "startingTime": "2030-01-01T02:30:00Z"}
    assert [each["actionBody"] for each in listed(program, group)] == [plain, other]


def test_what_a_class_with_a_number_and_a_text_leaves_unsaid(program: Program, group: Group, travel: Travel) -> None:
    """Microsoft's own client in C# sends 0 for a `DueDate` that nobody has set (ADR 0061)."""
    now = travel()
    unsaid = {"DueDate": 0, "Visibility": None, "Description": None, "CoverImage": None}
    question = {"Title": "Q", "Type": "Text", "Options": None}
    action = posted(program, group, "Survey", {**unsaid, "Title": "x", "Questions": [question]}, Subscribers=None)
    assert action.expires_at == now + dt.timedelta(hours=24)
    poll = posted(program, group, "Poll", {"Question": "Q", "Choices": [{"Title": "a", "Image": ""}, "b"]})
    assert [choice["title"] for choice in details(program, poll)["choices"]] == ["a", "b"]


def test_a_survey_is_listed_with_its_count_and_end(program: Program, group: Group, travel: Travel) -> None:
    now = travel()
    action = posted(program, group, "Survey", {**SURVEY, "dueDate": 10})
    assert action.expires_at == now + dt.timedelta(hours=10)
    assert body_of(program, group) == {
        "actionId": str(action.pk),
        "title": "Shift report",
        "responseCount": 0,
        "expiryDate": iso(action.expires_at),
    }
    shown = details(program, action, responses=False)
    assert [each["type"] for each in shown["questions"]] == [each["type"] for each in SURVEY["questions"]]
    assert shown["questions"][1]["options"] == [{"title": "Day"}, {"title": "Night"}]
    assert (shown["isAnonymous"], shown["acceptMultipleResponses"], "responses" in shown) == (False, False, False)


def test_a_package_is_posted_by_its_id_and_needs_no_title(program: Program, group: Group) -> None:
    """What it shows stands in its properties: most programs that posted packages sent nothing else."""
    properties: list[dict[str, Any]] = [
        {"name": "Ward", "type": 0, "value": "3"},
        {"name": "Beds", "type": "1", "value": 12},
        {"name": "Tags", "type": "stringset", "value": ["a", "b"]},
        {"name": "Files", "type": 7, "value": '["x"]'},
    ]
    answer = post(program, group, "com.contoso.inspection.2", {"properties": properties})
    assert sorted(answer.json()) == ["actionId", "referenceId"]
    action = Action.objects.get()
    assert (action.kind, action.package_id, action.title) == ("Package", "com.contoso.inspection.2", "")
    assert [each["actionType"] for each in listed(program, group)] == ["com.contoso.inspection.2"]
    shown = details(program, action)["properties"]
    assert [each["type"] for each in shown] == ["Text", "Numeric", "StringSet", "AttachmentList"]
    assert [each["value"] for each in shown] == [each["value"] for each in properties]


def test_validity_is_the_moment_at_which_a_package_closes(program: Program, group: Group, travel: Travel) -> None:
    end = travel() + dt.timedelta(days=3)
    action = posted(program, group, "com.contoso.x", {"title": "x", "validity": clock.epoch_ms(end)})
    assert action.expires_at is not None
    assert clock.epoch_ms(action.expires_at) == clock.epoch_ms(end)


def test_places_are_shared(program: Program, group: Group) -> None:
    place = {"latitude": 17.429725, "longitude": 78.3408851}
    posted(program, group, "ShareLocation", place)
    posted(program, group, "PhotoWithLocation", {**place, "mediaResource": make_media(program)})
    only, photo = listed(program, group)
    assert only["actionBody"] == place
    assert sorted(photo["actionBody"]) == ["imageUrl", "latitude", "longitude"]


QUESTION = {"title": "Q", "type": "Text"}


def asking(question: dict[str, Any]) -> dict[str, Any]:
    """A survey whose second question this is."""
    return {"title": "x", "questions": [QUESTION, question]}


REFUSED: list[tuple[str, Any, str]] = [
    ("Poll", None, "actionBody"),
    ("Poll", [1], "actionBody"),
    ("Poll", {"choices": POLL["choices"]}, "actionBody.question"),
    ("Poll", {"question": "Q", "choices": [{"title": "Yes"}]}, "actionBody.choices"),
    ("Poll", {"question": "Q", "choices": ["a", "b", "a"]}, "actionBody.choices[2].title"),
    ("Poll", {"question": "Q", "choices": [str(n) for n in range(51)]}, "actionBody.choices"),
    ("Poll", {**POLL, "expiryInHours": 0}, "actionBody.expiryInHours"),
    ("Poll", {"question": "Q", "choices": ["a", " "]}, "actionBody.choices[1].title"),
    ("Image", {"caption": "x"}, "actionBody.mediaResource"),
    ("Image", {"mediaResource": "eyJUaHVtYm5h"}, "actionBody.mediaResource"),
    ("Announcement", {"title": "x", "message": " "}, "actionBody.message"),
    ("Job", {"title": "x", "assignedTo": []}, "actionBody.assignedTo"),
    ("LetsMeet", {"title": "x", "startingTime": "soon"}, "actionBody.startingTime"),
    ("LetsMeet", {"title": "x", "startingTime": "0001-01-01T00:00:00+14:00"}, "startingTime"),
    ("LetsMeet", {**MEETING, "place": {"latitude": 91, "longitude": 0}}, "actionBody.place.latitude"),
    ("Survey", {"questions": [QUESTION]}, "actionBody.title"),
    ("Survey", {"title": "x"}, "actionBody.questions"),
    ("Survey", {"title": "x", "questions": [QUESTION] * 101}, "actionBody.questions"),
    ("Survey", asking({"title": "Q", "type": "Colour"}), "actionBody.questions[1].type"),
    ("Survey", asking({"title": "Q", "type": "SingleOption"}), "actionBody.questions[1].options"),
    ("Survey", asking({"title": "Q", "type": "MultiOption", "options": ["a", "a"]}), "questions[1].options[1].title"),
    ("Survey", {"title": "x" * 501, "questions": [QUESTION]}, "actionBody.title"),
    ("Survey", {**asking(QUESTION), "validity": 1500377471000}, "actionBody.validity"),
    ("com.contoso.x", {"properties": [{"name": "a", "type": 8, "value": ""}]}, "actionBody.properties[0].type"),
    ("com.contoso.x", {"properties": [{"name": "a", "type": 1, "value": [1]}]}, "actionBody.properties[0].value"),
    ("Song", {}, "actionType"),
    ("com/contoso.x", {}, "id"),
]


@pytest.mark.parametrize(("kind", "body", "path"), REFUSED)
def test_what_is_wrong_is_named_by_its_path(program: Program, group: Group, kind: str, body: Any, path: str) -> None:
    assert path in invalid(post(program, group, kind, body))
    assert not Action.objects.exists()


@pytest.mark.parametrize("named", [{}, {"actionType": "Poll", "id": "com.contoso.x"}])
def test_either_a_type_or_a_package(program: Program, group: Group, named: dict[str, str]) -> None:
    answer = program.post(actions_of(group), {**named, "actionBody": POLL})
    assert "actionType" in invalid(answer)


# As an ERP in Java closes its orders.
CLOSED = [
    {"propertyType": "Custom", "name": "state", "type": 1, "value": "3"},
    {"propertyType": "Custom", "name": "approval", "type": 1, "value": "2"},
]


@pytest.fixture
def order(program: Program, group: Group) -> Action:
    body = {**SURVEY, "properties": [{"name": "state", "type": 1, "value": "1"}, {"name": "order", "value": "PO 7"}]}
    return posted(program, group, "com.contoso.order.2", body)


def change(program: Program, action: Action, properties: Any = CLOSED) -> Any:
    body = {"version": -1, "notificationTargetGroup": str(action.group_id), "actionProperties": properties}
    return program.put(f"{action_path(action)}/properties", body)


def at_its_own_address(program: Program, action: Action) -> Any:
    """As a page in JavaScript sends it."""
    return program.put(action_path(action), {"version": -1, "updateProperties": CLOSED})


@pytest.mark.parametrize("call", [change, at_its_own_address])
def test_an_order_is_closed_by_its_properties(program: Program, order: Action, call: Callable[..., Any]) -> None:
    answer = call(program, order)
    assert answer.status_code == 200, answer.content
    assert answer.json() == {"referenceId": str(order.pk), "actionId": str(order.pk)}
    properties = details(program, order)["properties"]
    assert {each["name"]: each["value"] for each in properties} == {"state": "3", "order": "PO 7", "approval": "2"}
    event = AuditEvent.objects.get(tag="group:action:changed")
    assert (event.after["properties"], "PO 7" in str(event.after)) == (["approval", "state"], False)
    usage.flush()
    assert CompatibilityQuirkDay.objects.filter(connector=program.connector, habit="action_properties").exists()


def test_others_change_no_properties(
    connector: Connector, program: Program, member: User, group: Group, order: Action
) -> None:
    member_token = let_act_for(connector, member)
    refused(change(member_token, order), 403, "Unauthorized")
    refused(at_its_own_address(member_token, order), 403, "Unauthorized")
    poll = posted(program, group, "Poll", POLL)
    not_found(change(program, poll))
    too_many = [{"name": str(number)} for number in range(99)]
    invalid(change(program, order, too_many))
    invalid(program.put(action_path(order), "{}"))
    order.refresh_from_db()
    assert [each["value"] for each in order.body["properties"]] == ["1", "PO 7"]


def test_where_only_admins_post_nobody_else_changes_properties(
    connector: Connector, member: User, group: Group
) -> None:
    token = let_act_for(connector, member)
    own = posted(token, group, "com.contoso.order.2", SURVEY)
    assert change(token, own).status_code == 200
    Group.objects.filter(pk=group.pk).update(only_admins_post=True)
    refused(change(token, own), 403, "Unauthorized")


@pytest.mark.parametrize("scope", ["write", "read"])
def test_the_permission_is_needed(developer: User, group: Group, group_admin: User, scope: str) -> None:
    connector = make_connector(developer, name="Texts", permissions=[Permission.TEXT_MESSAGE])
    program = let_in(connector, group, group_admin)
    answer = post(program, group, "Poll", POLL) if scope == "write" else program.get(actions_of(group))
    assert "Action" in refused(answer, 403, "Unauthorized")
    assert not Action.objects.exists()


def test_an_action_of_another_group_is_not_found(
    program: Program, group: Group, group_admin: User, connector: Connector
) -> None:
    other = make_group("Day Shift", organisation=group.organisation, admins=[group_admin])
    action = posted(let_in(connector, other, group_admin), other, "Poll", POLL)
    for key in (action.pk, unknown_id(), "nonsense"):
        refused(program.get(f"{actions_of(group)}/{key}"), 404, "NotFound", "NotFoundException")


def test_in_a_managed_public_group_only_admins_post_and_members_do_not_see_what_goes_to_subscribers(
    connector: Connector, public: Group, group_admin: User, member: User
) -> None:
    members, admins = let_act_for(connector, member), let_in(connector, public, group_admin)
    refused(post(members, public, "Poll", POLL), 403, "Unauthorized")
    assert not Action.objects.exists()
    for to, audience in (
        ({"sendToAllSubscribers": "true"}, Message.Audience.SUBSCRIBERS),
        ({"subscribers": ["+91 98200 00041"]}, Message.Audience.CHOSEN),
    ):
        action = posted(admins, public, "Poll", POLL, **to)
        assert action.audience == audience
        assert listed(members, public) == []
        refused(members.get(f"{actions_of(public)}/{action.pk}"), 404, "NotFound", "NotFoundException")
    posted(admins, public, "Poll", POLL)
    assert len(listed(members, public)) == 1


def test_in_a_plain_group_all_subscribers_are_its_members(
    program: Program, connector: Connector, group: Group, member: User
) -> None:
    for token in (program, let_act_for(connector, member)):
        card = posted(token, group, "Poll", POLL, sendToAllSubscribers=True)
        assert card.audience == Message.Audience.MEMBERS
    answer = post(program, group, "Poll", POLL, subscribers=["+919820000041"])
    assert "subscribers" in refused(answer, 400, "InvalidParameters", "ValidationException")


def test_the_list_says_who_sent_what_and_when(
    program: Program, group: Group, group_admin: User, travel: Travel
) -> None:
    now = travel()
    action = posted(program, group, "Poll", POLL)
    (shown,) = listed(program, group)
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
def test_without_a_date_the_last_thirty_are_listed_in_order(program: Program, group: Group, group_admin: User) -> None:
    make_polls(group, person_of(group_admin), 31)
    answer = program.get(actions_of(group))
    assert questions(answer) == [f"Poll {n}" for n in range(1, 31)]
    assert answer.json()["hasMore"] is True


@pytest.mark.postgresql
@pytest.mark.parametrize("unit", [1, 1000])
@pytest.mark.parametrize(("at_once", "count"), [(1, 3), (2, 1), (3, 5), (7, 2)])
def test_a_program_that_goes_on_from_a_second_always_comes_further(
    program: Program, group: Group, group_admin: User, at_once: int, count: int, unit: int
) -> None:
    """However many were sent in one second, however few it takes at a time, and in seconds as in milliseconds."""
    polls = make_polls(group, person_of(group_admin), 3 * at_once)
    start = polls[0].sent_at.replace(microsecond=0)
    for n, poll in enumerate(polls):
        poll.sent_at = start + dt.timedelta(seconds=n // at_once, milliseconds=n % at_once)
    Action.objects.bulk_update(polls, ["sent_at"])
    since, seen, more = clock.epoch_ms(start) // 1000 - 60, dict[str, int](), True
    for _page in range(2 * len(polls)):
        page = program.get(f"{actions_of(group)}?fromDate={since * unit}&count={count}").json()
        seen |= {action["referenceId"]: action["creationTime"] for action in page["actions"]}
        since, more = max(action["creationTime"] for action in page["actions"]), page["hasMore"]
        if not more:
            break
    assert (more, len(seen)) == (False, len(polls))
    assert list(seen.values()) == sorted(seen.values())


@pytest.mark.postgresql
def test_has_more_is_false_when_the_last_one_is_there(program: Program, group: Group, group_admin: User) -> None:
    make_polls(group, person_of(group_admin), 3)
    for query in ("?count=3", "?count=3&fromDate=0", "?count=5000"):
        answer = program.get(actions_of(group) + query)
        assert (len(answer.json()["actions"]), answer.json()["hasMore"]) == (3, False)


def test_one_kind_is_listed_alone(program: Program, group: Group) -> None:
    posted(program, group, "Poll", POLL)
    posted(program, group, "Survey", SURVEY)
    posted(program, group, "com.contoso.x", SURVEY)
    posted(program, group, "com.contoso.y", SURVEY)
    for query, expected in {
        "?actionType=SURVEY": ["Survey"],
        "?actiontype=poll": ["Poll"],
        "?actionType=com.contoso.x": ["com.contoso.x"],
        "?id=com.contoso.y": ["com.contoso.y"],
    }.items():
        assert [action["actionType"] for action in listed(program, group, query)] == expected


@pytest.mark.parametrize("query", ["?actionType=Song", "?count=0", "?count=many", "?fromDate=yesterday"])
def test_a_query_that_means_nothing_is_refused(program: Program, group: Group, query: str) -> None:
    message = refused(program.get(actions_of(group) + query), 400, "InvalidParameters", "ValidationException")
    assert query[1:].partition("=")[0] in message


@pytest.mark.postgresql
def test_a_hundred_mixed_actions_take_as_many_queries_as_two(
    program: Program, group: Group, group_admin: User, member: User
) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert program.get(f"{actions_of(group)}?count=100").status_code == 200
        return len(captured)

    def some() -> None:
        posted(program, group, "Image", {"mediaResource": make_media(program)})
        posted(program, group, "Job", {"title": "x", "assignedTo": [person_of(member).number]})

    some()
    before = count()
    some()
    posted(program, group, "Survey", SURVEY)
    body = {"title": "a", "message": "b", "mediaResources": [make_media(program)]}
    posted(program, group, "Announcement", body)
    make_polls(group, person_of(group_admin), 90)
    assert count() == before
