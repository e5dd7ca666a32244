"""`POST /v1/groups` (wire protocol §6, Groups)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.models import AuditEvent, User
from accounts.tests.factories import make_person, make_user
from connectors.models import Connector
from connectors.permissions import Permission
from groups.models import Group, GroupLink, Membership
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_by_pin, let_act_for, let_in, make_group, person_of, unknown_id
from groups.tests.pages import everything

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


def test_a_user_token_makes_a_group_whose_admin_is_its_user(wire: Wire, connector: Connector, member: User) -> None:
    answer = wire.post("/v1/groups", json.dumps(ASKED), let_act_for(connector, member))
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
    wire: Wire, program: Program, group: Group, group_admin: User
) -> None:
    answer = wire.post("/v1/groups", json.dumps({"name": "Below"}), program)
    below = created(answer)
    assert answer.json()["isAddedAsSubGroup"] is True
    assert GroupLink.objects.get(child=below).parent == group
    assert (roles(below), below.organisation) == ({person_of(group_admin).number: "Admin"}, group.organisation)
    # The token reaches what it has made.
    assert wire.get(f"/v1/groups/{below.pk}", program).json()["groups"][0]["callerRole"] == "Admin"


def test_numbers_that_cannot_be_one_are_refused_one_by_one(wire: Wire, program: Program) -> None:
    numbers = ["+919930000001", "12", "nobody", "", 919930000002]
    answer = wire.post("/v1/groups", json.dumps({"name": "Below", "members": numbers}), program)
    assert answer.json()["membersAdded"] is False
    assert [failed["number"] for failed in answer.json()["failed"]] == ["12", "nobody", "", "919930000002"]
    assert all(failed["reason"] for failed in answer.json()["failed"])
    assert "+919930000001" in roles(created(answer))


def test_members_and_admins_by_id_are_let_in_and_the_others_are_named(
    wire: Wire, program: Program, connector: Connector, group: Group, member: User, outsider: User
) -> None:
    stranger, colleague = person_of(outsider), person_of(member)
    body: dict[str, Any] = {
        "Name": "Below",
        "Members": ["+919930000001"],
        "MemberUserIds": [str(colleague.pk), str(stranger.pk), unknown_id(), "nonsense"],
        "Admins": ["+919930000002", str(colleague.pk), str(stranger.pk)],
        "GroupPhoto": None,
    }
    answer = wire.post("/v1/groups", json.dumps(body), program)
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
    answer = wire.post("/v1/groups", json.dumps(body), token)
    assert [failed["number"] for failed in answer.json()["failed"]] == [str(colleague.pk)]
    assert roles(created(answer)) == {lakshmi.number: "Admin", stranger.number: "Member"}
    assert own.pk != created(answer).pk


@pytest.mark.parametrize(
    "body",
    [
        '{name:"Kaizala Test group", welcomeMessage:"Welcome to group", members:["+911099999999"], groupType: "Group"}',
        "{'name': 'Kaizala Test group', 'members': ['+911099999999'], 'welcomeMessage': None}",
        '{"GroupName": "Kaizala Test group", "MEMBERS": ["+91 10999 99999"], "grouptype": "GROUP",}',
        '\ufeff{"Name": "Kaizala Test group", /* one */ "Members": ["+911099999999"]}',
    ],
)
def test_bodies_as_old_programs_write_them(wire: Wire, connector: Connector, member: User, body: str) -> None:
    answer = wire.post("/v1/groups/", body.encode(), let_act_for(connector, member), content_type="text/plain")
    group = created(answer)
    assert group.name == "Kaizala Test group"
    assert answer.json()["membersAdded"] is True
    assert "+911099999999" in roles(group)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"name": None}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"members": "+919930000001"}, "members"),
        ({"members": [{}]}, "members[0]"),
        ({"members": ["+919930000001"] * 5001}, "members"),
        ({"groupType": "Broadcast"}, "groupType"),
        ({"welcomeMessage": "x" * 501}, "welcomeMessage"),
        ({"ShortDescriptionString": "x" * 201}, "ShortDescriptionString"),
        ({"LongDescriptionString": "x" * 2001}, "LongDescriptionString"),
        ({"welcomeMessage": "nul\x00"}, ""),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(
    wire: Wire, program: Program, changed: dict[str, Any], named: str
) -> None:
    before = everything()
    answer = wire.post("/v1/groups", json.dumps({**ASKED, **changed}), program)
    assert named in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert everything() == before


@pytest.mark.parametrize("body", ["", "[]", "{", '"name"'])
def test_a_body_that_is_no_object_is_refused(wire: Wire, program: Program, body: str) -> None:
    refused(wire.post("/v1/groups", body, program), 400, "InvalidParameters", "ValidationException")


def test_a_managed_public_group_is_made_with_the_token_of_an_organisation_admin_alone(
    wire: Wire, connector: Connector, program: Program, organisation_admin: User, second_admin: User, member: User
) -> None:
    before = everything()
    for token in (program, let_act_for(connector, member)):
        before = everything()
        for written in ("ConnectGroup", "connectgroup"):
            answer = wire.post("/v1/groups", json.dumps({**ASKED, "groupType": written}), token)
            assert "ConnectGroup" in refused(answer, 403, "Unauthorized")
        assert everything() == before
    admins = let_act_for(connector, organisation_admin, confirmed_by=second_admin)
    group = created(wire.post("/v1/groups", json.dumps({**ASKED, "groupType": "connectgroup"}), admins))
    assert (group.group_type, group.organisation) == ("ConnectGroup", organisation_admin.organisation)


def test_an_organisation_admins_token_that_nobody_confirmed_makes_no_managed_public_group(
    wire: Wire, connector: Connector, organisation_admin: User
) -> None:
    token = let_act_by_pin(connector, person_of(organisation_admin))
    refused(wire.post("/v1/groups", '{"name":"x","groupType":"ConnectGroup"}', token), 403, "Unauthorized")
    assert created(wire.post("/v1/groups", '{"name":"x"}', token)).organisation == organisation_admin.organisation


def test_somebody_without_an_account_here_makes_a_private_group(wire: Wire, connector: Connector) -> None:
    person = make_person("Lakshmi Iyer")
    token = let_act_by_pin(connector, person)
    group = created(wire.post("/v1/groups", '{"name":"Umpires"}', token))
    assert (group.organisation, roles(group)) == (None, {person.number: "Admin"})
    assert wire.get("/v1/groups", token).json()["groups"][0]["isMappedToTenant"] is False


def test_when_the_number_has_got_another_account_its_old_token_makes_nothing(
    wire: Wire, connector: Connector, outsider: User
) -> None:
    person = make_person("Lakshmi Iyer")
    token = let_act_by_pin(connector, person)
    make_user("Somebody Else", outsider.organisation, number=person.number)
    refused(wire.post("/v1/groups", '{"name":"Umpires"}', token), 403, "Unauthorized")
    assert not Group.objects.exists()


def test_without_the_permission_nothing_is_made(
    wire: Wire, connector: Connector, group: Group, group_admin: User
) -> None:
    token = let_in(connector, group, group_admin, permissions=[Permission.GROUP_MEMBER_LIST])
    before = everything()
    answer = wire.post("/v1/groups", json.dumps(ASKED), token)
    assert "Group Information" in refused(answer, 403, "Unauthorized")
    refused(wire.post("/v1/groups", json.dumps(ASKED)), 401, "InvalidToken")
    refused(wire.post("/v1/groups", json.dumps(ASKED), "nonsense"), 401, "InvalidToken")
    assert everything() == before
