"""How many calls a minute a connector may make, and all connectors of an organisation together (wire protocol §3).

What counts against a connector has proven that it comes from it: an access token that is accepted, or its secret. The
ID alone is public, and whoever sends it with a wrong secret counts against nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.conf import settings

from accounts.models import Organisation
from connectors.models import Connector
from kaizala_console.api.errors import Throttled
from kaizala_console.lib import rate_limit
from kaizala_console.lib.rate_limit import Limit

_OF_CONNECTOR: Final = "Too many requests: this connector may make {most} calls a minute."
_OF_TENANT: Final = "Too many requests: all connectors of this organisation together may make {most} calls a minute."
_OF_EXCHANGES: Final = (
    "Too many requests: this connector may fetch {most} access tokens a minute, and one is enough for {hours} hours."
)


@dataclass(frozen=True, slots=True)
class HeadRoom:
    """What of the limits a minute is used. A limit of 0 is none."""

    connector_used: int
    connector_most: int
    tenant_used: int
    tenant_most: int


def admit(connector: Connector) -> None:
    """Count a call of the Platform Service. Raises Throttled."""
    own, shared = _calls(connector), _calls_of_tenant(connector.organisation_id)
    refusal = rate_limit.hit(*(limit for limit in (own, shared) if limit.most))
    if refusal is not None:
        message = _OF_CONNECTOR if refusal.limit == own else _OF_TENANT
        raise Throttled(message.format(most=refusal.limit.most), retry_after=refusal.retry_after)


def admit_exchange(connector: Connector) -> None:
    """Count an exchange by a connector that has proven itself. Raises Throttled.

    By a counter of its own: whoever has spent the minute's calls can still renew a token, and a program that fetches
    one for every call is told so before it reaches the others of its organisation.
    """
    most = settings.THROTTLE_CONNECTOR_PER_MINUTE
    refusal = rate_limit.hit(Limit(f"exchange:{connector.pk}", most)) if most else None
    if refusal is not None:
        message = _OF_EXCHANGES.format(most=most, hours=settings.ACCESS_TOKEN_HOURS)
        raise Throttled(message, retry_after=refusal.retry_after)


def head_room(connector: Connector) -> HeadRoom:
    """What of the limits is used, for a page."""
    own, shared = _calls(connector), _calls_of_tenant(connector.organisation_id)
    used, by_all = rate_limit.count(own, shared)
    return HeadRoom(used, own.most, by_all, shared.most)


def room_of_tenant(organisation: Organisation) -> tuple[int, int]:
    """How much all connectors of an organisation have used, and how much they may; 0 is no limit."""
    limit = _calls_of_tenant(organisation.pk)
    return rate_limit.count(limit)[0], limit.most


def _calls(connector: Connector) -> Limit:
    return Limit(f"connector:{connector.pk}", settings.THROTTLE_CONNECTOR_PER_MINUTE)


def _calls_of_tenant(organisation_id: UUID) -> Limit:
    return Limit(f"tenant:{organisation_id}", settings.THROTTLE_TENANT_PER_MINUTE)
