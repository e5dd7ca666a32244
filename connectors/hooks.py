"""What a grant reaches is known to the app above (groups). It plugs the answer in here, for the token inspector.

So it does for where bots stand and what they have posted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from connectors.models import Bot, Grant

# The role ("Admin", "Member") that a grant's tokens have in the group of this id, as somebody wrote it; "" for none. Of
# the tokens that act as a bot, when one is given.
Role = Callable[[Grant, str, Bot | None], str]
_roles: list[Role] = []


def register(role: Role) -> None:
    """Plug the answer in; the app above calls it when it is ready."""
    if role not in _roles:
        _roles.append(role)


def role_in(grant: Grant, group_id: str, bot: Bot | None = None) -> str:
    """The role of a grant's tokens in a group; "" when they do not reach it, or there is no such group."""
    return next((found for role in _roles if (found := role(grant, group_id, bot))), "")


class Need(StrEnum):
    """What a call asks of a token in the group of its path, besides reaching it (`wire.endpoint`, `in_group`)."""

    ADMIN = "admin"
    READ_MEMBERS = "read members"
    POST = "post"


# Whether a grant's tokens (those that act as the bot, when one is given) may do so in the group of this id.
Allows = Callable[[Grant, str, Need, Bot | None], bool]
_allows: list[Allows] = []


def register_allows(allows: Allows) -> None:
    """Plug the answer in; the app above calls it when it is ready."""
    if allows not in _allows:
        _allows.append(allows)


def allows(grant: Grant, group_id: str, need: Need, bot: Bot | None = None) -> bool:
    """Whether a call that needs this would get on, in a group that the tokens reach."""
    return all(each(grant, group_id, need, bot) for each in _allows)


# ---------------------------------------------------------------- Bots


@dataclass(frozen=True, slots=True)
class BotPlaces:
    """The names of the groups that a bot stands in; when it posted last, in which group, and with whose role."""

    groups: list[str]
    posted_at: dt.datetime | None = None
    posted_in: str = ""
    posted_for: str = ""


@dataclass(frozen=True, slots=True)
class BotProvider:
    """`places` of many bots at once; `posts` of one since a moment."""

    places: Callable[[Iterable[UUID]], dict[UUID, BotPlaces]]
    posts: Callable[[UUID, dt.datetime], int]


_bots: list[BotProvider] = []


def register_bots(provider: BotProvider) -> None:
    """Plug the answers in; the app above calls it when it is ready."""
    if provider not in _bots:
        _bots.append(provider)


def places_of(bots: Iterable[Bot]) -> dict[UUID, BotPlaces]:
    """Where each of these bots stands, and what it posted last."""
    wanted = [bot.pk for bot in bots]
    found = {key: BotPlaces([]) for key in wanted}
    for provider in _bots:
        found |= provider.places(wanted)
    return found


def posts_of(bot: Bot, since: dt.datetime) -> int:
    """How much was posted under the bot's name since then."""
    return sum(provider.posts(bot.pk, since) for provider in _bots)
