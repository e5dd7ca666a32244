"""Where tokens lead, and what ends them on the very next request; kinds of wrong tokens are in test_protocol_errors."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from connectors.models import Connector
from connectors.services import connectors
from connectors.services import grants as connector_grants
from groups import access
from groups.models import Group, GroupLink, Message
from groups.services import connectors as grants
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, make_group, person_of, unknown_id
from groups.tests.pages import everything
from kaizala_console.tests.protocol import GUARDED, send

pytestmark = pytest.mark.django_db
Travel = Callable[..., dt.datetime]
ENDPOINTS = (
    "GET /v1/groups",
    "GET /v1/groups/{}",
    "GET /v1/groups/{}/members",
    "POST /v1/groups/{}/messages",
    "GET /v1/users/me",
)
INVALID = "Invalid token. Failure reason:Token validation failed due to unknown reason!"
OF_GROUPS = [row for row in GUARDED if "group_id" in row.arguments]
OF_ADMINS = [
    row
    for row in OF_GROUPS
    if row.method != "GET" and re.search(r">/(members|subGroups|bot|subscribers/(add|remove))", row.route)
]


def calls(wire: Wire, group: Group, token: Any) -> list[Any]:
    """The answer of each endpoint."""
    answers = []
    for endpoint in ENDPOINTS:
        method, path = endpoint.format(group.pk).split(" ")
        body = json.dumps({"message": "Hello"})
        answers.append(wire.get(path, token) if method == "GET" else wire.post(path, body, token))
    return answers


def works(wire: Wire, group: Group, token: Any) -> bool:
    return {answer.status_code for answer in calls(wire, group, token)} == {200}


def is_refused(wire: Wire, group: Group, token: Any) -> bool:
    before = Message.objects.count()
    said = {refused(answer, 401, "InvalidToken") for answer in calls(wire, group, token)}
    return all(INVALID in message for message in said) and Message.objects.count() == before


def test_a_token_with_one_character_changed(wire: Wire, program: Program, group: Group) -> None:
    for place in (8, 40, -2):
        text = list(program.access_token)
        text[place] = "A" if text[place] != "A" else "B"
        assert is_refused(wire, group, "".join(text))


def test_a_token_after_its_24_hours(wire: Wire, travel: Travel, program: Program, group: Group) -> None:
    travel(hours=23, minutes=59)
    assert works(wire, group, program)
    travel(minutes=2)
    assert is_refused(wire, group, program)


ENDS: dict[str, Callable[[Program, Group, User], Any]] = {
    "removed from the group": lambda program, group, admin: grants.remove_connector(
        group=group, grant=program.grant, by=admin
    ),
    "the grant suspended": lambda program, group, admin: connector_grants.suspend(grant=program.grant, by=admin),
    "the token regenerated": lambda program, group, admin: connector_grants.regenerate(grant=program.grant, by=admin),
    "the connector suspended": lambda program, group, admin: connectors.suspend(
        connector=program.connector, by=program.connector.owner
    ),
    "the connector deleted": lambda program, group, admin: connectors.delete(
        connector=program.connector, by=program.connector.owner
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_a_token_ends_it_on_the_next_request(
    wire: Wire, end: str, program: Program, group: Group, group_admin: User
) -> None:
    assert works(wire, group, program)
    ENDS[end](program, group, group_admin)
    assert is_refused(wire, group, program)


def test_a_suspended_grant_works_again_when_it_is_resumed(
    wire: Wire, program: Program, group: Group, group_admin: User
) -> None:
    connector_grants.suspend(grant=program.grant, by=group_admin)
    connector_grants.resume(grant=program.grant, by=group_admin)
    assert works(wire, group, program)


def test_deactivating_a_connector_ends_nothing(wire: Wire, program: Program, group: Group) -> None:
    connectors.deactivate(connector=program.connector, by=program.connector.owner)
    assert works(wire, group, program)


def test_a_grant_ends_on_its_end_date(
    wire: Wire, travel: Travel, connector: Connector, group: Group, group_admin: User
) -> None:
    program = let_in(connector, group, group_admin, ends_at=travel(hours=0) + dt.timedelta(hours=2))
    assert works(wire, group, program)
    travel(hours=3)
    assert is_refused(wire, group, program)


# Reach ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["a colleague who is in no group", "the same connector in another group"])
def test_a_group_of_the_organisation_out_of_reach_and_none_are_one_answer(
    who: str, connector: Connector, group: Group, stranger: User, group_admin: User, member: User
) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    beside = make_group("Beside", organisation=group.organisation, admins=[group_admin])
    is_colleague = who.startswith("a colleague")
    token = let_act_for(connector, stranger) if is_colleague else let_in(connector, beside, group_admin)
    there = {"group_id": str(group.pk), "member_id": str(person_of(member).pk), "sub_group_id": str(below.pk)}
    before = everything()
    for row in OF_GROUPS:
        paths = (row.path(**there), row.path(**{**there, "group_id": unknown_id()}))
        answers = {refused(send(row, path, token.access_token, row.body()), 403, "Unauthorized") for path in paths}
        assert len(answers) == 1, row
    assert everything() == before


def test_a_members_own_token_changes_neither_the_group_nor_who_is_in_it(
    connector: Connector, group: Group, member: User
) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    Group.objects.filter(pk=group.pk).update(group_type=Group.Type.CONNECT)
    token, me = let_act_for(connector, member), str(person_of(member).pk)
    before = everything()
    assert len(OF_ADMINS) == 11
    for row in OF_ADMINS:
        path = row.path(group_id=str(group.pk), member_id=me, sub_group_id=str(below.pk))
        refused(send(row, path, token.access_token, row.body()), 403, "Unauthorized")
    assert everything() == before


def test_a_members_own_token_reads(wire: Wire, connector: Connector, group: Group, member: User) -> None:
    Group.objects.filter(pk=group.pk).update(group_type=Group.Type.CONNECT)
    token = let_act_for(connector, member)
    for end in ("", "/members", "/subGroups", "/subscribers"):
        assert wire.get(f"/v1/groups/{group.pk}{end}", token).status_code == 200


def test_a_group_token_reaches_its_group_and_those_under_it_as_an_admin(
    connector: Connector, group: Group, group_admin: User
) -> None:
    """What the token inspector is told, too."""
    below = make_group("Below", organisation=group.organisation, under=group)
    deep = make_group("Deep", under=below)
    beside = make_group("Beside", organisation=group.organisation)
    gone = make_group("Gone", organisation=group.organisation, under=group)
    grant = let_in(connector, group, group_admin).grant
    asked = [str(group.pk), f"{below.pk}@1", str(deep.pk), str(gone.pk), str(beside.pk), unknown_id(), "no id"]
    reached = [access.get_token_role(grant, group_id) for group_id in asked]
    assert reached == ["Admin", "Admin", "Admin", "Admin", "", "", ""]
    Group.objects.filter(pk=gone.pk).update(removed_at=gone.created_at)
    GroupLink.objects.filter(parent=group).delete()
    assert [access.get_token_role(grant, str(one.pk)) for one in (group, deep, gone)] == ["Admin", "", ""]


def test_a_user_token_reaches_with_the_role_of_its_person(
    connector: Connector, group: Group, member: User, group_admin: User
) -> None:
    assert access.get_token_role(let_act_for(connector, member).grant, str(group.pk)) == "Member"
    assert access.get_token_role(let_act_for(connector, group_admin).grant, str(group.pk)) == "Admin"
