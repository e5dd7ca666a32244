"""Where tokens lead, and what ends them on the very next request; kinds of wrong tokens are in test_protocol_errors."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from connectors.models import Connector
from connectors.services import connectors
from connectors.services import grants as connector_grants
from groups.models import Group, Message
from groups.services import connectors as grants
from groups.tests.conftest import refused
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


def calls(program: Program, group: Group) -> list[Any]:
    """The answer of each endpoint."""
    answers = []
    for endpoint in ENDPOINTS:
        method, path = endpoint.format(group.pk).split(" ")
        answers.append(program.get(path) if method == "GET" else program.post(path, {"message": "Hello"}))
    return answers


def works(program: Program, group: Group) -> bool:
    return {answer.status_code for answer in calls(program, group)} == {200}


def is_refused(program: Program, group: Group) -> bool:
    before = Message.objects.count()
    said = {refused(answer, 401, "InvalidToken") for answer in calls(program, group)}
    return all(INVALID in message for message in said) and Message.objects.count() == before


def test_a_token_with_one_character_changed(program: Program, group: Group) -> None:
    for place in (8, 40, -2):
        text = list(program.access_token)
        text[place] = "A" if text[place] != "A" else "B"
        assert is_refused(program.with_token("".join(text)), group)


def test_a_token_after_its_24_hours(travel: Travel, program: Program, group: Group) -> None:
    travel(hours=23, minutes=59)
    assert works(program, group)
    travel(minutes=2)
    assert is_refused(program, group)


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
    end: str, program: Program, group: Group, group_admin: User
) -> None:
    assert works(program, group)
    ENDS[end](program, group, group_admin)
    assert is_refused(program, group)


def test_deactivating_a_connector_ends_nothing(program: Program, group: Group) -> None:
    connectors.deactivate(connector=program.connector, by=program.connector.owner)
    assert works(program, group)


def test_a_grant_ends_on_its_end_date(travel: Travel, connector: Connector, group: Group, group_admin: User) -> None:
    program = let_in(connector, group, group_admin, ends_at=travel(hours=0) + dt.timedelta(hours=2))
    assert works(program, group)
    travel(hours=3)
    assert is_refused(program, group)


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


def test_a_members_own_token_reads(connector: Connector, group: Group, member: User) -> None:
    Group.objects.filter(pk=group.pk).update(group_type=Group.Type.CONNECT)
    token = let_act_for(connector, member)
    for end in ("", "/members", "/subGroups", "/subscribers"):
        assert token.get(f"/v1/groups/{group.pk}{end}").status_code == 200
