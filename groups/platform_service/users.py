"""The token's user on the wire: `GET /v1/users/me` (wire protocol §6, Users)."""

from __future__ import annotations

from connectors.callers import operation
from kaizala_console.wire.endpoint import Call, resource


@operation(scope="profile.read", summary="Read the token's user")
def read_me(call: Call) -> dict[str, str]:
    """Answers with the person whose role the token carries: its user, or the admin who added the connector."""
    person = call.caller.person
    return {
        "id": str(person.pk),
        "mobileNumber": person.number,
        "name": person.name,
        "profilePic": person.picture_url,
    }


me = resource(GET=read_me)
