"""How many calls a minute a connector may make, and all connectors of an organisation together (wire protocol §3).

What counts against a connector has proven that it comes from it: an access token that is accepted, or its secret. The
ID alone is public, and whoever sends it with a wrong secret counts against nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.conf import settings

from accounts.models import Organisation
from connectors.models import Connector
from kaizala_console.lib import rates
from kaizala_console.lib.rates import Limit
from kaizala_console.wire.errors import Throttled

_CALLS, _EXCHANGES, _TENANT = "connector:{}", "exchange:{}", "tenant:{}"
_OF_CONNECTOR: Final = "Too many requests: this connector may make {most} calls a minute."
_OF_TENANT: Final = "Too many requests: all connectors of this organisation together may make {most} calls a minute."
_OF_EXCHANGES: Final = (
    "Too many requests: this connector may fetch {most} access tokens a minute, and one is enough for {hours} hours."
)


@dataclass(frozen=True, slots=True)
class HeadRoom:
    """What of this minute's limits is used. A limit of 0 is none."""

    connector_used: int
    connector_most: int
    tenant_used: int
    tenant_most: int


def admit(connector: Connector) -> None:
    """Count a call of the Platform Service. Raises Throttled, and then counts nothing."""
    limits = []
    if most := settings.THROTTLE_CONNECTOR_PER_MINUTE:
        limits.append(Limit(_CALLS.format(connector.pk), most))
    if most := settings.THROTTLE_TENANT_PER_MINUTE:
        limits.append(Limit(_TENANT.format(connector.organisation_id), most))
    refusal = rates.take(limits)
    if refusal is not None:
        of_tenant = refusal.limit.key == _TENANT.format(connector.organisation_id)
        message = _OF_TENANT if of_tenant else _OF_CONNECTOR
        raise Throttled(message.format(most=refusal.limit.most), retry_after=refusal.retry_after)


def admit_exchange(connector: Connector) -> None:
    """Count an exchange by a connector that has proven itself. Raises Throttled.

    By a counter of its own: whoever has spent the minute's calls can still renew a token, and a program that fetches
    one for every call is told so before it reaches the others of its organisation.
    """
    most = settings.THROTTLE_CONNECTOR_PER_MINUTE
    refusal = rates.take([Limit(_EXCHANGES.format(connector.pk), most)]) if most else None
    if refusal is not None:
        message = _OF_EXCHANGES.format(most=most, hours=settings.ACCESS_TOKEN_HOURS)
        raise Throttled(message, retry_after=refusal.retry_after)


def head_room(connector: Connector) -> HeadRoom:
    """What of this minute is used, for a page."""
    used, by_all = rates.taken([_CALLS.format(connector.pk), _TENANT.format(connector.organisation_id)])
    return HeadRoom(used, settings.THROTTLE_CONNECTOR_PER_MINUTE, by_all, settings.THROTTLE_TENANT_PER_MINUTE)


def room_of_tenant(organisation: Organisation) -> tuple[int, int]:
    """What of this minute all connectors of an organisation have used, and how much they may; 0 is no limit."""
    (used,) = rates.taken([_TENANT.format(organisation.pk)])
    return used, settings.THROTTLE_TENANT_PER_MINUTE
