"""Members on the wire: `/v1/groups/{groupId}/members` and below (wire protocol §6, Members)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from connectors.authentication import operation
from connectors.hooks import RequiredRole
from groups import access
from groups.access import Role
from groups.queries import groups
from groups.services import members as services
from groups.services.members import Failed
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.fields import ApiEnum, Body
from kaizala_console.api.responses import Answer

MOST = 5000
"""A call adds or removes so many people at most: each of them has a line in the audit trail."""

Numbers = Annotated[list[str], Field(max_length=MOST)]


class FailedNumber(Answer):
    """A number or an id as it was sent, and why it was refused."""

    number: str
    reason: str


def describe_failures(failed: Iterable[Failed]) -> dict[str, Any]:
    """`failed` of an answer; absent when nothing failed."""
    told = [{"number": each.number, "reason": each.reason} for each in failed]
    return {"failed": told} if told else {}


class RoleName(ApiEnum):
    """What somebody is in a group."""

    ADMIN = "Admin"
    MEMBER = "Member"


class NewMembers(Body):
    """Phone numbers in the form E.164."""

    members: Numbers


class NewRole(Body):
    """Another role for a member."""

    role: RoleName


class MemberDetails(Answer):
    """A member of a group."""

    id: UUID
    role: Literal["Admin", "Member"]
    mobile_number: str = Field(description="In the form E.164.")
    name: str
    profile_pic: str
    is_provisioned: bool = Field(description="Whether this phone number has ever verified itself.")


class MemberList(Answer):
    """Members of a group."""

    members: list[MemberDetails]


class MembersAdded(Answer):
    """`result` is false when some could not be added: `failed` says which, and why."""

    result: bool
    failed: list[FailedNumber] = []


class Done(Answer):
    """It is done."""

    result: Literal[True]


@operation(
    scope="groupmember.read",
    response=MemberList,
    in_group=RequiredRole.READ_MEMBERS,
    summary="List the members of a group",
)
def list_members(call: Call, group_id: str) -> dict[str, Any]:
    """Answers with all members of the group itself, those who joined first at the top.

    Admins may keep the list to themselves: a member's user token is refused then.
    """
    group = access.reach_members(call.caller, group_id)
    return {
        "members": [
            {
                "id": str(person_id),
                "role": role,
                "mobileNumber": number,
                "name": name,
                "profilePic": picture_url,
                "isProvisioned": provisioned_at is not None,
            }
            for person_id, role, number, name, picture_url, provisioned_at in groups.member_rows(group)
        ]
    }


@operation(
    scope="groupmember.write",
    body=NewMembers,
    response=MembersAdded,
    in_group=RequiredRole.ADMIN,
    summary="Add members to a group",
)
def add_members(call: Call, group_id: str) -> dict[str, Any]:
    """Adds everybody whose number can be one, as a member. Who is in the group already stays what they are there."""
    group = access.reach(call.caller, group_id, role=Role.ADMIN)
    added = services.add(group=group, numbers=call.body.members, by=call.caller)
    return {"result": not added.failed, **describe_failures(added.failed)}


@operation(
    scope="groupmember.update",
    body=NewRole,
    response=Done,
    in_group=RequiredRole.ADMIN,
    summary="Change a member's role",
)
def update_member(call: Call, group_id: str, member_id: str) -> dict[str, Any]:
    """Makes an admin of a member, or a member of an admin, but for the last one. The id may be a phone number."""
    group = access.reach(call.caller, group_id, role=Role.ADMIN)
    services.set_role(
        group=group,
        person_id=services.find_person(group, member_id),
        role=Role(call.body.role.value),
        by=call.caller,
    )
    return {"result": True}


@operation(
    scope="groupmember.remove", response=Done, in_group=RequiredRole.ADMIN, summary="Remove a member from a group"
)
def remove_member(call: Call, group_id: str, member_id: str) -> dict[str, Any]:
    """Takes a member out of the group; never the last admin. The id may be a phone number."""
    group = access.reach(call.caller, group_id, role=Role.ADMIN)
    services.remove(group=group, person_id=services.find_person(group, member_id), by=call.caller)
    return {"result": True}


members = resource(GET=list_members, PUT=add_members)
member = resource(PUT=update_member, DELETE=remove_member)
