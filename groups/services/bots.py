"""Which bots post in a group: added, and taken out again (ADR 0056)."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import User
from connectors.authentication import AccessContext
from connectors.models import Bot
from connectors.models.bot import BotQuerySet
from connectors.services.bots import MOST_BOTS
from groups import access
from groups.models import Group, GroupBot
from groups.queries import bots as bot_queries
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotFound, RuleBroken


@transaction.atomic
def add(*, group: Group, bot_ids: Iterable[str | UUID], by: AccessContext | User) -> None:
    """Let these bots post in the group; those that are in it already stay in it.

    A program adds those of its own connector, an admin of the group those of the connectors that have access to it.
    All or none: raises NotFound, the same for another connector's bot and for none, and RuleBroken for no bot at all,
    or more than a connector has.
    """
    asked = list(dict.fromkeys(bot_ids))
    if not asked or len(asked) > MOST_BOTS:
        raise RuleBroken(
            _("botIds must name one to %(most)d bots.") % {"most": MOST_BOTS}, field="botIds", code="bot_ids"
        )
    read = [ids.parse_guid(text) for text in asked]
    keys = {key for key in read if key is not None}
    # Locked, in one order: whoever deletes one of them, or adds them too, waits.
    bots = _filter_usable(by, group, Bot.objects.present()).select_for_update(of=("self",)).select_related("connector")
    found = list(bots.filter(pk__in=keys).order_by("pk"))
    if len(found) < len(keys) or None in read:
        raise NotFound(_("botIds: one of these is no bot of this connector. None was added."))
    present = set(GroupBot.objects.filter(group=group, bot__in=found).values_list("bot_id", flat=True))
    new = [bot for bot in found if bot.pk not in present]
    GroupBot.objects.bulk_create([GroupBot(group=group, bot=bot) for bot in new])
    for bot in new:
        _record_event(EventType.GROUP_BOT_ADDED, group, bot, by)


@transaction.atomic
def remove(*, group: Group, bot_id: str | UUID, by: AccessContext | User) -> None:
    """Take a bot out of the group: its tokens do not reach it any more. Raises NotFound.

    A program takes out the bots of its own connector, an admin of the group any.
    """
    key = ids.parse_guid(bot_id)
    rows = GroupBot.objects.select_for_update(of=("self",)).select_related("bot__connector")
    if isinstance(by, User):
        access.require_admin(by, group.pk)
    else:
        rows = rows.filter(bot__connector_id=by.connector.pk)
    row = None if key is None else rows.filter(group=group, bot_id=key).first()
    if row is None:
        raise NotFound(_("There is no such bot of this connector in this group."))
    bot = row.bot
    row.delete()
    _record_event(EventType.GROUP_BOT_REMOVED, group, bot, by)


def _filter_usable(by: AccessContext | User, group: Group, bots: BotQuerySet) -> BotQuerySet:
    if isinstance(by, User):
        access.require_admin(by, group.pk)
        return bot_queries.filter_with_access(group.pk, bots)
    return bots.filter(connector_id=by.connector.pk)


def _record_event(tag: EventType, group: Group, bot: Bot, by: AccessContext | User) -> None:
    record(
        tag,
        by=by,
        subject=bot,
        **group.audit_scope,
        connector_id=bot.connector_id,
        after={"group": group.name, "bot": bot.name, "connector": bot.connector.name},
    )
