"""Which bots stand in which groups, which may be put into one, and when one of them posted last."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, UUIDField

from accounts.queries import name_people
from connectors.models import Bot, Grant
from connectors.models.bot import BotQuerySet
from groups.models import Action, Group, GroupBot, GroupGrant, Message
from kaizala_console.lib.prepared import Prepared


@dataclass(frozen=True, slots=True)
class BotPlaces:
    """The names of the groups that a bot stands in; when it posted last, in which group, and with whose role."""

    groups: list[str]
    posted_at: dt.datetime | None = None
    posted_in: str = ""
    posted_for: str = ""


def filter_with_access(group_id: Any, bots: BotQuerySet) -> BotQuerySet:
    """Of these bots, those whose connector has access to the group: added to it, or to a group above it."""
    above = Group.objects.above([group_id]).values("pk")
    at = GroupGrant.objects.filter(Q(group_id=group_id) | Q(group_id__in=above), grant_id=OuterRef("pk"))
    grants = Grant.objects.present().filter(Exists(at), connector_id=OuterRef("connector_id"))
    return bots.filter(Exists(grants))


def list_addable_bots(group_id: Any) -> BotQuerySet:
    """The bots that an admin may put into the group now, with their connector, by name."""
    there = GroupBot.objects.filter(group_id=group_id, bot_id=OuterRef("pk"))
    bots = filter_with_access(group_id, Bot.objects.present())
    bots = bots.filter(~Exists(there), connector__deleted_at__isnull=True)
    return bots.select_related("connector").order_by("name", "id")


def has_addable_bot(group: Group) -> bool:
    """Whether there is one at all."""
    return bool(_FIRST_ADDABLE.all(group_id=group.pk))


_FIRST_ADDABLE: Final = Prepared(lambda group_id: list_addable_bots(group_id)[:1], group_id=UUIDField())


def list_group_bots(group: Group) -> QuerySet[GroupBot]:
    """The bots of the group with their connector, by name. Those of a connector that was deleted are none any more."""
    rows = GroupBot.objects.filter(group=group, bot__removed_at__isnull=True, bot__connector__deleted_at__isnull=True)
    return rows.select_related("bot__connector").order_by("bot__name", "bot_id")


def get_places(bot_ids: Iterable[UUID]) -> dict[UUID, BotPlaces]:
    """Where these bots stand, and what each posted last: four statements, however many bots."""
    wanted = list(bot_ids)
    groups: dict[UUID, list[str]] = {key: [] for key in wanted}
    rows = GroupBot.objects.filter(bot_id__in=wanted, group__removed_at__isnull=True).order_by("group__name", "id")
    for bot_id, name in rows.values_list("bot_id", "group__name"):
        groups[bot_id].append(name)
    newest: dict[UUID, Any] = {}
    for model in (Message, Action):
        for post in _newest_of_each(wanted, model):
            if post.bot_id not in newest or newest[post.bot_id].sent_at < post.sent_at:
                newest[post.bot_id] = post
    for organisation_id in {post.connector.organisation_id for post in newest.values()}:
        name_people(
            organisation_id, [one.person for one in newest.values() if one.connector.organisation_id == organisation_id]
        )
    return {key: _make_places(groups[key], newest.get(key)) for key in wanted}


def count_posts(bot_id: UUID, *, since: dt.datetime) -> int:
    """Count what was posted under a bot's name since then."""
    return sum(model.objects.filter(bot_id=bot_id, sent_at__gte=since).count() for model in (Message, Action))


def _newest_of_each(bot_ids: list[UUID], model: Any) -> QuerySet[Any]:
    of_the_bot = model.objects.filter(bot_id=OuterRef("pk")).order_by("-sent_at", "-id").values("pk")[:1]
    newest = Bot.objects.filter(pk__in=bot_ids).order_by().values(post=Subquery(of_the_bot))
    found: QuerySet[Any] = model.objects.filter(pk__in=newest).select_related("group", "person", "connector")
    return found


def _make_places(groups: list[str], newest: Any) -> BotPlaces:
    if newest is None:
        return BotPlaces(groups)
    return BotPlaces(groups, newest.sent_at, newest.group.name, str(newest.person))
