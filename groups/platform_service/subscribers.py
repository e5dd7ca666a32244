"""Subscribers on the wire: `/v1/groups/{groupId}/subscribers` and below (wire protocol §6, Subscribers)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, WithJsonSchema

from connectors.authentication import operation
from connectors.hooks import RequiredRole
from groups import access
from groups.access import Role
from groups.models import Group
from groups.platform_service.members import Numbers
from groups.platform_service.users import to_wire
from groups.queries import groups
from groups.services import subscribers as services
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.fields import NO_BOOLEAN, Body, Query
from kaizala_console.api.request_body import read_shape
from kaizala_console.api.responses import Answer

MOST = 50

PageSize = Annotated[int, Field(ge=1, le=MOST), NO_BOOLEAN]


Cursor = Annotated[str, WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]*$", "maxLength": 4096})]


class Subscribers(Body):
    """Phone numbers in the form E.164."""

    subscribers: Numbers


class Page(Body):
    """`cursor` is what the page before has answered; without it, the first page is meant."""

    cursor: Cursor = ""
    count: PageSize = MOST


class PageQuery(Query):
    """As in the body of a POST."""

    cursor: Cursor = ""
    count: PageSize = MOST


class SubscriberAdded(Answer):
    """Whether this number is a subscriber now; `reason` when not."""

    is_added: bool
    reason: str = ""


class SubscribersAdded(Answer):
    """Each number as it was sent, and what became of it."""

    result: dict[str, SubscriberAdded]


class SubscriberRemoved(Answer):
    """Whether this number was taken off the subscribers; `reason` when not."""

    is_removed: bool
    reason: str = ""


class SubscribersRemoved(Answer):
    """Each number as it was sent, and what became of it."""

    result: dict[str, SubscriberRemoved]


class SubscriberDetails(Answer):
    """A subscriber of a group."""

    id: UUID
    mobile_number: str = Field(description="In the form E.164.")
    name: str
    profile_pic: str
    is_provisioned: bool = Field(description="Whether this phone number has ever verified itself.")


class SubscriberList(Answer):
    """Subscribers of a group. `cursor` is absent on the last page."""

    subscribers: list[SubscriberDetails]
    cursor: str = ""


@operation(
    scope="groupmember.write",
    body=Subscribers,
    response=SubscribersAdded,
    in_group=RequiredRole.ADMIN,
    summary="Add subscribers to a public group",
)
def add_subscribers(call: Call, group_id: str) -> dict[str, Any]:
    """Adds everybody whose number can be one. Who is a subscriber already stays one."""
    group = access.reach(call.caller, group_id, role=Role.ADMIN)
    done = services.add(group=group, numbers=call.body.subscribers, by=call.caller)
    refused = {failed.number: failed.reason for failed in done.failed}
    return _told("isAdded", {number: refused.get(number, "") for number in call.body.subscribers})


@operation(
    scope="groupmember.remove",
    body=Subscribers,
    response=SubscribersRemoved,
    in_group=RequiredRole.ADMIN,
    summary="Remove subscribers from a public group",
)
def remove_subscribers(call: Call, group_id: str) -> dict[str, Any]:
    """Removes everybody who is a subscriber; of the others it says that they are none."""
    group = access.reach(call.caller, group_id, role=Role.ADMIN)
    return _told("isRemoved", services.remove(group=group, numbers=call.body.subscribers, by=call.caller))


@operation(
    scope="groupmember.read", body=Page, response=SubscriberList, summary="List the subscribers of a public group"
)
def page_subscribers(call: Call, group_id: str) -> dict[str, Any]:
    """Answers with a page of subscribers, those who subscribed first at the top."""
    return _to_list_item(access.reach(call.caller, group_id), call.body.cursor, call.body.count)


@operation(
    scope="groupmember.read", query=PageQuery, response=SubscriberList, summary="List the subscribers of a public group"
)
def list_subscribers(call: Call, group_id: str) -> dict[str, Any]:
    """As POST does: for old programs, which sent nothing, or the body of the POST (ADR 0061)."""
    sent: Any = read_shape(call.request, Page, form=False)
    page = sent if sent.model_fields_set else call.query
    return _to_list_item(access.reach(call.caller, group_id), page.cursor, page.count)


def _to_list_item(group: Group, cursor: str, count: int) -> dict[str, Any]:
    services.require_public(group)
    page = groups.subscriber_page(group, cursor=cursor, size=count)
    rows = [to_wire(row.person) | {"isProvisioned": row.person.provisioned_at is not None} for row in page.items]
    return {"subscribers": rows, **({"cursor": page.next_cursor} if page.next_cursor else {})}


def _told(done: str, told: Mapping[str, str]) -> dict[str, Any]:
    return {
        "result": {
            number: {done: False, "reason": reason} if reason else {done: True} for number, reason in told.items()
        }
    }


subscribers = resource(GET=list_subscribers, POST=page_subscribers)
add = resource(PUT=add_subscribers)
remove = resource(PUT=remove_subscribers)
