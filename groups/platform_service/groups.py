"""Groups on the wire: `GET /v1/groups` and `GET /v1/groups/{groupId}` (wire protocol §6, Groups)."""

from __future__ import annotations

from typing import Any

from connectors.callers import operation
from groups import access, queries
from groups.counts import Tally
from groups.models import Group
from kaizala_console.wire.endpoint import Call, resource
from kaizala_console.wire.fields import Query, named


class Listing(Query):
    """`fetchAllGroups` adds the groups that a group token reaches under its own.

    `showDetails` (and `showDetail`) changes nothing: programs that never send it read the details all the same.
    """

    show_details: bool = named("showDetails", "showDetail", default=False)
    fetch_all_groups: bool = named("fetchAllGroups", default=False)


@operation(scope="groupinfo.read", query=Listing, summary="List the groups that the token reaches")
def list_groups(call: Call) -> dict[str, Any]:
    """Answers with every group that the token reaches, with all its counts."""
    groups = access.reachable(call.caller) if call.query.fetch_all_groups else access.named_by(call.caller)
    return {"groups": [spelled(group, tally) for group, tally in queries.tallied(groups)]}


@operation(scope="groupinfo.read", summary="Read one group")
def read_group(call: Call, group_id: str) -> dict[str, Any]:
    """Answers with one group, in a list as `GET /v1/groups` has it."""
    group = access.reach(call.caller, group_id)
    return {"groups": [spelled(group, tally) for group, tally in queries.tallied_one(group)]}


def spelled(group: Group, tally: Tally) -> dict[str, Any]:
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


groups = resource(GET=list_groups)
group = resource(GET=read_group)
