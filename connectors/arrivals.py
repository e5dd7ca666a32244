"""What may arrive for a developer while they look: a refresh token, and that the first exchange has worked."""

from __future__ import annotations

from collections.abc import Hashable
from typing import cast
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.arrivals import Arrival
from accounts.models import User
from connectors import live_queries
from connectors.models import Handoff, HandoffState
from connectors.queries import connectors
from kaizala_console.lib.errors import NotFound


def look(user: User) -> list[tuple[str, UUID]]:
    """For Home (`accounts.arrivals`)."""
    return live_queries.arrived_for(user)


def tell(user: User, thing: Hashable) -> Arrival | None:
    """The words for one of `look`."""
    kind, key = cast("tuple[str, UUID]", thing)
    handoff = _found(user, key)
    if handoff is None:
        return None
    if kind == "handoff":
        return _arrived(handoff)
    facts = {"connector": handoff.connector.name, "target": handoff.grant.target_name}
    words = _("“%(connector)s” works in “%(target)s”: its first exchange has succeeded.") % facts
    return Arrival(words, reverse("connectors:handoff", args=[key]), _("See the line"))


def tell_handoff(user: User, key: UUID) -> Arrival | None:
    """The words for a handoff in the inbox."""
    handoff = _found(user, key)
    return None if handoff is None else _arrived(handoff)


def _found(user: User, key: UUID) -> Handoff | None:
    try:
        return connectors.handoff_for(user, key)
    except NotFound:
        return None


def _arrived(handoff: Handoff) -> Arrival | None:
    if handoff.state is not HandoffState.WAITING:
        return None
    words = _("A refresh token for “%(target)s” has arrived.") % {"target": handoff.grant.target_name}
    return Arrival(words, reverse("connectors:handoff", args=[handoff.pk]), _("Look at it"))
