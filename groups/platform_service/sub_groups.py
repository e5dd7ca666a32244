"""Sub-groups on the wire: `/v1/groups/{groupId}/subGroups` and below (wire protocol §6, Groups)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from connectors.authentication import operation
from connectors.hooks import RequiredRole
from groups import access
from groups.access import Role
from groups.platform_service.groups import GroupDetails, Name, Welcome, to_wire
from groups.platform_service.members import FailedNumber, Numbers, describe_failures
from groups.queries import groups as queries
from groups.queries import hierarchy as groups_hierarchy
from groups.queries.hierarchy import Branch
from groups.services import groups as group_services
from groups.services import hierarchy, media
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.fields import PHONE_SCHEMA, Body, Id, PictureUrl, Query, describe, named, rename_fields
from kaizala_console.api.responses import Answer

MOST = 100
"""A call attaches so many groups at most: the token is asked about each of them."""


class Depth(Query):
    """`fetchAllGroups` adds what stands under the sub-groups, at any level."""

    fetch_all_groups: bool = named("fetchAllGroups", default=False)


def _describe_admin(schema: dict[str, Any], shape: type[Any]) -> None:
    """Somebody runs the group: the token's user, or the first of the members."""
    describe(schema, shape)
    numbers = {"type": "array", "prefixItems": [PHONE_SCHEMA], "minItems": 1}
    schema["anyOf"] = [
        {"properties": {"addUserToGroup": {"type": "boolean", "const": True}}},
        {
            "properties": {"members": numbers},
            "required": ["members"],
        },
    ]


class NewSubGroup(Body):
    """`members` are phone numbers. With `addUserToGroup` false the first of them is the admin, not the token's user."""

    name: Name = named("groupName", "name")
    group_image_url: PictureUrl = ""
    members: Numbers = []
    welcome_message: Welcome = ""
    add_user_to_group: bool = True

    model_config = ConfigDict(json_schema_extra=_describe_admin)


class Attached(Body):
    """Ids of groups that are there already."""

    sub_groups: Annotated[list[Annotated[Id, Field(pattern=r"\S")]], Field(min_length=1, max_length=MOST)]


class SubGroup(Answer):
    """A group under another one. A group that stands there more than once is repeated without what is under it."""

    group_id: UUID
    group_name: str
    group_image_url: str
    has_sub_groups: bool
    has_parent_groups: bool = Field(description="Always true.")
    is_mapped_to_tenant: bool
    group_type: Literal["Group", "ConnectGroup"]
    is_duplicate: bool
    welcome_message: str
    sub_groups: list[SubGroup] = Field(default=[], description="With `fetchAllGroups` alone.")


class GroupWithSubGroups(GroupDetails):
    """The group, and those under it."""

    sub_groups: list[SubGroup]


class SubGroupList(GroupWithSubGroups):
    """The group that was asked for, with its sub-groups. `groups` has the same once more, in a list."""

    groups: list[GroupWithSubGroups]


class SubGroupCreated(Answer):
    """The new group. `failed` is there when some members could not be added."""

    group_id: UUID
    group_name: str
    failed: list[FailedNumber] = []


class Done(Answer):
    """It is done."""

    result: bool


@operation(scope="groupinfo.read", query=Depth, response=SubGroupList, summary="List the groups under a group")
def list_sub_groups(call: Call, group_id: str) -> dict[str, Any]:
    """Answers with the group and its sub-groups, by name; what is under groups out of reach is left out."""
    group = access.reach(call.caller, group_id)
    is_whole: bool = call.query.fetch_all_groups
    branches = (
        groups_hierarchy.list_descendants(group, access.list_reachable_groups(call.caller))
        if is_whole
        else groups_hierarchy.list_children(group)
    )
    [(told, tally)] = queries.list_one_with_tally(group)
    answer = {**to_wire(told, tally), "subGroups": [_branch(each, is_whole) for each in branches]}
    # The protocol and Microsoft's description have the group itself, its page a list with it (ADR 0061).
    return {**answer, "groups": [answer]}


@operation(
    scope="groupinfo.write",
    body=NewSubGroup,
    response=SubGroupCreated,
    in_group=RequiredRole.ADMIN,
    summary="Create a sub-group",
)
def create_sub_group(call: Call, group_id: str) -> dict[str, Any]:
    """Makes a group under this one, in its organisation. The token's user becomes its admin, unless told not to."""
    asked: NewSubGroup = call.body
    parent = access.reach(call.caller, group_id, role=Role.ADMIN)
    with (
        rename_fields(image_url="groupImageUrl"),
        media.resolve_address(asked.group_image_url, caller=call.caller, field="groupImageUrl") as picture,
    ):
        created = group_services.create(
            name=asked.name,
            organisation=parent.organisation,
            admin=call.caller.person if asked.add_user_to_group else None,
            welcome_message=asked.welcome_message,
            image_url=picture or "",
            numbers=asked.members,
            parent=parent,
            by=call.caller,
        )
    return {
        "groupId": str(created.group.pk),
        "groupName": created.group.name,
        **describe_failures(created.failed),
    }


@operation(
    scope="groupinfo.update",
    body=Attached,
    response=Done,
    in_group=RequiredRole.ADMIN,
    summary="Attach groups as sub-groups",
)
def attach_sub_groups(call: Call, group_id: str) -> dict[str, Any]:
    """Puts all these groups under this one, or none. The token must be an admin's in this one and in each of them."""
    parent = access.reach(call.caller, group_id, role=Role.ADMIN)
    asked: Attached = call.body
    children = [access.reach(call.caller, each, role=Role.ADMIN) for each in dict.fromkeys(asked.sub_groups)]
    hierarchy.attach(parent=parent, children=children, by=call.caller)
    return {"result": True}


@operation(scope="groupinfo.remove", response=Done, in_group=RequiredRole.ADMIN, summary="Detach a sub-group")
def detach_sub_group(call: Call, group_id: str, sub_group_id: str) -> dict[str, Any]:
    """Detaches a group from this one. Both stay."""
    parent = access.reach(call.caller, group_id, role=Role.ADMIN)
    hierarchy.unlink(parent=parent, child=queries.get_sub_group(parent, sub_group_id), by=call.caller)
    return {"result": True}


def _branch(branch: Branch, is_whole: bool) -> dict[str, Any]:
    """At most `groups.models.hierarchy.MOST_LEVELS` deep."""
    told = {
        "groupId": str(branch.key),
        "groupName": branch.name,
        "groupImageUrl": branch.image_url,
        "hasSubGroups": branch.has_more,
        "hasParentGroups": True,
        "isMappedToTenant": branch.is_of_tenant,
        "groupType": branch.group_type,
        "isDuplicate": branch.is_repeated,
        "welcomeMessage": branch.welcome_message,
    }
    if is_whole:
        told["subGroups"] = [_branch(each, is_whole) for each in branch.under]
    return told


sub_groups = resource(GET=list_sub_groups, POST=create_sub_group, PUT=attach_sub_groups)
sub_group = resource(DELETE=detach_sub_group)
