"""What the pages read about use: by operation, over a day, a week, a month. Hours are whole; the newest seconds are
still on their way (`services.usage`)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from connectors import scopes
from connectors.models import Connector, Grant, UsageHour
from connectors.scopes import PERMISSION_OF, Permission
from kaizala_console.lib import clock

DAY, WEEK, MONTH = dt.timedelta(days=1), dt.timedelta(days=7), dt.timedelta(days=30)
MOST_LINES: Final = 20
_ARGUMENT: Final = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True, slots=True)
class EndpointCalls:
    """How often one endpoint was called, answered well or not."""

    endpoint: str
    day: int
    week: int


@dataclass(frozen=True, slots=True)
class EndpointLost:
    """How many calls of one endpoint, that were answered, would have failed without the permission."""

    endpoint: str
    permission: Permission
    calls: int


def by_endpoint(grants: QuerySet[Grant]) -> list[EndpointCalls]:
    """Calls under these grants in the last 24 hours and 7 days, the busiest endpoint first. One statement."""
    day, week = (_since(span) for span in (DAY, WEEK))
    rows = (
        UsageHour.objects.filter(grant__in=grants.order_by().values("pk"), hour__gte=week)
        .order_by()
        .values("operation")
        .annotate(in_week=Sum("calls"), in_day=Coalesce(Sum("calls", filter=Q(hour__gte=day)), 0))
        .order_by("-in_week", "operation")
    )
    return [EndpointCalls(spelled(row["operation"]), row["in_day"], row["in_week"]) for row in rows]


def lost_by_endpoint(connector: Connector, removed: Iterable[Permission]) -> list[EndpointLost]:
    """Which calls of the last 30 days would have failed if the connector had not had `removed`. One statement."""
    lost = scopes.scopes_of(removed)
    rows = (
        UsageHour.objects.filter(grant__connector=connector, hour__gt=clock.now() - MONTH, scope__in=lost)
        .order_by()
        .values("operation", "scope")
        .annotate(answered=Sum(F("calls") - F("refused") - F("throttled") - F("failed")))
        .filter(answered__gt=0)
        .order_by("-answered", "operation")
    )
    return [
        EndpointLost(spelled(row["operation"]), PERMISSION_OF[row["scope"]], row["answered"])
        for row in rows
        if row["scope"] in PERMISSION_OF
    ]


def spelled(operation: str) -> str:
    """`POST v1/groups/<group_id>/messages` as people read it: `POST /v1/groups/{groupId}/messages`."""
    method, _, route = operation.partition(" ")
    return f"{method} /{_ARGUMENT.sub(lambda found: '{' + _camel(found.group(1)) + '}', route)}"


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


def _since(span: dt.timedelta) -> dt.datetime:
    """The beginning of the hour in which the span began."""
    return (clock.now() - span).replace(minute=0, second=0, microsecond=0)
