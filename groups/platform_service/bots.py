"""Bots on the wire (wire protocol §6, Bots; ADR 0056)."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field

from connectors.authentication import operation
from connectors.hooks import RequiredRole
from connectors.models import Bot
from connectors.services import bots as services
from connectors.services.connectors import LONGEST_NAME
from groups import access
from groups.action_types.base import to_list
from groups.services import bots as group_bots
from groups.services import media
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.fields import Body, Id, PictureUrl, Text, named
from kaizala_console.api.responses import Answer, EpochMs, Scopes
from kaizala_console.lib import clock

Name = Annotated[Text, Field(json_schema_extra={"maxLength": LONGEST_NAME})]  # counted without needless blanks


class NewBot(Body):
    """`profilePic` is a web address."""

    name: Name
    profile_pic: PictureUrl = ""


class ChangedBot(Body):
    """Fields that are left out stay the same."""

    name: Name | None = None
    profile_pic: PictureUrl | None = None


class BotIds(Body):
    """Bots of the connector."""

    bot_ids: Annotated[list[Id], Field(min_length=1, max_length=services.MOST_BOTS), BeforeValidator(to_list)] = named(
        "botIds", "botUserId"
    )


class BotDetails(Answer):
    """A bot. `botUserId` is its ID once more."""

    id: UUID
    bot_user_id: UUID
    name: str
    profile_pic: str


class BotList(Answer):
    """The connector's bots."""

    bots: list[BotDetails]


class BotAccessToken(Answer):
    """A token that acts as the bot, in the groups that the bot was added to."""

    access_token: str
    access_token_expiry: EpochMs
    scope: Scopes


class Done(Answer):
    """It was done."""

    result: bool = Field(description="Always true.")


@operation(scope="textmessage.write", body=NewBot, response=BotDetails, summary="Make a bot")
def create_bot(call: Call) -> dict[str, str]:
    """Makes a bot of the connector, under which it can post."""
    body, by = call.body, call.caller
    with media.resolve_address(body.profile_pic, caller=by, field="profilePic") as picture:
        made = services.create(connector=by.connector, name=body.name, picture_url=picture or "", by=by)
    return _to_wire(made)


@operation(scope="textmessage.read", response=BotList, summary="List the connector's bots")
def list_bots(call: Call) -> dict[str, Any]:
    """Answers with the bots of the connector, the oldest first."""
    return {"bots": [_to_wire(bot) for bot in services.list_bots(by=call.caller)]}


@operation(scope="textmessage.write", body=ChangedBot, response=BotDetails, summary="Change a bot")
def change_bot(call: Call, bot_id: str) -> dict[str, str]:
    """Changes the bot's name or picture, or both."""
    body, by = call.body, call.caller
    with media.resolve_address(body.profile_pic, caller=by, field="profilePic") as picture:
        changed = services.change(connector=by.connector, bot_id=bot_id, name=body.name, picture_url=picture, by=by)
    return _to_wire(changed)


@operation(scope="textmessage.write", response=Done, summary="Delete a bot")
def delete_bot(call: Call, bot_id: str) -> dict[str, bool]:
    """Deletes the bot; its tokens are refused from now on, and what it has posted stays."""
    services.remove(connector=call.caller.connector, bot_id=bot_id, by=call.caller)
    return {"result": True}


@operation(scope="textmessage.write", response=BotAccessToken, summary="Get a token that acts as a bot")
def get_bot_access_token(call: Call, bot_id: str) -> dict[str, Any]:
    """Answers with an access token for 24 hours, which posts under the bot's name."""
    made = services.access_token(bot_id=bot_id, by=call.caller)
    return {
        "accessToken": made.access_token,
        "accessTokenExpiry": clock.epoch_ms(made.expires_at),
        "scope": ",".join(made.scopes),
    }


@operation(
    scope="groupinfo.update", body=BotIds, response=Done, in_group=RequiredRole.ADMIN, summary="Add bots to a group"
)
def add_bots_to_group(call: Call, group_id: str) -> dict[str, bool]:
    """Adds bots of the connector to the group; those that are in it already stay."""
    group = access.reach(call.caller, group_id, role=access.Role.ADMIN)
    group_bots.add(group=group, bot_ids=call.body.bot_ids, by=call.caller)
    return {"result": True}


@operation(scope="groupinfo.update", response=Done, in_group=RequiredRole.ADMIN, summary="Take a bot out of a group")
def remove_bot_from_group(call: Call, group_id: str, bot_id: str) -> dict[str, bool]:
    """Takes the bot out of the group: its tokens do not reach it from now on. (An addition of ours.)"""
    group = access.reach(call.caller, group_id, role=access.Role.ADMIN)
    group_bots.remove(group=group, bot_id=bot_id, by=call.caller)
    return {"result": True}


def _to_wire(bot: Bot) -> dict[str, str]:
    return {"id": str(bot.pk), "botUserId": str(bot.pk), "name": bot.name, "profilePic": bot.picture_url}


bots = resource(GET=list_bots, POST=create_bot)
bot = resource(PUT=change_bot, DELETE=delete_bot)
access_token = resource(GET=get_bot_access_token)
bots_of_group = resource(PUT=add_bots_to_group, POST=add_bots_to_group)
group_bot = resource(DELETE=remove_bot_from_group)
