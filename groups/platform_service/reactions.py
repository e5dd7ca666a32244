"""Reactions on the wire (wire protocol §6, Reactions; ADR 0056)."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field, WithJsonSchema

from connectors.authentication import operation
from groups import access
from groups.models import Group, Reaction
from groups.queries import reactions
from groups.queries.reactions import ReactionCounts
from groups.services import reactions as services
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.errors import InvalidParameters
from kaizala_console.api.fields import ApiEnum, Body, Id, OptionalId, Query, describe
from kaizala_console.api.responses import Answer, EpochMs
from kaizala_console.lib import clock, ids

_MICROSECONDS = "^(?:[0-9]{0,17}|[01][0-9]{17}|2[0-4][0-9]{16})$"  # up to the last year that there is
Cursor = Annotated[str, WithJsonSchema({"type": "string", "pattern": _MICROSECONDS})]


class ReactionType(ApiEnum):
    LIKE = "Like"
    COMMENT = "Comment"


def _describe_comment(schema: dict[str, Any], shape: type[Any]) -> None:
    """It is looked at when there is one."""
    describe(schema, shape)
    schema["anyOf"] = [
        {"properties": {"reactionType": {"type": "string", "enum": [ReactionType.LIKE.value]}}},
        {
            "properties": {
                "reactionType": {"type": "string", "enum": [ReactionType.COMMENT.value]},
                "comment": {"type": "string", "pattern": r"\S", "maxLength": Reaction.MAX_COMMENT},
            },
            "required": ["comment"],
        },
    ]


class NewReaction(Body):
    """`sourceGroupId` is the group in which the message or action stands, when it is not that of the path: one above or
    below it. `comment` counts for a `Comment` alone.
    """

    reference_id: Annotated[Id, Field(pattern=r"\S")]
    source_group_id: OptionalId = ""
    reaction_type: ReactionType
    comment: str = ""

    model_config = ConfigDict(json_schema_extra=_describe_comment)


class Source(Query):
    """`sourceGroupId` as in the body."""

    source_group_id: OptionalId = ""


class SummaryListing(Source):
    """`cursor` is that of the page before, or any that was kept; 0, or none, begins with the oldest."""

    cursor: Cursor = ""


class DetailListing(SummaryListing):
    """Without `reactionType`, likes and comments."""

    reaction_type: ReactionType | None = None


class Reacted(Answer):
    """The reaction: the one that was there, when the same user likes it again."""

    reaction_id: UUID


class CountsByKind(Answer):
    """How many."""

    like: int
    comment: int


class ReactionSummary(Answer):
    """The counts of one message or action."""

    reference_id: UUID
    reactions_count_map: CountsByKind


_CURSOR = Field(description="To go on from; 0 on a page with nothing on it.", json_schema_extra={"format": "int64"})


class ReactionSummaries(Answer):
    """What was reacted to, whatever changed longest ago first."""

    cursor: int = _CURSOR
    summary: list[ReactionSummary]


class ReactionDetail(Answer):
    """One reaction. `userId` is a member's id, or a bot's; `comment` is empty for a like."""

    reaction_id: UUID
    user_id: UUID
    last_modified_time: EpochMs
    comment: str


class ReactionDetails(Answer):
    """Reactions to one message or action, the oldest first."""

    cursor: int = _CURSOR
    reaction_details: list[ReactionDetail]


@operation(scope="reaction.write", body=NewReaction, response=Reacted, summary="Like or comment")
def react(call: Call, group_id: str) -> dict[str, str]:
    """Reacts in the name of the token's user. A second like is the same like."""
    body = call.body
    group = access.reach_source(call.caller, group_id, body.source_group_id)
    reference_id = ids.parse_guid(body.reference_id)
    if reference_id is None:
        raise InvalidParameters("referenceId: expected a GUID, the id of a message or an action.", field="referenceId")
    reaction = services.react(
        group=group, reference_id=reference_id, kind=body.reaction_type, comment=body.comment, by=call.caller
    )
    return {"reactionId": str(reaction.pk)}


@operation(scope="reaction.read", query=Source, response=ReactionSummaries, summary="Count the reactions to one")
def summarise_one(call: Call, group_id: str, reference_id: str) -> dict[str, Any]:
    """Answers with the counts of one message or action, zeros included; there is nothing to go on from."""
    key = _seen(call, access.reach_source(call.caller, group_id, call.query.source_group_id), reference_id)
    counts = reactions.get_counts([key])
    return {"cursor": 0, "summary": [_to_wire(key, counts.get(key, ReactionCounts()))]}


@operation(scope="reaction.read", query=SummaryListing, response=ReactionSummaries, summary="Count a group's reactions")
def summarise_group(call: Call, group_id: str) -> dict[str, Any]:
    """Answers with the counts of what was reacted to since the cursor."""
    group = access.reach_source(call.caller, group_id, call.query.source_group_id)
    page, cursor = reactions.summary_page(group, call.caller.person, call.query.cursor)
    return {"cursor": cursor, "summary": [_to_wire(reference_id, counts) for reference_id, counts in page]}


@operation(scope="reaction.read", query=DetailListing, response=ReactionDetails, summary="List the reactions to one")
def list_reactions(call: Call, group_id: str, reference_id: str) -> dict[str, Any]:
    """Answers with the likes and comments on one message or action since the cursor."""
    key = _seen(call, access.reach_source(call.caller, group_id, call.query.source_group_id), reference_id)
    page, cursor = reactions.detail_page(key, call.query.reaction_type, call.query.cursor)
    return {
        "cursor": cursor,
        "reactionDetails": [
            {
                "reactionId": str(detail.reaction_id),
                "userId": str(detail.user_id),
                "lastModifiedTime": clock.epoch_ms(detail.modified_at),
                "comment": detail.comment,
            }
            for detail in page
        ],
    }


def _seen(call: Call, group: Group, reference_id: str) -> UUID:
    return reactions.require_seen(group, ids.parse_guid(reference_id), call.caller.person)


def _to_wire(reference_id: UUID, counts: ReactionCounts) -> dict[str, Any]:
    return {
        "referenceId": str(reference_id),
        "reactionsCountMap": {"like": counts.like, "comment": counts.comment},
    }


reaction = resource(POST=react)
group_summary = resource(GET=summarise_group)
summary = resource(GET=summarise_one)
details = resource(GET=list_reactions)
