"""The nine permissions of the portal, and what scopes each is on the wire (protocol §5). Pure: knows no model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Permission(StrEnum):
    """The portal's permissions; the value is stored, the order is the portal's."""

    GROUP_INFORMATION = "groupinfo"
    GROUP_MEMBER_LIST = "groupmember"
    TEXT_MESSAGE = "textmessage"
    ACTION_AND_RESPONSES = "action"
    USER_PROFILE = "profile"
    MEDIA = "media"
    OUTGOING_WEBHOOKS = "webhook"
    TENANT_DATA = "tenant"
    REACTIONS = "reaction"


@dataclass(frozen=True, slots=True)
class Description:
    """How a permission is put to people: its portal label, and what it lets or does not let a connector do."""

    label: Promise
    can: Promise
    cannot: Promise
    why: Promise
    verbs: tuple[str, ...]


DESCRIPTIONS: dict[Permission, Description] = {
    Permission.GROUP_INFORMATION: Description(
        _("Group Information"),
        _("can read, create, change and remove groups and what they say about themselves"),
        _("cannot read or change groups"),
        _("To find the groups it works in, or to make sub-groups."),
        ("read", "write", "update", "remove"),
    ),
    Permission.GROUP_MEMBER_LIST: Description(
        _("Group Member List"),
        _("can read, add, change and remove members and subscribers"),
        _("cannot read members"),
        _("To know who is in a group, or to keep its members in step with a staff list."),
        ("read", "write", "update", "remove"),
    ),
    Permission.TEXT_MESSAGE: Description(
        _("Text Message"),
        _("can post messages"),
        _("cannot post messages"),
        _("To tell a group something in plain text."),
        ("read", "write"),
    ),
    Permission.ACTION_AND_RESPONSES: Description(
        _("Action & Responses"),
        _("can post polls, surveys, jobs and other actions, and read their responses"),
        _("cannot post actions or read responses"),
        _("To ask a group something and collect the answers."),
        ("read", "write", "update"),
    ),
    Permission.USER_PROFILE: Description(
        _("User Profile"),
        _("can read and change the profile of the person it acts for"),
        _("cannot read profiles"),
        _("To show or set the name and picture of the person it acts for."),
        ("read", "write"),
    ),
    Permission.MEDIA: Description(
        _("Media"),
        _("can upload and send pictures, documents, audio and video"),
        _("cannot send media"),
        _("To share files with a group."),
        ("read", "write"),
    ),
    Permission.OUTGOING_WEBHOOKS: Description(
        _("Outgoing Webhooks"),
        _("can be told at once when something happens in a group"),
        _("cannot subscribe to what happens in a group"),
        _("To react to messages and responses without asking again and again."),
        ("read", "write", "update", "remove"),
    ),
    Permission.TENANT_DATA: Description(
        _("Tenant Data"),
        _("can read and change every group of the organisation and its members, for an organisation admin"),
        _("cannot reach beyond its groups"),
        _("To keep the organisation's directory in step with another system."),
        ("read", "write", "remove"),
    ),
    Permission.REACTIONS: Description(
        _("Reactions"),
        _("can create and read likes and comments"),
        _("cannot read or create likes and comments"),
        _("To like or comment, or to count what others did."),
        ("read", "write"),
    ),
}

PERMISSIONS: tuple[Permission, ...] = tuple(Permission)
# These reach beyond the groups that a connector is added to: pages mark them as dangerous.
ORGANISATION_WIDE: frozenset[Permission] = frozenset({Permission.TENANT_DATA})
# What a token that acts as a bot is cut down to: a bot speaks, shows and reacts; it administers nothing (ADR 0056).
OF_BOTS: frozenset[Permission] = frozenset(
    {Permission.TEXT_MESSAGE, Permission.ACTION_AND_RESPONSES, Permission.MEDIA, Permission.REACTIONS}
)
ORDER: dict[Permission, int] = {permission: n for n, permission in enumerate(PERMISSIONS)}
SCOPES: dict[Permission, tuple[str, ...]] = {
    permission: tuple(f"{permission}.{verb}" for verb in DESCRIPTIONS[permission].verbs) for permission in PERMISSIONS
}
PERMISSION_OF: dict[str, Permission] = {scope: permission for permission, scopes in SCOPES.items() for scope in scopes}


def in_order(permissions: Iterable[Permission]) -> list[Permission]:
    """The permissions in the portal's order."""
    return sorted(permissions, key=ORDER.__getitem__)


def scopes_of(permissions: Iterable[Permission]) -> list[str]:
    """Every scope that these permissions stand for, in the order of protocol §5."""
    return [scope for permission in in_order(permissions) for scope in SCOPES[permission]]


def can_and_cannot(permissions: Iterable[Permission]) -> tuple[list[Promise], list[Promise]]:
    """Two columns of sentences for people: what a connector with these permissions can and cannot do."""
    held = frozenset(permissions)
    can = [DESCRIPTIONS[p].can for p in PERMISSIONS if p in held]
    cannot = [DESCRIPTIONS[p].cannot for p in PERMISSIONS if p not in held]
    return can, cannot


def listed(permissions: Iterable[Permission]) -> str:
    """For a hidden field of a form: what the person saw who presses its button."""
    return ",".join(in_order(permissions))


def unlisted(text: str) -> frozenset[Permission]:
    """What `listed` wrote; an unknown name is a page of another version, and none of the permissions."""
    return frozenset(permission for permission in PERMISSIONS if permission.value in text.split(","))
