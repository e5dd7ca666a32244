"""Actions on the wire: posting, listing, reading, answering (wire protocol §6, Actions; ADR 0052)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from itertools import chain, islice
from operator import or_
from typing import Annotated, Any, Final
from uuid import UUID

from django.http import HttpResponseBase, StreamingHttpResponse
from pydantic import ConfigDict, Field, WithJsonSchema

from connectors.authentication import AccessContext, operation
from connectors.hooks import RequiredRole
from groups import access, action_types
from groups.action_types.base import ViewedAction, format_moment
from groups.action_types.survey import MOST_PROPERTIES, Property
from groups.models import Action, Group
from groups.platform_service import messages
from groups.platform_service.messages import FailedSubscriber
from groups.queries import actions as action_queries
from groups.queries.actions import ViewedResponse, Viewer
from groups.services import actions as services
from kaizala_console.api import responses as responses_api
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.fields import NO_NUMBER, Body, EpochMs, PhoneNumber, Query, describe, described_as, named
from kaizala_console.api.responses import Answer
from kaizala_console.lib import clock

DEFAULT_COUNT: Final = 30
MOST: Final = 100
# So many responses are answered at once; more are sent as they are read from the table.
AT_ONCE: Final = 1000
_SECONDS_BELOW: Final = 10**11  # as milliseconds, 1973: programs hand `creationTime` back, which is in seconds


_KINDS: Final = action_types.all_types()
_SHAPES: Final[dict[Any, None]] = dict.fromkeys(kind.shape for kind in _KINDS)
_PACKAGE: Final = {"type": "string", "pattern": f"^{action_types.PACKAGE_ID}$"}
_BY_TYPE: Final = {
    "anyOf": [
        {"type": "string", "enum": list(action_types.list_names())},
        {
            "type": "string",
            "pattern": r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}\.[A-Za-z0-9._-]{0,99}$",
            "description": "The id of an action package, with a dot in it.",
        },
    ]
}
ActionType = Annotated[str, NO_NUMBER, WithJsonSchema(_BY_TYPE)]
PackageId = Annotated[str, NO_NUMBER, WithJsonSchema(_PACKAGE)]


def _describe_kinds(schema: dict[str, Any], shape: type[Any]) -> None:
    """One alternative for each kind of body: the values of `actionType` that it goes with."""
    bodies = dict(zip(_SHAPES, schema["properties"]["actionBody"]["anyOf"], strict=True))
    for name in ("actionType", "id", "actionBody"):
        del schema["properties"][name]
    describe(schema, shape)
    schema["anyOf"] = [
        {
            "description": ", ".join(kinds) or "An action package",
            "properties": {**chosen, "actionBody": bodies[each]},
            "required": [*chosen, "actionBody"],
        }
        for each in _SHAPES
        for kinds in [[kind.kind.value for kind in _KINDS if kind.shape is each and kind.kind != Action.Kind.PACKAGE]]
        for chosen in [{"actionType": {"type": "string", "enum": kinds}} if kinds else {"id": _PACKAGE}]
    ]


class NewAction(Body):
    """`actionType`, or `id` of an action package. Subscribers are for managed public groups, and for admins' tokens."""

    action_type: ActionType = ""
    id: PackageId = named("id", "packageId", default="")
    action_body: Annotated[Any, described_as(reduce(or_, _SHAPES))] = None
    send_to_all_subscribers: bool = False
    subscribers: list[PhoneNumber] = []

    model_config = ConfigDict(json_schema_extra=_describe_kinds)


class ActionPosted(Answer):
    """Which action was posted. `actionId` (the same id) for those that take responses."""

    reference_id: UUID
    action_id: UUID | None = None
    failed_result: list[FailedSubscriber] = Field(default=[], description="Chosen subscribers who are none.")


class Listing(Query):
    """`fromDate`: those that were sent then or later, the first ones of them; without it, the last ones."""

    action_type: ActionType = ""
    id: PackageId = named("id", "packageId", default="")
    from_date: EpochMs | None = None
    count: Annotated[int, Field(ge=1, le=2**31 - 1)] = DEFAULT_COUNT


class Detail(Query):
    """`getDetails` adds the responses."""

    get_details: bool = False


_listed: Any = reduce(or_, dict.fromkeys(kind.listed for kind in action_types.all_types()))
_detailed: Any = reduce(or_, dict.fromkeys(kind.detailed for kind in action_types.all_types()))


class ListedAction(Answer):
    """One action. `sentAt` in ISO 8601, `creationTime` in seconds since 1970; both are when it was sent."""

    reference_id: UUID
    action_type: str = Field(description="Or the id of the action package.")
    sender: str = Field(description="The sender's phone number, or the bot's name.")
    sent_at: str
    creation_time: int
    action_body: _listed


class ActionList(Answer):
    """Actions in the order in which they were sent."""

    actions: list[ListedAction]
    has_more: bool


class ActionDetails(Answer):
    """One action."""

    action_type: str
    action_details: _detailed
    sender: str
    sent_at: str


@operation(
    scope="action.write",
    body=NewAction,
    response=ActionPosted,
    example={
        "actionType": "Poll",
        "actionBody": {
            "question": "Who can take the night shift?",
            "choices": [{"title": "I can"}, {"title": "Not this week"}],
            "expiryInHours": 48,
        },
    },
    in_group=RequiredRole.POST,
    summary="Post an action",
)
def post_action(call: Call, group_id: str) -> dict[str, Any]:
    """Posts in the name of the token's user. In a managed public group, only an admin's token posts."""
    group = _to_post_in(call, group_id)
    subscribers, failed = messages.split_subscribers(
        group, call.body.subscribers, to_all=call.body.send_to_all_subscribers
    )
    action = services.post(
        group=group,
        action_type=call.body.action_type,
        package_id=call.body.id,
        body=call.body.action_body,
        person=call.caller.person,
        caller=call.caller,
        connector=call.caller.connector,
        bot=call.caller.bot,
        to_all_subscribers=call.body.send_to_all_subscribers,
        subscribers=subscribers,
        by=call.caller,
    )
    answer: dict[str, Any] = {"referenceId": str(action.pk)}
    if action_types.get_type(action.kind).has_action_id:
        answer["actionId"] = str(action.pk)
    return answer | failed


@operation(scope="action.read", query=Listing, response=ActionList, summary="List the actions of a group")
def list_actions(call: Call, group_id: str) -> dict[str, Any]:
    """Answers with at most 100 actions, in the order in which they were sent; `hasMore` tells of others."""
    group = access.reach(call.caller, group_id)
    kind, package = None, ""
    if call.query.action_type or call.query.id:
        found, package = action_types.choose_type(call.query.action_type, call.query.id)
        kind = found.kind
    since = call.query.from_date
    if since is not None and 0 < clock.epoch_ms(since) < _SECONDS_BELOW:
        since = clock.from_epoch_ms(clock.epoch_ms(since) * 1000)
    cards, more = action_queries.list_actions(
        group,
        viewer(group, call.caller),
        kind=kind,
        package_id=package,
        since=since,
        count=min(call.query.count, MOST),
    )
    return {
        "actions": [
            {
                "referenceId": str(card.action.pk),
                "actionType": card.action.type_on_the_wire,
                "sender": _sender(card.action),
                "sentAt": format_moment(card.action.sent_at),
                "creationTime": clock.epoch_ms(card.action.sent_at) // 1000,
                "actionBody": action_types.get_type(card.action.kind).list_body(card),
            }
            for card in cards
        ],
        "hasMore": more,
    }


@operation(scope="action.read", query=Detail, response=ActionDetails, summary="Read an action")
def read_action(call: Call, group_id: str, action_id: str) -> dict[str, Any] | HttpResponseBase:
    """Answers with an action, and with its responses when `getDetails` is true: with all of them, however many.

    Of one that is for its sender only, others get their own response alone; of an anonymous one, nobody learns who
    responded.
    """
    group = access.reach(call.caller, group_id)
    looking = viewer(group, call.caller)
    card = action_queries.get_action(group, action_id, looking)
    kind = action_types.get_type(card.action.kind)
    answer: dict[str, Any] = {
        "actionType": card.action.type_on_the_wire,
        "actionDetails": kind.details(card),
        "sender": _sender(card.action),
        "sentAt": format_moment(card.action.sent_at),
    }
    if not call.query.get_details or not kind.takes_answers or call.request.method == "HEAD":
        return answer
    responses = (to_wire(card, each) for each in action_queries.iterate_responses(card, looking))
    first = list(islice(responses, AT_ONCE + 1))
    if len(first) <= AT_ONCE:
        answer["actionDetails"]["responses"] = first
        return answer
    return StreamingHttpResponse(_streamed(answer, chain(first, responses)), content_type=responses_api.CONTENT_TYPE)


def to_wire(card: ViewedAction, answered: ViewedResponse) -> dict[str, Any]:
    """One response with the protocol's spellings."""
    person = answered.person
    if person is None or answered.responded_at is None:
        return answered.body
    role = "assignee" if card.action.kind == Action.Kind.JOB else "responder"
    return {
        "responseId": str(answered.id),
        role: person.number,
        f"{role}Name": person.name,
        f"{role}ProfilePic": person.picture_url,
        "respondedAt": format_moment(answered.responded_at),
        **answered.body,
    }


def viewer(group: Group, caller: AccessContext) -> Viewer:
    """Who looks, for a group that `access` has given this caller."""
    return Viewer.of(group, [caller.person.pk])


def _streamed(answer: dict[str, Any], responses: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """The answer in JSON, with the responses at the end of its `actionDetails`, a few hundred at a time."""
    details = answer.pop("actionDetails")
    yield (
        responses_api.encode(answer)[:-1]
        + b',"actionDetails":'
        + responses_api.encode(details)[:-1]
        + b',"responses":['
    )
    lead = b""
    while some := list(islice(responses, 200)):
        yield lead + b",".join(map(responses_api.encode, some))
        lead = b","
    yield b"]}}"


def _sender(action: Action) -> str:
    return action.bot.name if action.bot is not None else action.person.number


def _to_post_in(call: Call, group_id: str) -> Group:
    """The group, when this token may post there: a plain one as a member, a managed public one as an admin."""
    group = access.reach(call.caller, group_id)
    if group.group_type == Group.Type.CONNECT:
        return access.reach(call.caller, group_id, role=access.Role.ADMIN)
    return group


# The properties of an action on the wire: `PUT …/actions/{actionId}/properties`, or of the action (ADR 0061).


class ChangedProperties(Body):
    """Properties by name: those of the same name are replaced, others are added, the rest stay."""

    action_properties: Annotated[list[Property], Field(min_length=1, max_length=MOST_PROPERTIES)] = named(
        "actionProperties", "updateProperties"
    )


class PropertiesChanged(Answer):
    """Which action it was."""

    reference_id: UUID
    action_id: UUID


@operation(
    scope="action.update",
    body=ChangedProperties,
    response=PropertiesChanged,
    summary="Change the properties of an action",
)
def change_properties(call: Call, group_id: str, action_id: str) -> dict[str, str]:
    """Of a survey or an action of a package. Only who posted it and admins of the group may do so."""
    group = access.reach(call.caller, group_id)
    action = action_queries.get_action(group, action_id, viewer(group, call.caller)).action
    services.change_properties(action=action, properties=call.body.action_properties, by=call.caller)
    return {"referenceId": str(action.pk), "actionId": str(action.pk)}


@operation(
    scope="action.update",
    body=ChangedProperties,
    response=PropertiesChanged,
    summary="Change an action",
)
def change_action(call: Call, group_id: str, action_id: str) -> dict[str, str]:
    """Its properties, as `…/properties` does."""
    answer: dict[str, str] = change_properties(call, group_id=group_id, action_id=action_id)
    return answer


actions = resource(GET=list_actions, POST=post_action)
action = resource(GET=read_action, PUT=change_action)
properties = resource(PUT=change_properties)
