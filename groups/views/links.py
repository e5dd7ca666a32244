"""The frame that the pages of one group share: its tabs with counts, and the way back."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from connectors.views.links import crumbs, get_choice, list_chips, make_select, pagination_links, url_with
from groups import access
from groups.models import Group
from groups.queries import groups

__all__ = [
    "FROM_PERSON",
    "PLACE",
    "came_from_person",
    "crumbs",
    "for_admin",
    "for_member",
    "frame",
    "get_choice",
    "group_crumbs",
    "is_admin",
    "list_chips",
    "make_select",
    "pagination_links",
    "url_with",
    "users_place",
]

# Where somebody is in the list of users; or that they came from the page of the person whom it is about.
PLACE: Final = ("q", "only", "sort", "cursor")
FROM_PERSON: Final = "from=person"


def frame(group: Group, current: str) -> dict[str, Any]:
    """What every page of a group shows around its own: `group`, `is_admin`, `lead`, `tabs`, `crumbs`."""
    counts = groups.get_counts(group)
    rows = [
        ("users", "groups:details", _("Users"), counts.members),
        ("sub_groups", "groups:sub_groups", _("Sub-Groups"), counts.sub_groups),
        ("connectors", "groups:connectors", _("Connectors"), counts.connectors),
        ("messages", "groups:messages", _("Messages & Actions"), None),
        ("policies", "groups:policies", _("Policies"), None),
    ]
    you_are = _("You are an admin.") if is_admin(group) else _("You are a member.")
    if is_admin(group):
        rows.append(("activity", "groups:activity", _("Activity"), None))
    return {
        "group": group,
        "member_count": counts.members,
        "is_admin": is_admin(group),
        "lead": f"{_kind(group)} {you_are}",
        "tabs": [
            {"label": label, "url": reverse(name, args=[group.pk]), "count": count, "current": key == current}
            for key, name, label, count in rows
        ],
        "crumbs": group_crumbs(group),
    }


def _kind(group: Group) -> str:
    public = group.group_type == Group.Type.CONNECT
    if group.organisation is None:
        return _("A private managed public group.") if public else _("A private group.")
    says = _("A managed public group of %(organisation)s.") if public else _("A group of %(organisation)s.")
    return says % {"organisation": group.organisation.name}


def for_member(user: User, group_id: UUID, current: str) -> tuple[Group, dict[str, Any]]:
    """A group that the person may see, with its frame. Raises NotFound."""
    group = access.require_member(user, group_id)
    return group, frame(group, current)


def for_admin(user: User, group_id: UUID, current: str) -> tuple[Group, dict[str, Any]]:
    """A group that the person administers, with its frame. Raises NotFound and NotAllowed."""
    group = access.require_admin(user, group_id)
    return group, frame(group, current)


def users_place(request: HttpRequest, group_id: UUID) -> str:
    """The list of users as it was when one of its acts was chosen: search, filter and page go along in the address."""
    place = {name: value for name in PLACE if (value := request.GET.get(name, ""))}
    return reverse("groups:details", args=[group_id]) + (f"?{urlencode(place)}" if place else "")


def came_from_person(request: HttpRequest) -> bool:
    """Whether an act on a user of a group was chosen on the page of the person."""
    return request.GET.get("from") == "person"


def is_admin(group: Group) -> bool:
    """Whether the asker, for whom `access` found this group, is an admin in it."""
    return group.role == access.Role.ADMIN


def group_crumbs(group: Group, *rows: tuple[str, str]) -> list[dict[str, str]]:
    """Breadcrumbs of a page of a group, or below it."""
    return crumbs(
        (_("Groups"), reverse("groups:list")),
        (group.name, reverse("groups:details", args=[group.pk]) if rows else ""),
        *rows,
    )
