"""Which group, grant or person an event is about, for who may open it (`accounts.whereabouts`)."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import AuditEvent, User
from accounts.whereabouts import Lead
from connectors.models import Grant
from groups import access
from groups.models import Group
from groups.queries import directory, groups
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotFound


def of_groups(user: User, event: AuditEvent) -> Iterable[Lead]:
    """The subject itself first, then its group."""
    group = access.visible_to(user).filter(pk=event.group_id).first() if event.group_id else None
    key = ids.parse_guid(event.subject_id)
    is_grant = event.subject_kind == Grant.__name__.lower()
    if is_grant and group is not None and group.role == access.Role.ADMIN and _is_there(group, key):
        yield Lead(_("Open what it may do in the group"), reverse("groups:grant", args=[group.pk, key]))
    if event.person_id is not None:
        try:
            directory.person_for(user, event.person_id)
            yield Lead(_("Open the person"), reverse("groups:person", args=[event.person_id]))
        except NotFound:
            pass
    if group is not None:
        words = _("Open the group “%(name)s”") % {"name": group.name}
        yield Lead(words, reverse("groups:details", args=[group.pk]))


def name_of(user: User, group_id: UUID) -> str:
    """What the group is called, for who sees it."""
    group = access.visible_to(user).filter(pk=group_id).first()
    return group.name if group is not None else ""


def _is_there(group: Group, grant_id: UUID | None) -> bool:
    return grant_id is not None and groups.grants_of(group).filter(pk=grant_id).exists()
