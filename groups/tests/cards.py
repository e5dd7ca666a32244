"""Cards of every kind, as programs post them, for the tests about them."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from connectors.models import Webhook
from connectors.webhooks.events import WebhookEventType
from groups.models import Action, Group, MediaFile, MediaResource
from groups.tests.conftest import Wire
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


def post(wire: Wire, token: Program | str, group: Group, kind: str, body: Any, **more: Any) -> Any:
    """The answer to posting a card: `kind` is an actionType, or with a dot a package's id."""
    named = {"id": kind} if "." in kind else {"actionType": kind}
    return wire.post(actions_of(group), json.dumps({**named, "actionBody": body, **more}), token)


def posted(wire: Wire, token: Program | str, group: Group, kind: str, body: Any, **more: Any) -> Action:
    """The card, which was taken."""
    answer = post(wire, token, group, kind, body, **more)
    assert answer.status_code == 200, answer.content
    return Action.objects.select_related("group").get(pk=answer.json()["referenceId"])


def respond(wire: Wire, token: Program | str, action: Action, body: Any, **more: Any) -> Any:
    """The answer to responding to a card."""
    return wire.post(f"{action_path(action)}/responses", json.dumps({"actionBody": body, **more}), token)


def details(wire: Wire, token: Program | str, action: Action, *, responses: bool = True) -> dict[str, Any]:
    """`actionDetails` of a card."""
    answer = wire.get(f"{action_path(action)}?getDetails={str(responses).lower()}", token)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()["actionDetails"]
    return found


def listed(wire: Wire, token: Program | str, group: Group, query: str = "") -> list[dict[str, Any]]:
    """The actions of the group, as the list has them."""
    answer = wire.get(f"{actions_of(group)}{query}", token)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["actions"]
    return found


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
