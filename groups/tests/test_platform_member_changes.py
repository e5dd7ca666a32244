"""`PUT …/members`, `PUT …/members/{memberId}`, `DELETE …/members/{memberId}` (wire protocol §6, Members)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.models import Person, User
from connectors.models import Connector
from connectors.permissions import Permission
from groups.models import Group, Membership
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, make_group, person_of, unknown_id
from groups.tests.pages import everything

NEW = '{"members": ["+919930000001"]}'


def roles(group: Group) -> dict[str, str]:
    return dict(Membership.objects.filter(group=group).values_list("person__names__name", "role"))


def test_members_are_added_by_number(wire: Wire, program: Program, group: Group, stranger: User) -> None:
    body = json.dumps({"members": ["+91 99300 00001", person_of(stranger).number]})
    answer = wire.put(f"/v1/groups/{group.pk}/members", body, program)
    assert (answer.status_code, answer.json()) == (200, {"result": True})
    assert roles(group)["Sunil Verma"] == "Member"
    assert Membership.objects.filter(group=group).count() == 5


def test_who_is_in_already_is_no_failure_and_stays_admin(
    wire: Wire, program: Program, group: Group, group_admin: User
) -> None:
    body = json.dumps({"members": [person_of(group_admin).number]})
    assert wire.put(f"/v1/groups/{group.pk}/members", body, program).json() == {"result": True}
    assert roles(group)[group_admin.name] == "Admin"


def test_some_that_failed_are_listed_with_number_and_reason_and_the_others_are_in(
    wire: Wire, program: Program, group: Group
) -> None:
    body = json.dumps({"members": ["+919930000001", "12", "x" * 100]})
    answer = wire.put(f"/v1/groups/{group.pk}/members", body, program)
    assert answer.status_code == 200
    assert answer.json()["result"] is False
    assert [sorted(failed) for failed in answer.json()["failed"]] == [["number", "reason"]] * 2
    assert [failed["number"] for failed in answer.json()["failed"]] == ["12", "x" * 100]
    assert Membership.objects.filter(group=group, person__number="+919930000001").exists()


@pytest.mark.parametrize(
    "body", ['{members: ["+919930000001"]}', "{'Members': ['+919930000001']}", '{"MEMBERS":["+919930000001",],}']
)
def test_bodies_as_old_programs_write_them(wire: Wire, program: Program, group: Group, body: str) -> None:
    assert wire.put(f"/groups/{group.pk}@1/Members/", body, program).json() == {"result": True}
    assert Membership.objects.filter(group=group).count() == 4


@pytest.mark.parametrize("body", ["", "{}", '{"members": null}', '{"members": {}}', '{"members": [["+91"]]}'])
def test_a_body_without_members_is_refused_by_name(wire: Wire, program: Program, group: Group, body: str) -> None:
    answer = wire.put(f"/v1/groups/{group.pk}/members", body, program)
    assert "members" in refused(answer, 400, "InvalidParameters", "ValidationException")


@pytest.mark.parametrize("body", ['{"role":"Admin"}', "{role:'ADMIN'}", '{"Role":"admin"}'])
def test_a_member_is_promoted(wire: Wire, program: Program, group: Group, newcomer: Person, body: str) -> None:
    answer = wire.put(f"/v1/groups/{group.pk}/members/{newcomer.pk}", body, program)
    assert (answer.status_code, answer.json()) == (200, {"result": True})
    assert roles(group)[newcomer.name] == "Admin"


def test_an_admin_is_demoted_unless_it_is_the_last_one(
    wire: Wire, program: Program, group: Group, group_admin: User, newcomer: Person
) -> None:
    path = f"/v1/groups/{group.pk}/members/{person_of(group_admin).pk}"
    before = everything()
    answer = wire.put(path, '{"role":"Member"}', program)
    assert "last admin" in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert everything() == before
    Membership.objects.filter(group=group, person=newcomer).update(role="Admin")
    assert wire.put(path, '{"role":"Member"}', program).json() == {"result": True}
    assert roles(group)[group_admin.name] == "Member"


@pytest.mark.parametrize("body", ["", "{}", '{"role":"Owner"}', '{"role":1}', '{"role":["Admin"]}'])
def test_a_role_that_is_none_is_refused_by_name(
    wire: Wire, program: Program, group: Group, newcomer: Person, body: str
) -> None:
    answer = wire.put(f"/v1/groups/{group.pk}/members/{newcomer.pk}", body, program)
    assert "role" in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert roles(group)[newcomer.name] == "Member"


def test_a_member_is_removed(wire: Wire, program: Program, group: Group, newcomer: Person) -> None:
    answer = wire.delete(f"/v1/groups/{group.pk}/members/{newcomer.pk}", program)
    assert (answer.status_code, answer.json()) == (200, {"result": True})
    assert newcomer.name not in roles(group)
    refused(wire.delete(f"/v1/groups/{group.pk}/members/{newcomer.pk}", program), 404, "NotFound", "NotFoundException")


def test_the_last_admin_is_not_removed(wire: Wire, program: Program, group: Group, group_admin: User) -> None:
    before = everything()
    answer = wire.delete(f"/v1/groups/{group.pk}/members/{person_of(group_admin).pk}", program)
    assert "last admin" in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert everything() == before


@pytest.mark.parametrize("spelled", ["{number}", "%2B{digits}", "{digits}", "%20{digits}"])
def test_a_member_is_named_by_phone_number_too(
    wire: Wire, program: Program, group: Group, newcomer: Person, spelled: str
) -> None:
    written = spelled.format(number=newcomer.number, digits=newcomer.number[1:])
    assert wire.put(f"/v1/groups/{group.pk}/members/{written}", '{"role":"Admin"}', program).json() == {"result": True}
    assert wire.delete(f"/v1/groups/{group.pk}/members/{written}", program).json() == {"result": True}
    assert newcomer.name not in roles(group)


def test_who_is_not_in_the_group_is_not_found(wire: Wire, program: Program, group: Group, stranger: User) -> None:
    person = person_of(stranger)
    before = everything()
    for written in (person.pk, person.number, unknown_id(), "+919930000001", "nobody", "12", "x" * 200):
        path = f"/v1/groups/{group.pk}/members/{written}"
        refused(wire.delete(path, program), 404, "NotFound", "NotFoundException")
        refused(wire.put(path, '{"role":"Admin"}', program), 404, "NotFound", "NotFoundException")
    assert everything() == before


def calls(wire: Wire, token: Any, group: Any, person: Person) -> list[Any]:
    """Every way to change who is in a group."""
    return [
        wire.put(f"/v1/groups/{group}/members", NEW, token),
        wire.put(f"/v1/groups/{group}/members/{person.pk}", '{"role":"Admin"}', token),
        wire.put(f"/v1/groups/{group}/members/{person.number}", '{"role":"Admin"}', token),
        wire.delete(f"/v1/groups/{group}/members/{person.pk}", token),
        wire.delete(f"/v1/groups/{group}/members/{person.number}", token),
    ]


def test_a_members_own_token_changes_nothing(
    wire: Wire, connector: Connector, group: Group, member: User, newcomer: Person
) -> None:
    token = let_act_for(connector, member)
    before = everything()
    for answer in calls(wire, token, group.pk, newcomer):
        assert "admin" in refused(answer, 403, "Unauthorized")
    assert everything() == before


def test_a_stranger_is_told_the_same_as_for_no_group_and_changes_nothing(
    wire: Wire, connector: Connector, program: Program, group: Group, stranger: User, newcomer: Person, outsider: User
) -> None:
    token = let_act_for(connector, stranger)
    foreign = make_group("Foreign", organisation=outsider.organisation, admins=[outsider], members=[newcomer])
    before = everything()
    answers = [
        *(answer for key in (group.pk, unknown_id(), "x") for answer in calls(wire, token, key, newcomer)),
        *calls(wire, program, foreign.pk, newcomer),
    ]
    assert len({refused(answer, 403, "Unauthorized") for answer in answers}) == 1
    assert everything() == before


def test_without_the_permission_nothing_changes(
    wire: Wire, connector: Connector, group: Group, group_admin: User, newcomer: Person
) -> None:
    token = let_in(connector, group, group_admin, permissions=[Permission.GROUP_INFORMATION])
    before = everything()
    for answer in calls(wire, token, group.pk, newcomer):
        assert "Group Member List" in refused(answer, 403, "Unauthorized")
    for answer in calls(wire, None, group.pk, newcomer):
        refused(answer, 401, "InvalidToken")
    assert everything() == before
