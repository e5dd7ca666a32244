"""Links to what the reader may open: an event outlives what it is about, and the reader's right to see that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts.models import AuditEvent, User
from connectors.models import AccessRequest, Grant, Handoff
from connectors.queries import access_requests, connectors, handoffs
from groups import access
from groups.models import Group
from groups.queries import directory, groups
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotFound


@dataclass(frozen=True)
class Link:
    """Its words, where it leads, and an icon of the sprite."""

    label: str | Promise
    href: str
    icon: str = "arrow-end"


def links_for(user: User, event: AuditEvent) -> list[Link]:
    """Return what `user` may open of what the event is about: of each app the subject first."""
    return [*_in_groups(user, event), *_in_connectors(user, event)]


def get_current_name(user: User, kind: str, key: UUID) -> str:
    """Return what a connector or a group is called now; "" for what is not there any more, or not theirs to see."""
    if kind == "group":
        group = access.list_visible_groups(user).filter(pk=key).first()
        return group.name if group is not None else ""
    try:
        return connectors.get_connector(user, key).name
    except NotFound:
        return ""


def _in_connectors(user: User, event: AuditEvent) -> Iterator[Link]:
    key = ids.parse_guid(event.subject_id)
    if key is not None and event.subject_kind == AccessRequest.__name__.lower():
        try:
            access_requests.get_request(user, key)
            yield Link(_("Open the request"), reverse("groups:request", args=[key]))
        except NotFound:
            pass
    if key is not None and event.subject_kind == Handoff.__name__.lower():
        try:
            handoffs.get_handoff(user, key)
            yield Link(_("Open the handoff"), reverse("connectors:handoff", args=[key]))
        except NotFound:
            pass
    if event.connector_id is not None and (name := get_current_name(user, "connector", event.connector_id)):
        words = _("Open the connector “%(name)s”") % {"name": name}
        yield Link(words, reverse("connectors:details", args=[event.connector_id]))


def _in_groups(user: User, event: AuditEvent) -> Iterator[Link]:
    group = access.list_visible_groups(user).filter(pk=event.group_id).first() if event.group_id else None
    key = ids.parse_guid(event.subject_id)
    is_grant = event.subject_kind == Grant.__name__.lower()
    if is_grant and group is not None and group.role == access.Role.ADMIN and _has_grant(group, key):
        yield Link(_("Open its access to the group"), reverse("groups:grant", args=[group.pk, key]))
    if event.person_id is not None:
        try:
            directory.get_person(user, event.person_id)
            yield Link(_("Open the person"), reverse("groups:person", args=[event.person_id]))
        except NotFound:
            pass
    if group is not None:
        words = _("Open the group “%(name)s”") % {"name": group.name}
        yield Link(words, reverse("groups:details", args=[group.pk]))


def _has_grant(group: Group, grant_id: UUID | None) -> bool:
    return grant_id is not None and groups.list_grants(group).filter(pk=grant_id).exists()
