"""Members on the wire: `GET /v1/groups/{groupId}/members` (wire protocol §6, Members)."""

from __future__ import annotations

from typing import Any

from connectors.callers import operation
from groups import access, queries
from kaizala_console.wire.endpoint import Call, resource


@operation(scope="groupmember.read", summary="List the members of a group")
def list_members(call: Call, group_id: str) -> dict[str, Any]:
    """Answers with all members of the group itself, those who joined first at the top."""
    group = access.reach(call.caller, group_id)
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
            for person_id, role, number, name, picture_url, provisioned_at in queries.member_rows(group)
        ]
    }


members = resource(GET=list_members)
