"""`subscribers` of what programs post: those who are none are told one by one, and the others get it (ADR 0066)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from groups.models import Group
from groups.services import audience
from kaizala_console.api.errors import InvalidParameters
from kaizala_console.api.responses import Answer


class FailedSubscriber(Answer):
    """A number that got nothing, and why: in E.164, or as it was sent when it is none. `subscriberId` is empty: nobody
    is behind it here.
    """

    subscriber: str
    subscriber_id: str
    error_reason: str
    error_code: str


def chosen(group: Group, numbers: Sequence[str], *, to_all: bool) -> tuple[Sequence[str], dict[str, Any]]:
    """Whom to post to, and what the answer says of the others: nothing when there are none, or all get it.

    Where not one of them is a subscriber, all are handed on: the service refuses them, and says why.
    """
    if not numbers or to_all or group.group_type != Group.Type.CONNECT:
        return numbers, {}
    there, failed = audience.parted(group, numbers)
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
