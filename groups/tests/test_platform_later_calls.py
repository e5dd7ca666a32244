"""Two calls that public programs make beside the protocol: properties of an action, groups by name (ADR 0061)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.models import AuditEvent, User
from connectors.models import CompatibilityQuirkDay, Connector
from connectors.services import usage
from groups.models import Action, Group
from groups.tests.cards import POLL, SURVEY, action_path, details, posted
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, make_group

# As an ERP in Java closes its orders.
CLOSED = [
    {"propertyType": "Custom", "name": "state", "type": 1, "value": "3"},
    {"propertyType": "Custom", "name": "approval", "type": 1, "value": "2"},
]


@pytest.fixture
def order(wire: Wire, program: Program, group: Group) -> Action:
    body = {**SURVEY, "properties": [{"name": "state", "type": 1, "value": "1"}, {"name": "order", "value": "PO 7"}]}
    return posted(wire, program, group, "com.contoso.order.2", body)


def change(wire: Wire, token: Any, action: Action, properties: Any = CLOSED) -> Any:
    body = {"version": -1, "notificationTargetGroup": str(action.group_id), "actionProperties": properties}
    return wire.put(f"{action_path(action)}/properties", json.dumps(body), token)


def test_an_order_is_closed_by_its_properties(wire: Wire, program: Program, order: Action) -> None:
    answer = change(wire, program, order)
    assert answer.status_code == 200, answer.content
    assert answer.json() == {"referenceId": str(order.pk), "actionId": str(order.pk)}
    properties = details(wire, program, order)["properties"]
    assert {each["name"]: each["value"] for each in properties} == {"state": "3", "order": "PO 7", "approval": "2"}
    event = AuditEvent.objects.get(tag="group:action:changed")
    assert (event.after["properties"], "PO 7" in str(event.after)) == (["approval", "state"], False)


def test_an_order_is_closed_at_its_own_address(wire: Wire, program: Program, order: Action) -> None:
    """As a page in JavaScript sends it."""
    body = json.dumps({"version": -1, "updateProperties": CLOSED})
    refused(wire.put(action_path(order), body, None), 401, "InvalidToken")
    refused(wire.put(action_path(order), "{}", program), 400, "InvalidParameters", "ValidationException")
    answer = wire.put(action_path(order), body, program)
    assert answer.status_code == 200, answer.content
    usage.flush()
    assert CompatibilityQuirkDay.objects.filter(connector=program.connector, habit="action_properties").exists()
    assert answer.json() == {"referenceId": str(order.pk), "actionId": str(order.pk)}
    properties = details(wire, program, order)["properties"]
    assert {each["name"]: each["value"] for each in properties} == {"state": "3", "order": "PO 7", "approval": "2"}


def test_others_change_no_properties(
    wire: Wire, connector: Connector, program: Program, member: User, group_admin: User, group: Group, order: Action
) -> None:
    elsewhere = make_group("Canteen", organisation=group.organisation, admins=[group_admin])
    refused(change(wire, None, order), 401, "InvalidToken")
    refused(change(wire, let_in(connector, elsewhere, group_admin), order), 403, "Unauthorized")
    member_token = let_act_for(connector, member)
    refused(change(wire, member_token, order), 403, "Unauthorized")
    at_its_own_address = json.dumps({"updateProperties": CLOSED})
    refused(wire.put(action_path(order), at_its_own_address, member_token), 403, "Unauthorized")
    poll = posted(wire, program, group, "Poll", POLL)
    refused(change(wire, program, poll), 404, "NotFound", "NotFoundException")
    too_many = [{"name": str(number)} for number in range(99)]
    refused(change(wire, program, order, too_many), 400, "InvalidParameters", "ValidationException")
    order.refresh_from_db()
    assert [each["value"] for each in order.body["properties"]] == ["1", "PO 7"]


def test_where_only_admins_post_nobody_else_changes_properties(
    wire: Wire, connector: Connector, member: User, group: Group
) -> None:
    token = let_act_for(connector, member)
    own = posted(wire, token, group, "com.contoso.order.2", SURVEY)
    assert change(wire, token, own).status_code == 200
    Group.objects.filter(pk=group.pk).update(only_admins_post=True)
    refused(change(wire, token, own), 403, "Unauthorized")


def test_groups_are_found_by_a_part_of_their_name(
    wire: Wire, connector: Connector, member: User, outsider: User, group: Group
) -> None:
    for name in ("With C", "with a", "With b", "Other"):
        make_group(name, organisation=member.organisation, members=[member])
    make_group("With nobody of ours", organisation=outsider.organisation, admins=[outsider])
    token = let_act_for(connector, member)

    def found(query: str) -> list[str]:
        answer = wire.get(f"/v1/tenant/findGroupsByQuery?{query}", token)
        assert answer.status_code == 200, answer.content
        return [each["groupName"] for each in answer.json()["groups"]]

    everything = found("query=wit&resultsOffset=0&pageSize=10")
    assert sorted(everything, key=str.lower) == ["with a", "With b", "With C"]
    assert found("query=wit&resultsOffset=1&pageSize=1") == everything[1:2]
    assert found("query=wit&resultsOffset=2147483647") == []
    assert len(found("")) == 5
    refused(wire.get("/v1/tenant/findGroupsByQuery?query=wit"), 401, "InvalidToken")
