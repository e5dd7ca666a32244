"""Messages on the wire: `POST /v1/groups/{groupId}/messages` (wire protocol §6, Messages)."""

from __future__ import annotations

from connectors.callers import operation
from groups import access
from groups.services import messages as services
from kaizala_console.wire.endpoint import Call, resource
from kaizala_console.wire.fields import Body, Text


class NewMessage(Body):
    """`sendToAllSubscribers` and `subscribers` are for managed public groups, and for an admin's token alone."""

    message: Text
    send_to_all_subscribers: bool = False
    subscribers: list[str] = []


@operation(scope="textmessage.write", body=NewMessage, summary="Post a text message")
def post_message(call: Call, group_id: str) -> dict[str, str]:
    """Posts in the name of the token's user, and answers with the message's reference id."""
    to_subscribers = call.body.send_to_all_subscribers or bool(call.body.subscribers)
    group = access.reach(call.caller, group_id, role=access.Role.ADMIN if to_subscribers else access.Role.MEMBER)
    message = services.post(
        group=group,
        text=call.body.message,
        person=call.caller.person,
        connector=call.caller.connector,
        to_all_subscribers=call.body.send_to_all_subscribers,
        subscribers=call.body.subscribers,
        by=call.caller,
    )
    return {"referenceId": str(message.pk)}


messages = resource(POST=post_message)
