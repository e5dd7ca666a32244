"""What may arrive for a group's admin while they look at a page: a request of a developer, and a connector's access."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, cast
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.arrivals import Arrival
from accounts.models import User
from connectors import live_queries
from connectors.models import AccessRequest, Grant, RequestState
from connectors.queries import access_requests
from groups.access import TARGET
from groups.models import Group
from groups.queries.access_requests import open_for, open_in
from kaizala_console.lib.errors import NotFound


def look(user: User) -> list[UUID]:
    """For Home (`accounts.arrivals`)."""
    return open_for(user)


def tell(user: User, thing: Hashable) -> Arrival | None:
    """The words for one of `look`."""
    return _asks(user, cast(UUID, thing))


def look_in(user: User, group_id: UUID) -> list[tuple[Any, ...]]:
    """For one group's "Connectors" tab: what waits for an answer there, and who has access. Two statements."""
    asked = [("request", key) for key in open_in(group_id, user).values_list("pk", flat=True)]
    return [*asked, *live_queries.of_target(f"{TARGET}{group_id}")]


def tell_in(user: User, group: Group, thing: tuple[Any, ...]) -> Arrival | None:
    """The words for one of `look_in`."""
    kind, key = thing[:2]
    if kind == "request":
        return _asks(user, key)
    grant = Grant.objects.present().filter(pk=key, group_grant__group=group).select_related("connector").first()
    if grant is None:
        return None
    words = _("What “%(connector)s” may do here, or its token, has changed.") % {"connector": grant.connector.name}
    return Arrival(words, reverse("groups:grant", args=[group.pk, key]), _("Look at it"))


def _asks(user: User, key: UUID) -> Arrival | None:
    try:
        asked = access_requests.request_for(user, key)
    except NotFound:
        return None
    if asked.state is not RequestState.WAITING:
        return None
    if asked.kind == AccessRequest.Kind.MORE:
        words = _("“%(connector)s” asks for more permissions.")
    else:
        words = _("“%(connector)s” asks to be let in.")
    return Arrival(
        words % {"connector": asked.connector.name}, reverse("groups:request", args=[key]), _("Look at the request")
    )
