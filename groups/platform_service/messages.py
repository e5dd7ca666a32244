"""Messages on the wire: `POST /v1/groups/{groupId}/messages` (wire protocol §6, Messages)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from connectors.authentication import operation
from connectors.hooks import RequiredRole
from groups import access
from groups.models import Group, Message
from groups.services import messages as services
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.errors import InvalidParameters
from kaizala_console.api.fields import Body, PhoneNumber, Text
from kaizala_console.api.responses import Answer


class FailedSubscriber(Answer):
    """A number that got nothing, and why: in E.164, or as it was sent when it is none. `subscriberId` is empty: nobody
    is behind it here.
    """

    subscriber: str
    subscriber_id: str
    error_reason: str
    error_code: str


def split_subscribers(group: Group, numbers: Sequence[str], *, to_all: bool) -> tuple[Sequence[str], dict[str, Any]]:
    """Whom to post to, and what the answer says of the others: nothing when there are none, or all get it.

    Where not one of them is a subscriber, all are handed on: the service refuses them, and says why.
    """
    if not numbers or to_all or group.group_type != Group.Type.CONNECT:
        return numbers, {}
    there, failed = services.split_subscribers(group, numbers)
    if not there or not failed:
        return numbers, {}
    told = [
        {
            "subscriber": each.number,
            "subscriberId": "",
            "errorReason": each.reason,
            "errorCode": InvalidParameters.error_code,
        }
        for each in failed
    ]
    return there, {"failedResult": told}


class NewMessage(Body):
    """`sendToAllSubscribers` and `subscribers` are for managed public groups, and for an admin's token alone; a plain
    group passes the first one over.
    """

    message: Annotated[Text, Field(json_schema_extra={"maxLength": Message.MAX_CHARACTERS})]
    send_to_all_subscribers: bool = False
    subscribers: list[PhoneNumber] = []


class MessagePosted(Answer):
    """Which message was posted. `failedResult` is there when some of the chosen subscribers are none."""

    reference_id: UUID
    failed_result: list[FailedSubscriber] = []


@operation(
    scope="textmessage.write",
    body=NewMessage,
    response=MessagePosted,
    in_group=RequiredRole.POST,
    summary="Post a text message",
)
def post_message(call: Call, group_id: str) -> dict[str, Any]:
    """Posts in the name of the token's user, and answers with the message's reference id."""
    group = access.reach(call.caller, group_id)
    if group.group_type == Group.Type.CONNECT and (call.body.send_to_all_subscribers or call.body.subscribers):
        group = access.reach(call.caller, group_id, role=access.Role.ADMIN)
    subscribers, failed = split_subscribers(group, call.body.subscribers, to_all=call.body.send_to_all_subscribers)
    message = services.post(
        group=group,
        text=call.body.message,
        person=call.caller.person,
        connector=call.caller.connector,
        bot=call.caller.bot,
        to_all_subscribers=call.body.send_to_all_subscribers,
        subscribers=subscribers,
        by=call.caller,
    )
    return {"referenceId": str(message.pk), **failed}


messages = resource(POST=post_message)
