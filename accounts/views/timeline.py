"""Events of the audit trail as a timeline, and the kinds that people know them by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import EventType
from accounts.audit.sentences import sentence
from accounts.models import AuditEvent


@dataclass(frozen=True)
class EventCategory:
    """One choice of the filter "What": the tags that begin with one of these nouns."""

    label: str | Promise
    nouns: tuple[str, ...]
    icon: str

    def tags(self) -> list[str]:
        """Their names, which are kept for ever (`accounts.audit.events`)."""
        return [tag.value for tag in EventType if tag.value.partition(":")[0] in self.nouns]


EVENT_CATEGORIES = {
    "connectors": EventCategory(_("Connectors and secrets"), ("connector",), "connectors"),
    "access": EventCategory(_("Access and refresh tokens"), ("grant", "request", "handoff"), "handoffs"),
    "groups": EventCategory(_("Groups and members"), ("group", "person", "bulk", "media"), "groups"),
    "phones": EventCategory(_("Phone numbers and PINs"), ("phone",), "phone"),
    "accounts": EventCategory(_("Accounts and sign-ins"), ("user",), "person"),
    "organisation": EventCategory(
        _("Organisation and operators"), ("organisation", "operator", "notice", "console"), "shield"
    ),
}
_ICONS = {noun: kind.icon for kind in EVENT_CATEGORIES.values() for noun in kind.nouns}


def rows(events: Iterable[AuditEvent]) -> list[dict[str, Any]]:
    """Events as `<c-timeline>` draws them; who acted stands in the sentence."""
    return [
        {
            "at": event.at,
            "url": reverse("activity_event", args=[event.pk]),
            "sentence": sentence(event),
            "icon": _ICONS.get(event.tag.partition(":")[0], "dot"),
            "address": event.client_address,
        }
        for event in events
    ]
