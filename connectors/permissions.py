"""The nine permissions of the portal, and what scopes each is on the wire (protocol §5). Pure: knows no model."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


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
        _("Read, create, edit and delete groups and their details"),
        _("Read or change groups"),
        _("To find the groups it works in, or to create sub-groups."),
        ("read", "write", "update", "remove"),
    ),
    Permission.GROUP_MEMBER_LIST: Description(
        _("Group Member List"),
        _("Read, add, change and remove members and subscribers"),
        _("Read members"),
        _("To know who is in a group, or to sync members with a staff list."),
        ("read", "write", "update", "remove"),
    ),
    Permission.TEXT_MESSAGE: Description(
        _("Text Message"),
        _("Post messages"),
        _("Post messages"),
        _("To send plain text to a group."),
        ("read", "write"),
    ),
    Permission.ACTION_AND_RESPONSES: Description(
        _("Action & Responses"),
        _("Post polls, surveys, jobs and other actions, and read the responses"),
        _("Post actions or read responses"),
        _("To ask a group something and collect the answers."),
        ("read", "write", "update"),
    ),
    Permission.USER_PROFILE: Description(
        _("User Profile"),
        _("Read and change the profile of the person it acts for"),
        _("Read profiles"),
        _("To show or set the name and picture of the person it acts for."),
        ("read", "write"),
    ),
    Permission.MEDIA: Description(
        _("Media"),
        _("Upload and send pictures, documents, audio and video"),
        _("Send media"),
        _("To share files with a group."),
        ("read", "write"),
    ),
    Permission.OUTGOING_WEBHOOKS: Description(
        _("Outgoing Webhooks"),
        _("Get events of a group as they happen"),
        _("Get events of a group"),
        _("To react to messages and responses without polling."),
        ("read", "write", "update", "remove"),
    ),
    Permission.TENANT_DATA: Description(
        _("Tenant Data"),
        _("Read and change every group of the organisation and its members, for an organisation admin"),
        _("Reach groups beyond its own"),
        _("To sync the organisation’s directory with another system."),
        ("read", "write", "remove"),
    ),
    Permission.REACTIONS: Description(
        _("Reactions"),
        _("Create and read likes and comments"),
        _("Read or create likes and comments"),
        _("To like or comment, or to count likes and comments."),
        ("read", "write"),
    ),
}

VERBS: dict[str, Promise] = {
    "read": pgettext_lazy("scope", "read"),
    "write": pgettext_lazy("scope", "create"),
    "update": pgettext_lazy("scope", "change"),
    "remove": pgettext_lazy("scope", "remove"),
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
# An access token says by the place in this order what it was narrowed to: new scopes come last.
ALL_SCOPES: tuple[str, ...] = tuple(scope for permission in PERMISSIONS for scope in SCOPES[permission])
PERMISSION_OF: dict[str, Permission] = {scope: permission for permission, scopes in SCOPES.items() for scope in scopes}
_PLACE: dict[str, int] = {scope: place for place, scope in enumerate(ALL_SCOPES)}


def sort_permissions(permissions: Iterable[Permission]) -> list[Permission]:
    """The permissions in the portal's order."""
    return sorted(permissions, key=ORDER.__getitem__)


def to_stored(permissions: Iterable[Permission]) -> list[str]:
    """The permissions as an audit row keeps them."""
    return [str(permission) for permission in sort_permissions(permissions)]


def list_labels(permissions: Iterable[Permission]) -> list[str]:
    """The permissions as the portal calls them, in the active language."""
    return [str(DESCRIPTIONS[permission].label) for permission in sort_permissions(permissions)]


def list_scopes(permissions: Iterable[Permission]) -> list[str]:
    """Every scope that these permissions stand for, in the order of protocol §5."""
    return [scope for permission in sort_permissions(permissions) for scope in SCOPES[permission]]


@lru_cache(maxsize=4096)
def hold_scopes(allowed: frozenset[Permission], asked: str, most: frozenset[Permission], bits: int) -> tuple[str, ...]:
    """The scopes of `allowed` that were `asked` for (spaces between; "" is all) and that `most` holds, in that order.

    `bits` narrow them down once more.
    """
    wanted = (frozenset(asked.split()) if asked else PERMISSION_OF.keys()) & from_bits(bits)
    return tuple(scope for scope in list_scopes(allowed & most) if scope in wanted)


def get_permissions(held: Iterable[str]) -> frozenset[Permission]:
    """The permissions of which at least one scope is held."""
    return frozenset(PERMISSION_OF[scope] for scope in held)


def list_bot_scopes(held: Iterable[str]) -> list[str]:
    """Those of the scopes that a token keeps when it acts as a bot."""
    return [scope for scope in held if PERMISSION_OF[scope] in OF_BOTS]


def to_bits(held: Collection[str]) -> int:
    """A bit for each scope, as an access token carries them."""
    return sum(1 << place for place, scope in enumerate(ALL_SCOPES) if scope in held)


def from_bits(bits: int) -> frozenset[str]:
    """The scopes whose bits are set."""
    return frozenset(scope for place, scope in enumerate(ALL_SCOPES) if bits >> place & 1)


def parse_scopes(text: str) -> list[str]:
    """The scopes that a program names, in the order of protocol §5, and unknown ones after them.

    Spaces are between them (RFC 6749 §3.3), or commas, as the Token Service writes them.
    """
    named = text.replace(",", " ").split()
    return sorted(set(named), key=lambda scope: (_PLACE.get(scope, len(_PLACE)), scope))


def describe_permissions(permissions: Iterable[Permission]) -> tuple[list[Promise], list[Promise]]:
    """Two columns of sentences for people: what a connector with these permissions can and cannot do."""
    return describe_scopes(list_scopes(permissions))


def describe_scopes(held: Iterable[str]) -> tuple[list[Promise], list[Promise]]:
    """The same of scopes. What is held of a permission in part is named by its verbs, like "Media: read"."""
    verbs = _verbs_held(held)
    can = [
        DESCRIPTIONS[p].can if verbs[p] == DESCRIPTIONS[p].verbs else _label_with_verbs(p, verbs[p])
        for p in PERMISSIONS
        if verbs[p]
    ]
    return can, [DESCRIPTIONS[p].cannot for p in PERMISSIONS if not verbs[p]]


def list_scope_labels(held: Iterable[str]) -> list[str]:
    """The permissions as the portal calls them; of one that is held in part, with its verbs: "Media: read"."""
    verbs = _verbs_held(held)
    return [
        str(DESCRIPTIONS[p].label if verbs[p] == DESCRIPTIONS[p].verbs else _label_with_verbs(p, verbs[p]))
        for p in PERMISSIONS
        if verbs[p]
    ]


def _verbs_held(held: Iterable[str]) -> dict[Permission, tuple[str, ...]]:
    names = frozenset(held)
    return {p: tuple(verb for verb in DESCRIPTIONS[p].verbs if f"{p}.{verb}" in names) for p in PERMISSIONS}


def _label_with_verbs(permission: Permission, verbs: Iterable[str]) -> Promise:
    words = format_lazy(", ".join(["{}"] * len(tuple(verbs))), *(VERBS[verb] for verb in verbs))
    return format_lazy("{}: {}", DESCRIPTIONS[permission].label, words)


def to_form_value(permissions: Iterable[Permission]) -> str:
    """For a hidden field of a form: what the person saw who presses its button."""
    return ",".join(sort_permissions(permissions))


def from_form_value(text: str) -> frozenset[Permission]:
    """What `to_form_value` wrote; an unknown name is a page of another version, and none of the permissions."""
    return frozenset(permission for permission in PERMISSIONS if permission.value in text.split(","))
