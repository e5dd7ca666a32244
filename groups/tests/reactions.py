"""Reacting and reading reactions as programs do, for the tests about it."""

from __future__ import annotations

import json
from typing import Any

from groups.models import Action, Group, Message
from groups.tests.conftest import Wire
from groups.tests.factories import Program


def path(group: Group, *more: object) -> str:
    return "/".join([f"/v1/groups/{group.pk}/reaction", *map(str, more)])


def body(of: object, kind: str = "Like", **more: Any) -> str:
    return json.dumps({"referenceId": str(of), "sourceGroupId": "", "reactionType": kind, **more})


def react(wire: Wire, program: Program | str, message: Message | Action, kind: str = "Like", **more: Any) -> str:
    answer = wire.post(path(message.group), body(message.pk, kind, **more), program)
    assert answer.status_code == 200, answer.content
    return str(answer.json()["reactionId"])


def comment(wire: Wire, program: Program | str, message: Message | Action, text: str) -> str:
    return react(wire, program, message, "Comment", comment=text)


def pages(wire: Wire, program: Program, address: str, name: str) -> list[list[Any]]:
    """All pages as a program reads them that goes on until nothing comes."""
    found: list[list[Any]] = []
    cursor = ""
    while True:
        answer = wire.get(f"{address}?cursor={cursor}", program)
        assert answer.status_code == 200, answer.content
        items = answer.json()[name]
        if not items:
            assert answer.json()["cursor"] == 0
            return found
        found.append(items)
        cursor = answer.json()["cursor"]
