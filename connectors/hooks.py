"""What this app asks the app above, which it does not import: `groups` sets the answers in its `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from accounts.models import User
from connectors.models import Bot, Grant


class RequiredRole(StrEnum):
    """What a call requires of a token in the group of its path, beyond reaching it (`api.endpoint`, `in_group`)."""

    ADMIN = "admin"
    READ_MEMBERS = "read members"
    POST = "post"


@dataclass(frozen=True, slots=True)
class TokenAccess:
    """What tokens are in a group ("Admin" or "Member", the wire's spelling), and what they may do there."""

    role: str
    allows: frozenset[RequiredRole]


# Who administers the `target` of a group's grant: whether this account does so at this moment (an admin who left the
# group does not), and which accounts to tell about it.
administers: Callable[[User, str], bool]
administrators: Callable[[str], list[User]]

# What a grant's tokens (those that act as the bot, when one is given) are in the group of this id, as somebody wrote
# it; None when they do not reach it, or there is no such group.
token_access: Callable[[Grant, str, Bot | None], TokenAccess | None]

# The id of what a webhook is set on (an `ObjectType`), as it is kept. Raises GroupNotReachable or NotFound when the
# grant does not reach such an object, the same whether or not there is one; RuleBroken for nonsense.
webhook_object: Callable[[str, Grant, str], str]
