"""Cards as a program at work posts, answers and reads them."""

from __future__ import annotations

from typing import Any

from groups.models import Action, Group
from groups.tests.cards import action_path, actions_of
from groups.tests.factories import Program


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


def details(program: Program, action: Action, *, responses: bool = True) -> dict[str, Any]:
    """`actionDetails` of a card."""
    answer = program.get(f"{action_path(action)}?getDetails={str(responses).lower()}")
    assert answer.status_code == 200, answer.content
    return dict(answer.json()["actionDetails"])


def listed(program: Program, group: Group) -> list[dict[str, Any]]:
    """The actions of the group, as the list has them."""
    answer = program.get(actions_of(group))
    assert answer.status_code == 200, answer.content
    return list(answer.json()["actions"])
