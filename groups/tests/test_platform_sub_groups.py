"""`/v1/groups/{groupId}/subGroups` (wire protocol §6, Groups)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.models import AuditEvent, Person, User
from connectors.models import Connector
from connectors.permissions import Permission
from groups.models import Group, GroupLink, Membership
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, make_group, person_of, unknown_id
from groups.tests.pages import everything

PATH = "/v1/groups/{}/subGroups"


def roles(group: Group) -> dict[str, str]:
    return dict(Membership.objects.filter(group=group).values_list("person__number", "role"))


def names(branches: list[dict[str, Any]]) -> list[Any]:
    """Names, each with what stands under it."""
    return [(branch["groupName"], names(branch.get("subGroups", []))) for branch in branches]


def listed(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.content
    answered = answer.json()
    (told,) = answered.pop("groups")
    # The protocol has the group itself, Microsoft's page a list with the group in it: both are told (ADR 0061).
    assert answered in ({}, told)
    return dict(told)


# ---------------------------------------------------------------- POST


def test_a_sub_group_is_made_with_its_members_and_the_tokens_user_as_admin(
    wire: Wire, program: Program, group: Group, group_admin: User
) -> None:
    body = {
        "groupName": "Gate",
        "groupImageUrl": "https://img.example/gate.png",
        "members": ["+919930000001"],
        "welcomeMessage": "Hello",
        "addUserToGroup": True,
    }
    answer = wire.post(PATH.format(group.pk), json.dumps(body), program)
    assert answer.status_code == 200
    made = Group.objects.get(pk=answer.json()["groupId"])
    assert answer.json() == {"groupId": str(made.pk), "groupName": "Gate"}
    assert (made.image_url, made.welcome_message, made.organisation) == (
        "https://img.example/gate.png",
        "Hello",
        group.organisation,
    )
    assert roles(made) == {person_of(group_admin).number: "Admin", "+919930000001": "Member"}
    assert GroupLink.objects.get(child=made).parent == group


def test_without_the_tokens_user_the_first_member_runs_it(wire: Wire, program: Program, group: Group) -> None:
    body = '{name: "Gate", members: ["x", "+919930000001", "+919930000002"], addUserToGroup: "false"}'
    answer = wire.post(f"/groups/{group.pk}/SUBGROUPS/", body, program)
    made = Group.objects.get(pk=answer.json()["groupId"])
    assert roles(made) == {"+919930000001": "Admin", "+919930000002": "Member"}
    assert [failed["number"] for failed in answer.json()["failed"]] == ["x"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("{}", "groupName"),
        ('{"groupName": ""}', "groupName"),
        ('{"groupName": "x", "addUserToGroup": false}', "members"),
        ('{"groupName": "x", "addUserToGroup": false, "members": ["12"]}', "members"),
        ('{"groupName": "x", "addUserToGroup": "perhaps"}', "addUserToGroup"),
        ('{"groupName": "x", "groupImageUrl": "javascript:alert(1)"}', "groupImageUrl"),
        ('{"groupName": "x", "welcomeMessage": ["Hello"]}', "welcomeMessage"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(
    wire: Wire, program: Program, group: Group, body: str, named: str
) -> None:
    before = everything()
    answer = wire.post(PATH.format(group.pk), body, program)
    assert named in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert everything() == before


# ---------------------------------------------------------------- PUT


def test_groups_are_attached_by_an_admin_of_all_of_them(
    wire: Wire, connector: Connector, group: Group, group_admin: User
) -> None:
    others = [make_group(name, organisation=group.organisation, admins=[group_admin]) for name in ("One", "Two")]
    body = json.dumps({"SubGroups": [f"{other.pk}@1" for other in others] + [str(others[0].pk).upper()]})
    answer = wire.put(PATH.format(group.pk), body, let_act_for(connector, group_admin))
    assert (answer.status_code, answer.json()) == (200, {"result": True})
    assert {link.child for link in GroupLink.objects.filter(parent=group)} == set(others)
    assert AuditEvent.objects.filter(tag="group:subgroup:linked").count() == 2


def test_a_cycle_is_refused_and_nothing_of_the_call_is_done(
    wire: Wire, connector: Connector, group: Group, group_admin: User
) -> None:
    above = make_group("Above", organisation=group.organisation, admins=[group_admin])
    GroupLink.objects.create(parent=above, child=group)
    other = make_group("Other", organisation=group.organisation, admins=[group_admin])
    token = let_act_for(connector, group_admin)
    before = everything()
    for wrong in (above, group):
        body = json.dumps({"subGroups": [str(other.pk), str(wrong.pk)]})
        message = refused(wire.put(PATH.format(group.pk), body, token), 400, "InvalidParameters", "ValidationException")
        assert "its own sub-group" in message
    assert everything() == before


def test_whoever_is_a_member_in_one_of_them_attaches_none(
    wire: Wire, connector: Connector, group: Group, group_admin: User, member: User
) -> None:
    mine = make_group("Mine", organisation=group.organisation, admins=[member], members=[group_admin])
    also = make_group("Also", organisation=group.organisation, admins=[member])
    elsewhere = make_group("Elsewhere", organisation=group.organisation, admins=[group_admin])
    token = let_act_for(connector, member)
    before = everything()
    for parent, children in ((group, [mine]), (mine, [also, group]), (mine, [also, elsewhere])):
        body = json.dumps({"subGroups": [str(child.pk) for child in children]})
        refused(wire.put(PATH.format(parent.pk), body, token), 403, "Unauthorized")
    assert everything() == before


def test_a_group_token_attaches_nothing_from_outside_its_own_groups(
    wire: Wire, program: Program, group: Group, group_admin: User
) -> None:
    other = make_group("Other", organisation=group.organisation, admins=[group_admin])
    before = everything()
    body = json.dumps({"subGroups": [str(other.pk)]})
    refused(wire.put(PATH.format(group.pk), body, program), 403, "Unauthorized")
    assert everything() == before


@pytest.mark.parametrize(
    "body", ["", "{}", '{"subGroups": []}', '{"subGroups": "x"}', '{"subGroups": [""]}', '{"subGroups": [{}]}']
)
def test_a_body_without_groups_is_refused_by_name(wire: Wire, program: Program, group: Group, body: str) -> None:
    answer = wire.put(PATH.format(group.pk), body, program)
    assert "subGroups" in refused(answer, 400, "InvalidParameters", "ValidationException")


# ---------------------------------------------------------------- DELETE


def test_a_sub_group_is_detached_and_goes_on(wire: Wire, program: Program, group: Group) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    answer = wire.delete(f"{PATH.format(group.pk)}/{below.pk}@1", program)
    assert (answer.status_code, answer.json()) == (200, {"result": True})
    assert not GroupLink.objects.exists()
    assert Group.objects.present().filter(pk=below.pk).exists()


def test_what_is_not_directly_under_the_group_is_not_found(wire: Wire, program: Program, group: Group) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    deeper = make_group("Deeper", organisation=group.organisation, under=below)
    other = make_group("Other", organisation=group.organisation)
    before = everything()
    answers = [
        wire.delete(f"{PATH.format(group.pk)}/{key}", program)
        for key in (deeper.pk, other.pk, unknown_id(), "nonsense")
    ]
    assert len({refused(answer, 404, "NotFound", "NotFoundException") for answer in answers}) == 1
    assert everything() == before


# ---------------------------------------------------------------- GET


@pytest.fixture
def tree(group: Group, newcomer: Person) -> dict[str, Group]:
    """Night Shift over A and B, both over C, and D under C; one removed."""
    of = {"Night Shift": group}
    for name, parents in (("A", ["Night Shift"]), ("B", ["Night Shift"]), ("C", ["A", "B"]), ("D", ["C"])):
        of[name] = make_group(name, organisation=group.organisation, members=[newcomer])
        for parent in parents:
            GroupLink.objects.create(parent=of[parent], child=of[name])
    gone = make_group("Gone", organisation=group.organisation, under=group)
    Group.objects.filter(pk=gone.pk).update(removed_at=gone.created_at)
    return of


def test_the_group_is_told_with_the_groups_directly_under_it(
    wire: Wire, program: Program, tree: dict[str, Group], group: Group
) -> None:
    told = listed(wire.get(PATH.format(group.pk), program))
    assert told["subGroups"] == [
        {
            "groupId": str(tree[name].pk),
            "groupName": name,
            "groupImageUrl": "",
            "hasSubGroups": True,
            "hasParentGroups": True,
            "isMappedToTenant": True,
            "groupType": "Group",
            "isDuplicate": False,
            "welcomeMessage": "",
        }
        for name in ("A", "B")
    ]
    assert {**told, "subGroups": None} == {
        **listed(wire.get(f"/v1/groups/{group.pk}", program)),
        "subGroups": None,
    }


def test_with_fetch_all_groups_they_are_nested_and_a_group_in_two_places_is_told_whole_once(
    wire: Wire, program: Program, tree: dict[str, Group], group: Group
) -> None:
    told = listed(wire.get(PATH.format(group.pk) + "?FetchAllGroups=True", program))
    assert names(told["subGroups"]) == [("A", [("C", [("D", [])])]), ("B", [("C", [])])]
    again = told["subGroups"][1]["subGroups"][0]
    assert (again["isDuplicate"], again["hasSubGroups"], again["subGroups"]) == (True, True, [])


def test_under_groups_that_a_user_token_does_not_reach_it_does_not_look(
    wire: Wire, connector: Connector, tree: dict[str, Group], group: Group, member: User
) -> None:
    token = let_act_for(connector, member)
    told = listed(wire.get(PATH.format(group.pk) + "?fetchAllGroups=true", token))
    assert names(told["subGroups"]) == [("A", []), ("B", [])]
    Membership.objects.create(group=tree["B"], person=person_of(member))
    told = listed(wire.get(PATH.format(group.pk) + "?fetchAllGroups=true", token))
    assert names(told["subGroups"]) == [("A", []), ("B", [("C", [])])]


@pytest.mark.parametrize("query", ["", "?fetchAllGroups=true"])
def test_it_takes_as_many_statements_for_one_group_as_for_many(
    wire: Wire, program: Program, group: Group, django_assert_max_num_queries: Any, query: str
) -> None:
    above = group
    for number in range(12):
        above = make_group(f"Group {number}", organisation=group.organisation, under=above if number % 3 else group)
        with django_assert_max_num_queries(10):
            assert listed(wire.get(PATH.format(group.pk) + query, program))["subGroups"]


def test_what_was_linked_too_deep_by_other_means_is_cut_and_never_an_error(
    wire: Wire, program: Program, group: Group
) -> None:
    above = group
    for number in range(40):
        above = make_group(f"Group {number}", organisation=group.organisation, under=above)
    GroupLink.objects.create(parent=above, child=group)  # which no service would make
    told = listed(wire.get(PATH.format(group.pk) + "?fetchAllGroups=true", program))
    depth, branches = 1, told["subGroups"]
    while branches:
        depth, branches = depth + 1, branches[0]["subGroups"]
    assert depth == 30


# ---------------------------------------------------------------- Strangers


def calls(wire: Wire, token: Any, group: Any, below: Group) -> list[Any]:
    """Every way to change what stands under a group."""
    path = PATH.format(group)
    return [
        wire.post(path, '{"groupName": "Taken over"}', token),
        wire.put(path, json.dumps({"subGroups": [str(below.pk)]}), token),
        wire.delete(f"{path}/{below.pk}", token),
    ]


@pytest.fixture
def below(group: Group) -> Group:
    return make_group("Below", organisation=group.organisation, under=group)


def test_a_stranger_is_told_the_same_as_for_no_group_and_changes_nothing(
    wire: Wire, connector: Connector, group: Group, below: Group, stranger: User
) -> None:
    token = let_act_for(connector, stranger)
    before = everything()
    answers = [answer for key in (group.pk, unknown_id(), "x") for answer in calls(wire, token, key, below)]
    answers += [wire.get(PATH.format(key), token) for key in (group.pk, unknown_id())]
    assert len({refused(answer, 403, "Unauthorized") for answer in answers}) == 1
    assert everything() == before


def test_a_members_own_token_reads_and_changes_nothing(
    wire: Wire, connector: Connector, group: Group, below: Group, member: User
) -> None:
    token = let_act_for(connector, member)
    before = everything()
    for answer in calls(wire, token, group.pk, below):
        assert "admin" in refused(answer, 403, "Unauthorized")
    assert names(listed(wire.get(PATH.format(group.pk), token))["subGroups"]) == [("Below", [])]
    assert everything() == before


def test_without_the_permission_nothing_is_told_or_changed(
    wire: Wire, connector: Connector, group: Group, below: Group, group_admin: User
) -> None:
    token = let_in(connector, group, group_admin, permissions=[Permission.GROUP_MEMBER_LIST])
    before = everything()
    for answer in (*calls(wire, token, group.pk, below), wire.get(PATH.format(group.pk), token)):
        assert "Group Information" in refused(answer, 403, "Unauthorized")
    for answer in (*calls(wire, None, group.pk, below), wire.get(PATH.format(group.pk))):
        refused(answer, 401, "InvalidToken")
    assert everything() == before
