"""`/v1/groups`, one of them, `…/subGroups` and `/v1/tenant/findGroupsByQuery` (wire protocol §6, Groups; ADR 0061)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.models import AuditEvent, Person, User
from accounts.tests.factories import make_person, make_user
from connectors.models import Connector, Grant
from groups.models import Group, GroupLink, Membership
from groups.tests.conftest import invalid, not_found, refused
from groups.tests.factories import Program, let_act_by_pin, let_act_for, make_group, person_of, unknown_id
from groups.tests.pages import everything
from kaizala_console.lib import clock

BELOW = "/v1/groups/{}/subGroups"


def listed(answer: Any) -> dict[str, dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    return {group["groupName"]: group for group in answer.json()["groups"]}


def test_a_group_is_told_with_every_field_of_the_protocol(program: Program, group: Group) -> None:
    Group.objects.filter(pk=group.pk).update(image_url="https://img.example/1.png", welcome_message="Hello!")
    answer = program.get("/v1/groups")
    assert answer.json() == program.get(f"/v1/groups/{group.pk}").json()
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


def test_counts_go_down_the_hierarchy(program: Program, group: Group, newcomer: Person, member: User) -> None:
    below = make_group("Below", organisation=group.organisation, members=[newcomer, member], under=group)
    make_group("Far Below", organisation=group.organisation, members=[member], under=below)
    groups = listed(program.get("/v1/groups?fetchAllGroups=true"))
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


@pytest.mark.parametrize(
    "query", ["", "?fetchAllGroups=false", "?showDetail=true", "?FetchAllGroups=1&showDetails=true"]
)
def test_fetch_all_groups_adds_the_sub_groups_of_a_group_token(program: Program, group: Group, query: str) -> None:
    make_group("Below", organisation=group.organisation, under=group)
    groups = listed(program.get(f"/v1/groups{query}"))
    assert set(groups) == {"Night Shift", *(["Below"] if "Fetch" in query else [])}
    assert groups["Night Shift"]["userCount"] == 3


def test_a_user_token_is_told_the_persons_groups_with_their_role(
    connector: Connector, group: Group, member: User, stranger: User
) -> None:
    make_group("Own", admins=[member])
    groups = listed(let_act_for(connector, member).get("/v1/groups"))
    told = {name: (row["callerRole"], row["isEditable"], row["isMappedToTenant"]) for name, row in groups.items()}
    assert told == {"Night Shift": ("Member", False, True), "Own": ("Admin", True, False)}
    assert let_act_for(connector, stranger).get("/v1/groups").json() == {"groups": []}


@pytest.mark.parametrize("query", ["", "?fetchAllGroups=true"])
@pytest.mark.parametrize(("path", "most"), [("/v1/groups", 6), (BELOW, 10)])
def test_a_list_takes_as_many_statements_for_one_group_as_for_many(
    program: Program,
    group: Group,
    newcomer: Person,
    django_assert_max_num_queries: Any,
    path: str,
    most: int,
    query: str,
) -> None:
    above = group
    for number in range(12):
        above = make_group(f"Group {number}", organisation=group.organisation, under=above if number % 3 else group)
        with django_assert_max_num_queries(most):
            assert f"Group {number}" in str(program.get(path.format(group.pk) + query).json()) or not query


ASKED = {
    "name": "Night Watch",
    "welcomeMessage": "Welcome!",
    "members": ["+919930000001", "+919930000002"],
    "groupType": "Group",
    "ShortDescriptionString": "Who guards",
    "LongDescriptionString": "Everybody who guards the depot at night.",
}


def created(answer: Any) -> Group:
    assert answer.status_code == 200, answer.content
    return Group.objects.get(pk=answer.json()["groupId"])


def roles(group: Group) -> dict[str, str]:
    return dict(Membership.objects.filter(group=group).values_list("person__number", "role"))


def test_a_user_token_makes_a_group_whose_admin_is_its_user(connector: Connector, member: User) -> None:
    answer = let_act_for(connector, member).post("/v1/groups", ASKED)
    group = created(answer)
    assert answer.json() == {
        "groupId": str(group.pk),
        "groupName": "Night Watch",
        "membersAdded": True,
        "isAddedAsSubGroup": False,
    }
    assert roles(group) == {person_of(member).number: "Admin", "+919930000001": "Member", "+919930000002": "Member"}
    assert (group.welcome_message, group.group_type, group.organisation) == ("Welcome!", "Group", member.organisation)
    assert group.short_description == "Who guards"
    assert group.long_description == "Everybody who guards the depot at night."
    event = AuditEvent.objects.get(tag="group:account:created")
    assert (event.actor_kind, event.actor_name) == ("connector", connector.name)


def test_with_a_group_token_it_becomes_a_sub_group_of_the_tokens_group(
    program: Program, group: Group, group_admin: User
) -> None:
    answer = program.post("/v1/groups", {"GroupName": "Below"})
    below = created(answer)
    assert answer.json()["isAddedAsSubGroup"] is True
    assert GroupLink.objects.get(child=below).parent == group
    assert (roles(below), below.organisation) == ({person_of(group_admin).number: "Admin"}, group.organisation)
    # The token reaches what it has made.
    assert program.get(f"/v1/groups/{below.pk}").json()["groups"][0]["callerRole"] == "Admin"


def test_numbers_that_cannot_be_one_are_refused_one_by_one(program: Program) -> None:
    numbers = ["+919930000001", "12", "nobody", "", 919930000002]
    answer = program.post("/v1/groups", {"name": "Below", "members": numbers})
    assert answer.json()["membersAdded"] is False
    assert [failed["number"] for failed in answer.json()["failed"]] == ["12", "nobody", "", "919930000002"]
    assert all(failed["reason"] for failed in answer.json()["failed"])
    assert "+919930000001" in roles(created(answer))


def test_members_and_admins_by_id_are_let_in_and_the_others_are_named(
    program: Program, connector: Connector, group: Group, member: User, outsider: User
) -> None:
    stranger, colleague = person_of(outsider), person_of(member)
    body: dict[str, Any] = {
        "Name": "Below",
        "Members": ["+919930000001"],
        "MemberUserIds": [str(colleague.pk), str(stranger.pk), unknown_id(), "nonsense"],
        "Admins": ["+919930000002", str(colleague.pk), str(stranger.pk)],
        "GroupPhoto": None,
    }
    answer = program.post("/v1/groups", body)
    assert answer.json()["membersAdded"] is False
    refused_ones = [str(stranger.pk), body["MemberUserIds"][2], "nonsense"]
    assert [failed["number"] for failed in answer.json()["failed"]] == [str(stranger.pk), *refused_ones]
    # Somebody of another organisation and nobody at all are one answer.
    assert len({failed["reason"] for failed in answer.json()["failed"][:3]}) == 1
    found = roles(created(answer))
    assert found["+919930000001"] == "Member"
    assert found["+919930000002"] == found[colleague.number] == "Admin"
    assert stranger.number not in found
    # Without an organisation there is none whose people could be named: those that the token sees count.
    lakshmi = make_person("Lakshmi Iyer")
    own = make_group("Umpires", admins=[lakshmi], members=[stranger], organisation=None)
    token = let_act_by_pin(connector, lakshmi)
    body = {"name": "Scorers", "memberUserIds": [str(stranger.pk)], "admins": [str(colleague.pk)]}
    answer = token.post("/v1/groups", body)
    assert [failed["number"] for failed in answer.json()["failed"]] == [str(colleague.pk)]
    assert roles(created(answer)) == {lakshmi.number: "Admin", stranger.number: "Member"}
    assert own.pk != created(answer).pk


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/v1/groups", {}, "name"),
        ("/v1/groups", {"name": "  "}, "name"),
        ("/v1/groups", {"name": "x" * 121}, "name"),
        ("/v1/groups", {"name": "x", "members": "+919930000001"}, "members"),
        ("/v1/groups", {"name": "x", "members": [{}]}, "members[0]"),
        ("/v1/groups", {"name": "x", "members": ["+919930000001"] * 5001}, "members"),
        ("/v1/groups", {"name": "x", "groupType": "Broadcast"}, "groupType"),
        ("/v1/groups", {"name": "x", "welcomeMessage": "x" * 501}, "welcomeMessage"),
        ("/v1/groups", {"name": "x", "ShortDescriptionString": "x" * 201}, "ShortDescriptionString"),
        ("/v1/groups", {"name": "x", "LongDescriptionString": "x" * 2001}, "LongDescriptionString"),
        (BELOW, {}, "groupName"),
        (BELOW, {"groupName": "x", "addUserToGroup": False}, "members"),
        (BELOW, {"groupName": "x", "addUserToGroup": False, "members": ["12"]}, "members"),
        (BELOW, {"groupName": "x", "addUserToGroup": "perhaps"}, "addUserToGroup"),
        (BELOW, {"groupName": "x", "groupImageUrl": "javascript:alert(1)"}, "groupImageUrl"),
        (BELOW, {"groupName": "x", "groupImageUrl": "https://img.example/" + "x" * 500}, "groupImageUrl"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(
    program: Program, group: Group, path: str, body: dict[str, Any], named: str
) -> None:
    before = everything()
    assert named in invalid(program.post(path.format(group.pk), body))
    assert everything() == before


def test_a_managed_public_group_is_made_with_the_confirmed_token_of_an_organisation_admin_alone(
    connector: Connector, program: Program, organisation_admin: User, second_admin: User, member: User
) -> None:
    unconfirmed = let_act_by_pin(connector, person_of(organisation_admin))
    for token in (program, let_act_for(connector, member), unconfirmed):
        before = everything()
        for written in ("ConnectGroup", "connectgroup"):
            answer = token.post("/v1/groups", {**ASKED, "groupType": written})
            assert "ConnectGroup" in refused(answer, 403, "Unauthorized")
        assert everything() == before
    assert created(unconfirmed.post("/v1/groups", {"name": "x"})).organisation == organisation_admin.organisation
    Grant.objects.filter(pk=unconfirmed.grant.pk).update(revoked_at=clock.now())
    confirmed = let_act_for(connector, organisation_admin, confirmed_by=second_admin)
    group = created(confirmed.post("/v1/groups", {**ASKED, "groupType": "connectgroup"}))
    assert (group.group_type, group.organisation) == ("ConnectGroup", organisation_admin.organisation)


def test_somebody_without_an_account_here_makes_a_private_group(connector: Connector) -> None:
    person = make_person("Lakshmi Iyer")
    token = let_act_by_pin(connector, person)
    group = created(token.post("/v1/groups", '{"name":"Umpires"}'))
    assert (group.organisation, roles(group)) == (None, {person.number: "Admin"})
    assert token.get("/v1/groups").json()["groups"][0]["isMappedToTenant"] is False


def test_when_the_number_has_got_another_account_its_old_token_makes_nothing(
    connector: Connector, outsider: User
) -> None:
    person = make_person("Lakshmi Iyer")
    token = let_act_by_pin(connector, person)
    make_user("Somebody Else", outsider.organisation, number=person.number)
    refused(token.post("/v1/groups", '{"name":"Umpires"}'), 403, "Unauthorized")
    assert not Group.objects.exists()


def names(branches: list[dict[str, Any]]) -> list[Any]:
    """Names, each with what stands under it."""
    return [(branch["groupName"], names(branch.get("subGroups", []))) for branch in branches]


def told_of(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.content
    answered = answer.json()
    (told,) = answered.pop("groups")
    # The protocol has the group itself, Microsoft's page a list with the group in it: both are told (ADR 0061).
    assert answered in ({}, told)
    return dict(told)


def test_a_sub_group_is_made_with_its_members_and_the_tokens_user_as_admin(
    program: Program, group: Group, group_admin: User
) -> None:
    body = {
        "groupName": "Gate",
        "groupImageUrl": "https://img.example/gate.png",
        "members": ["+919930000001"],
        "welcomeMessage": "Hello",
        "addUserToGroup": True,
    }
    answer = program.post(BELOW.format(group.pk), body)
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


def test_without_the_tokens_user_the_first_member_runs_it(program: Program, group: Group) -> None:
    body = '{name: "Gate", members: ["x", "+919930000001", "+919930000002"], addUserToGroup: "false"}'
    answer = program.post(f"/groups/{group.pk}/SUBGROUPS/", body)
    made = Group.objects.get(pk=answer.json()["groupId"])
    assert roles(made) == {"+919930000001": "Admin", "+919930000002": "Member"}
    assert [failed["number"] for failed in answer.json()["failed"]] == ["x"]


def test_groups_are_attached_by_an_admin_of_all_of_them(connector: Connector, group: Group, group_admin: User) -> None:
    others = [make_group(name, organisation=group.organisation, admins=[group_admin]) for name in ("One", "Two")]
    body = json.dumps({"SubGroups": [f"{other.pk}@1" for other in others] + [str(others[0].pk).upper()]})
    answer = let_act_for(connector, group_admin).put(BELOW.format(group.pk), body)
    assert (answer.status_code, answer.json()) == (200, {"result": True})
    assert {link.child for link in GroupLink.objects.filter(parent=group)} == set(others)
    assert AuditEvent.objects.filter(tag="group:subgroup:linked").count() == 2


def test_a_cycle_is_refused_and_nothing_of_the_call_is_done(
    connector: Connector, group: Group, group_admin: User
) -> None:
    above = make_group("Above", organisation=group.organisation, admins=[group_admin])
    GroupLink.objects.create(parent=above, child=group)
    other = make_group("Other", organisation=group.organisation, admins=[group_admin])
    token = let_act_for(connector, group_admin)
    before = everything()
    for wrong in (above, group):
        body = json.dumps({"subGroups": [str(other.pk), str(wrong.pk)]})
        message = invalid(token.put(BELOW.format(group.pk), body))
        assert "its own sub-group" in message
    assert everything() == before


def test_whoever_is_a_member_in_one_of_them_attaches_none(
    connector: Connector, group: Group, group_admin: User, member: User
) -> None:
    mine = make_group("Mine", organisation=group.organisation, admins=[member], members=[group_admin])
    also = make_group("Also", organisation=group.organisation, admins=[member])
    elsewhere = make_group("Elsewhere", organisation=group.organisation, admins=[group_admin])
    token = let_act_for(connector, member)
    before = everything()
    for parent, children in ((group, [mine]), (mine, [also, group]), (mine, [also, elsewhere])):
        body = json.dumps({"subGroups": [str(child.pk) for child in children]})
        refused(token.put(BELOW.format(parent.pk), body), 403, "Unauthorized")
    assert everything() == before


def test_a_group_token_attaches_nothing_from_outside_its_own_groups(
    program: Program, group: Group, group_admin: User
) -> None:
    other = make_group("Other", organisation=group.organisation, admins=[group_admin])
    before = everything()
    body = json.dumps({"subGroups": [str(other.pk)]})
    refused(program.put(BELOW.format(group.pk), body), 403, "Unauthorized")
    assert everything() == before


@pytest.mark.parametrize(
    "body", ["", "{}", '{"subGroups": []}', '{"subGroups": "x"}', '{"subGroups": [""]}', '{"subGroups": [{}]}']
)
def test_a_body_without_groups_is_refused_by_name(program: Program, group: Group, body: str) -> None:
    answer = program.put(BELOW.format(group.pk), body)
    assert "subGroups" in invalid(answer)


def test_a_sub_group_is_detached_and_goes_on(program: Program, group: Group) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    answer = program.delete(f"{BELOW.format(group.pk)}/{below.pk}@1")
    assert (answer.status_code, answer.json()) == (200, {"result": True})
    assert not GroupLink.objects.exists()
    assert AuditEvent.objects.get(tag="group:subgroup:unlinked").group_id == group.pk
    assert Group.objects.present().filter(pk=below.pk).exists()


def test_what_is_not_directly_under_the_group_is_not_found(program: Program, group: Group) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    deeper = make_group("Deeper", organisation=group.organisation, under=below)
    other = make_group("Other", organisation=group.organisation)
    before = everything()
    answers = [
        program.delete(f"{BELOW.format(group.pk)}/{key}") for key in (deeper.pk, other.pk, unknown_id(), "nonsense")
    ]
    assert len({not_found(answer) for answer in answers}) == 1
    assert everything() == before


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
    program: Program, tree: dict[str, Group], group: Group
) -> None:
    told = told_of(program.get(BELOW.format(group.pk)))
    assert told["currentLevelSubGroupCount"] == 2
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
        **told_of(program.get(f"/v1/groups/{group.pk}")),
        "subGroups": None,
    }


def test_with_fetch_all_groups_they_are_nested_and_a_group_in_two_places_is_told_whole_once(
    program: Program, tree: dict[str, Group], group: Group
) -> None:
    told = told_of(program.get(BELOW.format(group.pk) + "?FetchAllGroups=True"))
    assert names(told["subGroups"]) == [("A", [("C", [("D", [])])]), ("B", [("C", [])])]
    again = told["subGroups"][1]["subGroups"][0]
    assert (again["isDuplicate"], again["hasSubGroups"], again["subGroups"]) == (True, True, [])


def test_under_groups_that_a_user_token_does_not_reach_it_does_not_look(
    connector: Connector, tree: dict[str, Group], group: Group, member: User
) -> None:
    token = let_act_for(connector, member)
    told = told_of(token.get(BELOW.format(group.pk) + "?fetchAllGroups=true"))
    assert names(told["subGroups"]) == [("A", []), ("B", [])]
    Membership.objects.create(group=tree["B"], person=person_of(member))
    told = told_of(token.get(BELOW.format(group.pk) + "?fetchAllGroups=true"))
    assert names(told["subGroups"]) == [("A", []), ("B", [("C", [])])]


def test_what_was_linked_too_deep_by_other_means_is_cut_and_never_an_error(program: Program, group: Group) -> None:
    above = group
    for number in range(40):
        above = make_group(f"Group {number}", organisation=group.organisation, under=above)
    GroupLink.objects.create(parent=above, child=group)  # which no service would make
    told = told_of(program.get(BELOW.format(group.pk) + "?fetchAllGroups=true"))
    depth, branches = 1, told["subGroups"]
    while branches:
        depth, branches = depth + 1, branches[0]["subGroups"]
    assert depth == 30


def test_groups_are_found_by_a_part_of_their_name(
    connector: Connector, member: User, outsider: User, group: Group
) -> None:
    for name in ("With C", "with a", "With b", "Other"):
        make_group(name, organisation=member.organisation, members=[member])
    make_group("With nobody of ours", organisation=outsider.organisation, admins=[outsider])
    token = let_act_for(connector, member)

    def found(query: str) -> list[str]:
        answer = token.get(f"/v1/tenant/findGroupsByQuery?{query}")
        assert answer.status_code == 200, answer.content
        return [each["groupName"] for each in answer.json()["groups"]]

    everything = found("query=wit&resultsOffset=0&pageSize=10")
    assert sorted(everything, key=str.lower) == ["with a", "With b", "With C"]
    assert found("query=wit&resultsOffset=1&pageSize=1") == everything[1:2]
    assert found("query=wit&resultsOffset=2147483647") == []
    assert len(found("")) == 5
