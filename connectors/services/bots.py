"""Bots: the names under which a connector posts, and the access tokens that act as one (ADR 0056)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import User
from accounts.services import people
from connectors import permissions, policies, token_format
from connectors.authentication import AccessContext
from connectors.models import Bot, Connector, RefreshToken
from connectors.permissions import Permission
from connectors.services import connectors
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import NotAllowed, NotFound, RuleBroken

MOST_BOTS = 50


@dataclass(frozen=True, slots=True)
class BotToken:
    """What a program gets to act as a bot."""

    access_token: str = field(repr=False)
    expires_at: dt.datetime
    scopes: tuple[str, ...]


@transaction.atomic
def create(
    *, connector: Connector, name: str, picture_url: str, by: AccessContext | User, bot_id: UUID | None = None
) -> Bot:
    """A new bot, made by the connector's own program or by one of its owners. With `bot_id`, twice is once.

    Raises RuleBroken for a name or a picture that cannot be, and for one bot too many; NotAllowed for a bot's token,
    and for a connector that may not post; NotFound for who is neither.
    """
    _require_manager(connector, by)
    if Permission.TEXT_MESSAGE not in connector.permissions:
        raise NotAllowed(_("This connector may not post messages, so it has no use for bots."))
    name = _checked_name(name)
    picture_url = people.checked_picture_url(picture_url, field="profilePic")
    # Two at once take turns, so that both do not find room for the last one.
    connector = Connector.objects.get_locked(connector.pk)
    if bot_id is not None and (there := Bot.objects.filter(connector=connector, pk=bot_id).first()):
        return there
    if Bot.objects.present().filter(connector=connector).count() >= MOST_BOTS:
        raise RuleBroken(
            _("A connector has %(most)d bots at the most. Delete one that is not needed any more.")
            % {"most": MOST_BOTS},
            code="too_many_bots",
        )
    bot = Bot.objects.create(id=bot_id or ids.new_id(), connector=connector, name=name, picture_url=picture_url)
    _record_event(EventType.BOT_CREATED, bot, by)
    return bot


@transaction.atomic
def change(
    *, connector: Connector, bot_id: str | UUID, name: str | None, picture_url: str | None, by: AccessContext | User
) -> Bot:
    """Give it another name or picture; None leaves it as it is. What it has posted shows the new ones.

    Raises as `create`, and NotFound for a bot that is not the connector's, and for none: the same answer.
    """
    _require_manager(connector, by)
    bot = _own(bot_id, connector, locked=True)
    before = {"bot": bot.name, "picture_url": bot.picture_url}
    if name is not None:
        bot.name = _checked_name(name)
    if picture_url is not None:
        bot.picture_url = people.checked_picture_url(picture_url, field="profilePic")
    if before != {"bot": bot.name, "picture_url": bot.picture_url}:
        bot.save(update_fields=["name", "picture_url"])
        _record_event(EventType.BOT_CHANGED, bot, by, before)
    return bot


@transaction.atomic
def remove(*, connector: Connector, bot_id: str | UUID, by: AccessContext | User) -> None:
    """Delete it: its tokens are refused from now on. What it has posted keeps its name. Raises as `change`."""
    _require_manager(connector, by)
    bot = _own(bot_id, connector, locked=True)
    bot.removed_at = clock.now()
    bot.save(update_fields=["removed_at"])
    _record_event(EventType.BOT_REMOVED, bot, by)


def list_bots(*, by: AccessContext) -> list[Bot]:
    """The bots of the caller's connector, the oldest first. Raises NotAllowed for a bot's token."""
    _require_no_bot(by)
    return list(Bot.objects.present().filter(connector_id=by.connector.pk))


def access_token(*, bot_id: str, by: AccessContext) -> BotToken:
    """A token that acts as the bot: under the caller's own grant, and never beyond its end. Raises as `change`.

    It has no row, as all access tokens (ADR 0006): that a bot was deleted or taken out of a group, or that a grant has
    ended, is felt by its very next call.
    """
    _require_no_bot(by)
    bot = _own(bot_id, by.connector)
    ends = [clock.now() + dt.timedelta(hours=settings.ACCESS_TOKEN_HOURS), by.grant.ends_at]
    ends.append(RefreshToken.objects.values_list("expires_at", flat=True).get(pk=by.refresh_token_id))
    # Cut to the millisecond that the wire can tell.
    expires_at = clock.from_epoch_ms(clock.epoch_ms(min(end for end in ends if end is not None)))
    token = token_format.mint_access_token(
        refresh_token_id=by.refresh_token_id,
        grant_id=by.grant.pk,
        generation=by.connector.token_generation,
        expires_at=expires_at,
        bot_id=bot.pk,
        scope_bits=by.grant.scope_bits,
    )
    return BotToken(token, expires_at, tuple(permissions.list_bot_scopes(by.grant.held_scopes())))


# Pieces ---------------------------------------------------------------------------------------------------------------


def _require_no_bot(by: AccessContext) -> None:
    """Otherwise a leaked bot token could be prolonged for ever, or make others."""
    if by.bot is not None:
        raise NotAllowed(_("This is a bot's token. Bots are managed with the connector's own access token."))


def _require_manager(connector: Connector, by: AccessContext | User) -> None:
    if isinstance(by, User):
        policies.require_owner(by, connector)
        return
    _require_no_bot(by)
    if by.connector.pk != connector.pk:
        raise NotFound


def _own(bot_id: str | UUID, connector: Connector, *, locked: bool = False) -> Bot:
    bots = Bot.objects.select_for_update() if locked else Bot.objects.all()
    key = ids.parse_guid(bot_id)
    bot = None if key is None else bots.present().filter(pk=key, connector_id=connector.pk).first()
    if bot is None:
        raise NotFound(_("There is no such bot of this connector."))
    bot.connector = connector
    return bot


def _record_event(tag: EventType, bot: Bot, by: AccessContext | User, before: dict[str, str] | None = None) -> None:
    after = {"connector": bot.connector.name, "bot": bot.name, "picture_url": bot.picture_url}
    record(tag, by=by, subject=bot, **bot.connector.audit_scope, before=before, after=after)


def _checked_name(name: str) -> str:
    return connectors.check_name(name, missing=_("Give the bot a name."))
