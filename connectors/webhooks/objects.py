"""What a webhook can be set on is known to the app above (groups). It plugs the answers in here."""

from __future__ import annotations

from collections.abc import Callable

from connectors.models import Grant, Webhook
from connectors.webhooks.events import ObjectType
from kaizala_console.lib.errors import ConsoleError

# Gets a grant and an object's id as somebody wrote it; returns the id as it is kept. Raises GroupNotReachable or
# NotFound when the grant does not reach such an object, the same whether or not there is one; RuleBroken for nonsense.
Find = Callable[[Grant, str], str]
_finds: dict[ObjectType, Find] = {}


def register(kind: ObjectType, find: Find) -> None:
    """Plug the answer for one kind in; the app above calls it when it is ready."""
    _finds[kind] = find


def find(kind: ObjectType, grant: Grant, object_id: str) -> str:
    """The id of an object within the grant's reach, as it is kept. Raises as `Find` says."""
    return _finds[kind](grant, object_id)


def is_within(webhook: Webhook) -> bool:
    """Whether the webhook's own object is within reach of its own grant."""
    if webhook.grant is None:
        return True
    try:
        find(ObjectType(webhook.object_type), webhook.grant, webhook.object_id)
    except ConsoleError:
        return False
    return True
