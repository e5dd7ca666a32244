"""`GET /v1/groups` and `GET /v1/groups/{groupId}` (wire protocol §6, Groups)."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Organisation, Person, User
from connectors.models import Connector
from connectors.permissions import Permission
from groups.models import Group
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, make_group, unknown_id


def listed(answer: Any) -> dict[str, dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    return {group["groupName"]: group for group in answer.json()["groups"]}


def test_a_group_is_told_with_every_field_of_the_protocol(wire: Wire, program: Program, group: Group) -> None:
    Group.objects.filter(pk=group.pk).update(image_url="https://img.example/1.png", welcome_message="Hello!")
    answer = wire.get("/v1/groups", program)
    assert answer["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json() == {
        "groups": [
            {
                "groupId": str(group.pk),
                "groupName": "Night Shift",
                "groupImageUrl": "https://img.example/1.png",
                "hasSubGroups": False,
                "hasParentGroups": False,
                "callerRole": "Admin",
                "currentLevelSubGroupCount": 0,
                "currentLevelParentGroupCount": 0,
                "userCount": 3,
                "uniqueUserCount": 3,
                "currentLevelUserCount": 3,
                "currentLevelUnProvisionedUserCount": 1,
                "unProvisionedUserCount": 1,
                "isMappedToTenant": True,
                "groupType": "Group",
                "isDuplicate": False,
                "isEditable": True,
                "isDetailsReadable": True,
                "welcomeMessage": "Hello!",
            }
        ]
    }


def test_one_group_is_told_in_the_same_form(wire: Wire, program: Program, group: Group) -> None:
    one = wire.get(f"/v1/groups/{group.pk}", program)
    assert one.status_code == 200
    assert one.json() == wire.get("/v1/groups", program).json()


def test_counts_go_down_the_hierarchy(
    wire: Wire, program: Program, group: Group, newcomer: Person, member: User
) -> None:
    below = make_group("Below", organisation=group.organisation, members=[newcomer, member], under=group)
    make_group("Far Below", organisation=group.organisation, members=[member], under=below)
    groups = listed(wire.get("/v1/groups?fetchAllGroups=true", program))
    counts = [
        "userCount",
        "uniqueUserCount",
        "currentLevelUserCount",
        "unProvisionedUserCount",
        "currentLevelUnProvisionedUserCount",
        "currentLevelSubGroupCount",
        "currentLevelParentGroupCount",
    ]
    assert [groups["Night Shift"][count] for count in counts] == [6, 3, 3, 2, 1, 1, 0]
    assert [groups["Below"][count] for count in counts] == [3, 2, 2, 1, 1, 1, 1]
    assert [groups["Far Below"][count] for count in counts] == [1, 1, 1, 0, 0, 0, 1]
    assert (groups["Night Shift"]["hasSubGroups"], groups["Night Shift"]["hasParentGroups"]) == (True, False)
    assert (groups["Far Below"]["hasSubGroups"], groups["Far Below"]["hasParentGroups"]) == (False, True)


@pytest.mark.parametrize("query", ["fetchAllGroups=true", "FETCHALLGROUPS=True", "fetchallgroups=1&showDetails=true"])
def test_fetch_all_groups_adds_the_sub_groups_of_a_group_token(
    wire: Wire, program: Program, group: Group, query: str
) -> None:
    make_group("Below", organisation=group.organisation, under=group)
    assert set(listed(wire.get(f"/v1/groups?{query}", program))) == {"Night Shift", "Below"}


@pytest.mark.parametrize("query", ["", "?fetchAllGroups=false", "?fetchAllGroups=", "?showDetail=true", "?unknown=1"])
def test_without_it_a_group_token_is_told_its_own_group_with_all_details(
    wire: Wire, program: Program, group: Group, query: str
) -> None:
    make_group("Below", organisation=group.organisation, under=group)
    groups = listed(wire.get(f"/v1/groups{query}", program))
    assert set(groups) == {"Night Shift"}
    assert groups["Night Shift"]["userCount"] == 3


def test_a_wrong_truth_value_is_named(wire: Wire, program: Program) -> None:
    answer = wire.get("/v1/groups?fetchAllGroups=perhaps", program)
    assert "fetchAllGroups" in refused(answer, 400, "InvalidParameters", "ValidationException")


def test_a_user_token_is_told_the_persons_groups_with_their_role(
    wire: Wire, connector: Connector, group: Group, member: User
) -> None:
    make_group("Own", admins=[member])
    groups = listed(wire.get("/v1/groups", let_act_for(connector, member)))
    assert {
        name: (told["callerRole"], told["isEditable"], told["isMappedToTenant"]) for name, told in groups.items()
    } == {
        "Night Shift": ("Member", False, True),
        "Own": ("Admin", True, False),
    }


def test_an_organisation_admins_token_is_told_all_groups_of_the_organisation(
    wire: Wire, connector: Connector, group: Group, organisation_admin: User, group_admin: User
) -> None:
    make_group("Other", organisation=group.organisation, group_type=Group.Type.CONNECT)
    make_group("Somebody’s Private")
    # Another person has confirmed it: else it reaches the admin's own groups alone (ADR 0030).
    groups = listed(wire.get("/v1/groups", let_act_for(connector, organisation_admin, confirmed_by=group_admin)))
    assert set(groups) == {"Night Shift", "Other"}
    assert groups["Other"]["groupType"] == "ConnectGroup"


def test_a_token_that_reaches_no_group_is_told_none(wire: Wire, connector: Connector, stranger: User) -> None:
    assert wire.get("/v1/groups", let_act_for(connector, stranger)).json() == {"groups": []}


def test_a_token_of_a_closed_account_is_refused(wire: Wire, connector: Connector, group: Group, member: User) -> None:
    token = let_act_for(connector, member)
    User.objects.filter(pk=member.pk).update(is_active=False)
    for path in ("", "?fetchAllGroups=true", f"/{group.pk}"):
        refused(wire.get(f"/v1/groups{path}", token), 401, "InvalidToken")


@pytest.mark.parametrize("written", ["{}@1", "{}/", "{}@2/"])
def test_the_id_may_carry_what_old_programs_add(wire: Wire, program: Program, group: Group, written: str) -> None:
    answer = wire.get(f"/v1/groups/{written.format(str(group.pk).upper())}", program)
    assert answer.json()["groups"][0]["groupId"] == str(group.pk)


def test_not_yours_and_not_there_are_the_same_answer(
    wire: Wire, program: Program, organisation: Organisation, outsider: User
) -> None:
    others = [make_group("Other", organisation=organisation), make_group("Foreign", organisation=outsider.organisation)]
    answers = [
        wire.get(f"/v1/groups/{key}", program) for key in (*(other.pk for other in others), unknown_id(), "x", "1@1")
    ]
    messages = {refused(answer, 403, "Unauthorized") for answer in answers}
    assert len(messages) == 1
    assert len({answer.content for answer in answers}) == 1


def test_the_permission_that_is_missing_is_named(
    wire: Wire, connector: Connector, group: Group, group_admin: User
) -> None:
    program = let_in(connector, group, group_admin, permissions=[Permission.TEXT_MESSAGE])
    for path in ("/v1/groups", f"/v1/groups/{group.pk}"):
        assert "Group Information" in refused(wire.get(path, program), 403, "Unauthorized")


@pytest.mark.parametrize("query", ["", "?fetchAllGroups=true"])
def test_the_list_takes_as_many_statements_for_one_group_as_for_many(
    wire: Wire, program: Program, group: Group, newcomer: Person, django_assert_num_queries: Any, query: str
) -> None:
    above = group
    for number in range(12):
        above = make_group(
            f"Group {number}", organisation=group.organisation, members=[newcomer], under=above if number % 3 else group
        )
        with django_assert_num_queries(6):
            assert len(listed(wire.get(f"/v1/groups{query}", program))) == (number + 2 if query else 1)


def test_only_get_is_allowed_here_so_far(wire: Wire, program: Program, group: Group) -> None:
    answer = wire.post(f"/v1/groups/{group.pk}", "{}", program)
    refused(answer, 405, "MethodNotAllowed", "ValidationException")
    assert "GET" in answer["Allow"]
