"""What can be told: the protocol's kinds of event, and one event. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from kaizala_console.api.fields import ApiEnum

if TYPE_CHECKING:
    from accounts.models import Person
    from connectors.models import Bot


class WebhookEventType(ApiEnum):
    """Wire protocol §6, Webhooks: Events."""

    ACTION_CREATED = "ActionCreated"
    ACTION_RESPONSE = "ActionResponse"
    SURVEY_CREATED = "SurveyCreated"
    SURVEY_RESPONSE = "SurveyResponse"
    JOB_CREATED = "JobCreated"
    JOB_RESPONSE = "JobResponse"
    POLL_CREATED = "PollCreated"
    POLL_RESPONSE = "PollResponse"
    LETS_MEET_CREATED = "LetsMeetCreated"
    LETS_MEET_RESPONSE = "LetsMeetResponse"
    TEXT_MESSAGE_CREATED = "TextMessageCreated"
    ATTACHMENT_CREATED = "AttachmentCreated"
    ANNOUNCEMENT = "Announcement"
    MEMBER_ADDED = "MemberAdded"
    MEMBER_REMOVED = "MemberRemoved"
    GROUP_ADDED = "GroupAdded"
    GROUP_REMOVED = "GroupRemoved"


class HandoffEvent(ApiEnum):
    """What a connector's own address is told (ADR 0070). Programs cannot ask for these: the console sets them."""

    WAITING = "HandoffWaiting"
    ENDED = "HandoffEnded"


class ObjectType(ApiEnum):
    """What a webhook can be set on. A group's webhook gets all events in that group, not those of groups under it."""

    GROUP = "Group"
    ACTION = "Action"
    ACTION_PACKAGE = "ActionPackage"


def package_name(package_id: str) -> str:
    """A package's id without the version that may stand behind it: `com.contoso.shift` of `com.contoso.shift.2`."""
    name, _dot, version = package_id.rpartition(".")
    return name if name and version.isascii() and version.isdecimal() else package_id


def package_names(package_id: str) -> dict[str, str]:
    """How `data` names the package of a card, if it is one's: with the version and without (ADR 0061)."""
    return {"actionPackageId": package_name(package_id), "packageId": package_id} if package_id else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a group. `data` is what the wire says of it, as JSON can.

    `person` is who did it, `bot` under which bot's name, if one. With `action_id` it reaches webhooks on that action
    too, with `package_id` those on that action package, with its version or without. With `only_for` (ids of people),
    only webhooks whose tokens carry the role of one of these people, or of an admin of the group, are told: for what
    not every member may read. `private` is a part of `data` that only tokens of the people `private_for` get, be
    others admins or not.
    """

    type: WebhookEventType
    group_id: UUID
    data: dict[str, Any]
    person: Person | None = None
    bot: Bot | None = None
    action_id: UUID | None = None
    package_id: str = ""
    only_for: frozenset[UUID] | None = None
    private: dict[str, Any] = field(default_factory=dict)
    private_for: frozenset[UUID] = frozenset()
