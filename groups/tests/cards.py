"""Cards of every kind, as programs post, answer and read them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from connectors.models import Webhook
from connectors.webhooks.events import WebhookEventType
from groups.models import Action, Group, MediaFile, MediaResource
from groups.tests.factories import Program
from kaizala_console.lib import clock, ids

YEAR = dt.timedelta(days=365)
SURVEY: dict[str, Any] = {
    "title": "Shift report",
    "questions": [
        {"title": "Name?", "type": "Text"},
        {"title": "Which shift?", "type": "SingleOption", "options": [{"title": "Day"}, {"title": "Night"}]},
        {"title": "What was missing?", "type": "MultiOption", "options": [{"title": "Gloves"}, {"title": "Masks"}]},
        {"title": "How many patients?", "type": "Numeric"},
        {"title": "Where?", "type": "Location"},
        {"title": "When?", "type": "DateTime"},
    ],
}
ANSWERS: list[Any] = ["Meera", "Night", ["Gloves"], 12, {"lt": 12.97, "lg": 77.59, "n": "Ward 3"}, 1500377471]
TOLD_ANSWERS: list[Any] = ["Meera", ["Night"], *ANSWERS[2:]]  # to webhooks: ADR 0061
POLL: dict[str, Any] = {"question": "Tea?", "choices": [{"title": "Yes"}, {"title": "No"}, {"title": "Later"}]}
MEETING: dict[str, Any] = {"title": "Handover", "startingTime": "2030-01-01T06:00:00Z"}


def actions_of(group: Group) -> str:
    return f"/v1/groups/{group.pk}/actions"


def action_path(action: Action) -> str:
    return f"{actions_of(action.group)}/{action.pk}"


def post(program: Program, group: Group, kind: str, body: Any, **more: Any) -> Any:
    """The answer to posting a card: `kind` is an actionType, or with a dot a package's id."""
    named = {"id": kind} if "." in kind else {"actionType": kind}
    return program.post(actions_of(group), {**named, "actionBody": body, **more})


def posted(program: Program, group: Group, kind: str, body: Any, **more: Any) -> Action:
    """The card, which was taken."""
    answer = post(program, group, kind, body, **more)
    assert answer.status_code == 200, answer.content
    return Action.objects.select_related("group").get(pk=answer.json()["referenceId"])


def respond(program: Program, action: Action, body: Any, **more: Any) -> Any:
    """The answer to responding to a card."""
    return program.post(f"{action_path(action)}/responses", {"actionBody": body, **more})


def give(program: Program, action: Action, body: Any, **more: Any) -> str:
    """The id of the response, which was taken."""
    answer = respond(program, action, body, **more)
    assert answer.status_code == 200, answer.content
    assert list(answer.json()) == ["responseId"]
    return str(answer.json()["responseId"])


def details(program: Program, action: Action, *, responses: bool = True) -> dict[str, Any]:
    """`actionDetails` of a card."""
    answer = program.get(f"{action_path(action)}?getDetails={str(responses).lower()}")
    assert answer.status_code == 200, answer.content
    return dict(answer.json()["actionDetails"])


def listed(program: Program, group: Group, query: str = "") -> list[dict[str, Any]]:
    """The actions of the group, as the list has them."""
    answer = program.get(actions_of(group) + query)
    assert answer.status_code == 200, answer.content
    return list(answer.json()["actions"])


def make_media(program: Program, kind: str = "Image", *names: str) -> str:
    """A mediaResource that the program has uploaded, straight into the tables."""
    resource = MediaResource.objects.create(
        kind=kind,
        organisation=program.connector.organisation,
        connector=program.connector,
        grant=program.grant,
        person=program.grant.person,
        stored_at=clock.now(),
    )
    for position, name in enumerate(names or ("photo.jpg",)):
        MediaFile.objects.create(
            resource=resource,
            position=position,
            name=name,
            content_type="image/jpeg",
            size=3,
            sha256="0" * 64,
            key=str(ids.new_id()),
        )
    return str(resource.pk)


def listen(program: Program, object_id: Any, object_type: str = "Group") -> Webhook:
    """A webhook of the program on everything that happens to this object."""
    return Webhook.objects.create(
        connector=program.connector,
        grant=program.grant,
        object_type=object_type,
        object_id=str(object_id),
        event_types=[kind.value for kind in WebhookEventType],
        callback_url="https://hooks.example.org/kaizala",
        expires_at=clock.now() + YEAR,
    )
