"""Which connector, request or handoff an event is about, for who may open it (`accounts.whereabouts`)."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import AuditEvent, User
from accounts.whereabouts import Lead
from connectors.models import AccessRequest, Handoff
from connectors.queries import access_requests, connectors
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotFound


def of_connectors(user: User, event: AuditEvent) -> Iterable[Lead]:
    """The subject itself first, then its connector."""
    key = ids.parse_guid(event.subject_id)
    if key is not None and event.subject_kind == AccessRequest.__name__.lower():
        try:
            access_requests.request_for(user, key)
            yield Lead(_("Open the request"), reverse("groups:request", args=[key]))
        except NotFound:
            pass
    if key is not None and event.subject_kind == Handoff.__name__.lower():
        try:
            connectors.handoff_for(user, key)
            yield Lead(_("Open the handoff"), reverse("connectors:handoff", args=[key]))
        except NotFound:
            pass
    if event.connector_id is not None and (name := name_of(user, event.connector_id)):
        words = _("Open the connector “%(name)s”") % {"name": name}
        yield Lead(words, reverse("connectors:details", args=[event.connector_id]))


def name_of(user: User, connector_id: UUID) -> str:
    """What the connector is called, for who may see it."""
    try:
        return connectors.connector_for(user, connector_id).name
    except NotFound:
        return ""
