"""Groups on the wire: `/v1/groups` and `/v1/groups/{groupId}` (wire protocol §6, Groups)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from connectors.authentication import operation
from groups import access
from groups.models import Group
from groups.platform_service.members import MOST, FailedNumber, Numbers, describe_failures
from groups.queries import directory
from groups.queries import groups as queries
from groups.queries.hierarchy import Tally
from groups.services import groups as services
from groups.services import members
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.fields import ApiEnum, Body, Count, Query, Text, named
from kaizala_console.api.responses import Answer


class Listing(Query):
    """`fetchAllGroups` adds the groups that a group token reaches under its own.

    `showDetails` (and `showDetail`) changes nothing: programs that never send it read the details all the same.
    """

    show_details: bool = named("showDetails", "showDetail", default=False)
    fetch_all_groups: bool = named("fetchAllGroups", default=False)


Name = Annotated[Text, Field(max_length=120)]
Welcome = Annotated[str, Field(max_length=500)]


People = Annotated[list[str], Field(max_length=MOST)]


class GroupType(ApiEnum):
    """A `ConnectGroup` is a managed public group: admins speak to subscribers."""

    GROUP = "Group"
    CONNECT_GROUP = "ConnectGroup"


class NewGroup(Body):
    """`members` are phone numbers in the form E.164, `memberUserIds` ids of people; `admins` may be either.

    An id names one of the organisation's people; in a private group, somebody in a group that the token administers.
    """

    name: Name = named("name", "groupName")
    welcome_message: Welcome = ""
    members: Numbers = []
    member_user_ids: People = []
    admins: People = []
    group_type: GroupType = GroupType.GROUP
    short_description: str = named("ShortDescriptionString", "shortDescription", default="", max_length=200)
    long_description: str = named("LongDescriptionString", "longDescription", default="", max_length=2000)


class GroupDetails(Answer):
    """One group. `userCount` counts down the hierarchy, `uniqueUserCount` counts each phone once."""

    group_id: UUID
    group_name: str
    group_image_url: str
    has_sub_groups: bool
    has_parent_groups: bool
    caller_role: Literal["Admin", "Member"] = Field(description="Of the token's user, in this group.")
    current_level_sub_group_count: int
    current_level_parent_group_count: int
    user_count: int
    unique_user_count: int
    current_level_user_count: int = Field(description="Of this group alone.")
    current_level_un_provisioned_user_count: int = Field(description="Whose phone number was never verified.")
    un_provisioned_user_count: int
    is_mapped_to_tenant: bool
    group_type: Literal["Group", "ConnectGroup"]
    is_duplicate: bool
    is_editable: bool
    is_details_readable: bool
    welcome_message: str


class GroupList(Answer):
    """Groups."""

    groups: list[GroupDetails]


class GroupCreated(Answer):
    """The new group. `membersAdded` is true when all members are in it; `failed` is there when some are not."""

    group_id: UUID
    group_name: str
    members_added: bool
    is_added_as_sub_group: bool
    failed: list[FailedNumber] = []


@operation(scope="groupinfo.read", query=Listing, response=GroupList, summary="List the groups that the token reaches")
def list_groups(call: Call) -> dict[str, Any]:
    """Answers with every group that the token reaches, with all its counts."""
    if call.query.fetch_all_groups:
        found = queries.list_with_tallies(access.list_reachable_groups(call.caller))
    else:
        found = queries.list_named_with_tallies(call.caller)
    return {"groups": [to_wire(group, tally) for group, tally in found]}


@operation(
    scope="groupinfo.write",
    body=NewGroup,
    response=GroupCreated,
    summary="Create a group",
)
def create_group(call: Call) -> dict[str, Any]:
    """The token's user becomes its admin. With a group token it becomes a sub-group of the token's group.

    A `ConnectGroup` is only made with a user token that reaches all groups of the organisation.
    """
    asked: NewGroup = call.body
    place = access.get_placement(call.caller, is_public=asked.group_type == GroupType.CONNECT_GROUP)
    known = directory.list_known_people(call.caller, place.organisation)
    admins, unknown_admins = members.resolve_numbers(asked.admins, known)
    by_id, unknown_members = members.resolve_numbers(asked.member_user_ids, known)
    created = services.create(
        name=asked.name,
        organisation=place.organisation,
        admin=call.caller.person,
        group_type=asked.group_type.value,
        welcome_message=asked.welcome_message,
        short_description=asked.short_description,
        long_description=asked.long_description,
        numbers=[*asked.members, *by_id],
        admin_numbers=admins,
        parent=place.parent,
        by=call.caller,
    )
    failed = [*unknown_admins, *unknown_members, *created.failed]
    return {
        "groupId": str(created.group.pk),
        "groupName": created.group.name,
        "membersAdded": not failed,
        "isAddedAsSubGroup": place.parent is not None,
        **describe_failures(failed),
    }


@operation(scope="groupinfo.read", response=GroupList, summary="Read one group")
def read_group(call: Call, group_id: str) -> dict[str, Any]:
    """Answers with one group, in a list as `GET /v1/groups` has it."""
    group = access.reach(call.caller, group_id)
    return {"groups": [to_wire(group, tally) for group, tally in queries.list_one_with_tally(group)]}


def to_wire(group: Group, tally: Tally) -> dict[str, Any]:
    """One group with the protocol's spellings."""
    return {
        "groupId": str(group.pk),
        "groupName": group.name,
        "groupImageUrl": group.image_url,
        "hasSubGroups": group.sub_group_count > 0,
        "hasParentGroups": group.parent_group_count > 0,
        "callerRole": group.role,
        "currentLevelSubGroupCount": group.sub_group_count,
        "currentLevelParentGroupCount": group.parent_group_count,
        "userCount": tally.total,
        "uniqueUserCount": tally.unique,
        "currentLevelUserCount": tally.level,
        "currentLevelUnProvisionedUserCount": tally.level_unprovisioned,
        "unProvisionedUserCount": tally.total_unprovisioned,
        "isMappedToTenant": group.organisation_id is not None,
        "groupType": group.group_type,
        # A group that stands under several others is listed once, so no entry repeats another.
        "isDuplicate": False,
        "isEditable": group.role == access.Role.ADMIN,
        "isDetailsReadable": True,
        "welcomeMessage": group.welcome_message,
    }


groups = resource(GET=list_groups, POST=create_group)
group = resource(GET=read_group)


MOST_FOUND = 100


class GroupSearch(Query):
    """`query` is a part of the name, or a group's ID. `resultsOffset` leaves out the first ones."""

    query: str = ""
    results_offset: Count = 0
    page_size: Annotated[int, Field(ge=1, le=2**31 - 1)] = MOST_FOUND


@operation(scope="tenant.read", query=GroupSearch, response=GroupList, summary="Find groups by name")
def find_groups(call: Call) -> dict[str, Any]:
    """Answers with at most 100 of the groups that the token reaches, by name."""
    size = min(call.query.page_size, MOST_FOUND)
    found = queries.list_named(
        access.list_reachable_groups(call.caller), call.query.query, offset=call.query.results_offset, size=size
    )
    return {"groups": [to_wire(group, tally) for group, tally in queries.list_with_tallies(found)]}


found_groups = resource(GET=find_groups)
