"""What the token inspector foretells of each call on a group is what it answers, also for a mere member's token."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.models import User
from connectors.models import Connector
from connectors.services import introspection
from connectors.views.introspection import list_calls
from groups.models import Group
from groups.tests.factories import Program, let_act_for, make_group, unknown_id

pytestmark = pytest.mark.django_db
SOMEBODY = {"members": ["+919810099999"]}
SUBSCRIBER = {"subscribers": ["+919810099999"]}
POLL = {"actionType": "Announcement", "actionBody": {"title": "Hello", "message": "All"}}
# What each call on a group is sent with.
BODIES: dict[str, Any] = {
    "GET /v1/groups/<group_id>": None,
    "GET /v1/groups/<group_id>/subGroups": None,
    "POST /v1/groups/<group_id>/subGroups": {"name": "Below"},
    "PUT /v1/groups/<group_id>/subGroups": {"subGroups": ["<deep>"]},
    "DELETE /v1/groups/<group_id>/subGroups/<sub_group_id>": None,
    "GET /v1/groups/<group_id>/members": None,
    "PUT /v1/groups/<group_id>/members": SOMEBODY,
    "PUT /v1/groups/<group_id>/members/<member_id>": {"role": "Admin"},
    "DELETE /v1/groups/<group_id>/members/<member_id>": None,
    "GET /v1/groups/<group_id>/subscribers": None,
    "POST /v1/groups/<group_id>/subscribers": {},
    "PUT /v1/groups/<group_id>/subscribers/add": SUBSCRIBER,
    "PUT /v1/groups/<group_id>/subscribers/remove": SUBSCRIBER,
    "POST /v1/groups/<group_id>/messages": {"message": "Hello"},
    "GET /v1/groups/<group_id>/actions": None,
    "POST /v1/groups/<group_id>/actions": POLL,
    "GET /v1/groups/<group_id>/actions/<action_id>": None,
    "PUT /v1/groups/<group_id>/actions/<action_id>": {"updateProperties": [{"name": "state"}]},
    "PUT /v1/groups/<group_id>/actions/<action_id>/properties": {"actionProperties": [{"name": "state"}]},
    "POST /v1/groups/<group_id>/actions/<action_id>/responses": {"responses": []},
    "POST /v1/groups/<group_id>/reaction": {"referenceId": unknown_id(), "reactionType": "Like"},
    "GET /v1/groups/<group_id>/reaction/summary": None,
    "GET /v1/groups/<group_id>/reaction/<reference_id>": None,
    "GET /v1/groups/<group_id>/reaction/<reference_id>/summary": None,
    "PUT /v1/groups/<group_id>/bot": {"botIds": [unknown_id()]},
    "POST /v1/groups/<group_id>/bot": {"botUserId": unknown_id()},
    "DELETE /v1/groups/<group_id>/bot/<bot_id>": None,
}


def answered(call: str, group_id: str, deep: Group, token: Program) -> int:
    method, route = call.split(" ")
    parts = [
        unknown_id() if part.startswith("<") else part for part in route.replace("<group_id>", group_id).split("/")
    ]
    body = BODIES[call]
    sent = [] if body is None else [json.dumps(body).replace("<deep>", str(deep.pk))]
    return int(getattr(token, method.lower())("/".join(parts), *sent).status_code)


def foretold(call: str, group_id: str, token: Program, by: User) -> bool:
    found = introspection.introspect(text=token.access_token, by=by)
    return found.works and all(
        check.passed for check in introspection.explain_call(found, list_calls()[call], group_id)
    )


def test_every_call_on_a_group_is_tried_here() -> None:
    assert set(BODIES) == {call for call in list_calls() if "<group_id>" in call}


@pytest.mark.parametrize("call", BODIES)
@pytest.mark.parametrize("strict", [False, True])
def test_what_is_foretold_is_what_is_answered(
    call: str,
    strict: bool,
    connector: Connector,
    group: Group,
    program: Program,
    member: User,
    group_admin: User,
    developer: User,
) -> None:
    if strict:
        Group.objects.update(only_admins_post=True, members_see_members=False)
    middle = make_group("Middle", organisation=group.organisation, under=group, admins=[group_admin])
    deep = make_group("Deep", organisation=group.organisation, under=middle, admins=[group_admin])
    elsewhere = str(make_group("Elsewhere").pk)
    for token in (let_act_for(connector, member), let_act_for(connector, group_admin), program):
        for group_id in (str(group.pk), elsewhere):
            allowed = answered(call, group_id, deep, token) != 403
            assert foretold(call, group_id, token, developer) == allowed, (token.grant.kind, group_id == elsewhere)
