"""What the pages read about use: by operation, over a day, a week, a month. Hours are whole; the newest seconds are
still on their way (`services.usage`)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from connectors import permissions
from connectors.models import CompatibilityQuirkDay, Connector, ConnectorUsage, Grant, UsageHour
from connectors.permissions import PERMISSION_OF, Permission
from kaizala_console.api.compatibility import CompatibilityQuirk
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
    """How many calls of one endpoint, that were answered, would have failed without the permission.

    In the last 24 hours, 7 days, and 30 days (`calls`).
    """

    endpoint: str
    permission: Permission
    day: int
    week: int
    calls: int


def by_endpoint(whose: QuerySet[Grant] | Connector) -> list[EndpointCalls]:
    """Calls under these grants in the last 24 hours and 7 days, the busiest endpoint first. One statement.

    Of a connector, under all its grants that were not revoked: what is kept of it, but for what those have that ended
    in these days. So it costs the same with a hundred thousand of them. Two statements.
    """
    if not isinstance(whose, Connector):
        return _busiest_first(_lately(UsageHour.objects.filter(grant__in=whose.order_by().values("pk"))))
    calls = _lately(_hours_of(whose))
    ended = Grant.objects.filter(connector=whose, revoked_at__gte=_since(WEEK)).order_by().values("pk")
    for operation, (day, week) in _lately(UsageHour.objects.filter(grant__in=ended)).items():
        in_day, in_week = calls.get(operation, (0, 0))
        calls[operation] = (in_day - day, in_week - week)
    return _busiest_first({operation: both for operation, both in calls.items() if both[1] > 0})


def _lately(rows: QuerySet[Any]) -> dict[str, tuple[int, int]]:
    """By operation, the calls of the last 24 hours and of the last 7 days."""
    day, week = (_since(span) for span in (DAY, WEEK))
    sums = {"in_week": Sum("calls"), "in_day": Coalesce(Sum("calls", filter=Q(hour__gte=day)), 0)}
    found = rows.filter(hour__gte=week).order_by().values("operation").annotate(**sums)
    return {row["operation"]: (row["in_day"], row["in_week"]) for row in found}


def _hours_of(connector: Connector) -> QuerySet[Any]:
    hours = ConnectorUsage.objects.filter(connector=connector, bucket=ConnectorUsage.Bucket.HOUR)
    return hours.annotate(hour=F("at"))


def _busiest_first(calls: dict[str, tuple[int, int]]) -> list[EndpointCalls]:
    ordered = sorted(calls.items(), key=lambda item: (-item[1][1], item[0]))
    return [EndpointCalls(spelled(operation), day, week) for operation, (day, week) in ordered]


def lost_by_endpoint(connector: Connector, removed: Iterable[Permission]) -> list[EndpointLost]:
    """Which calls of the last 30 days would have failed if the connector had not had `removed`. One statement."""
    lost = permissions.scopes_of(removed)
    good = F("calls") - F("refused") - F("throttled") - F("failed")
    day, week = (Coalesce(Sum(good, filter=Q(hour__gte=_since(span))), 0) for span in (DAY, WEEK))
    rows = (
        _hours_of(connector)
        .filter(hour__gt=clock.now() - MONTH, scope__in=lost)
        .order_by()
        .values("operation", "scope")
        .annotate(answered=Sum(good), in_day=day, in_week=week)
        .filter(answered__gt=0)
        .order_by("-answered", "operation")
    )
    return [
        EndpointLost(
            spelled(row["operation"]), PERMISSION_OF[row["scope"]], row["in_day"], row["in_week"], row["answered"]
        )
        for row in rows
        if row["scope"] in PERMISSION_OF
    ]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How the calls of the last 24 hours were answered."""

    calls: int
    refused: int
    throttled: int
    failed: int


def outcomes(connector: Connector) -> Outcomes:
    """All grants of the connector together, ended ones too. One statement."""
    names = ("calls", "refused", "throttled", "failed")
    rows = _hours_of(connector).filter(hour__gte=_since(DAY)).order_by()
    return Outcomes(**rows.aggregate(**{name: Coalesce(Sum(name), 0) for name in names}))


@dataclass(frozen=True, slots=True)
class CompatibilityQuirkUse:
    """A habit that the connector's program showed, as often as is kept."""

    habit: CompatibilityQuirk
    times: int
    first_day: dt.date
    seen_at: dt.datetime
    example: str


def list_compatibility_quirks(connector: Connector) -> list[CompatibilityQuirkUse]:
    """What the program showed in the days that are kept, the most frequent first. One statement."""
    found: dict[CompatibilityQuirk, CompatibilityQuirkUse] = {}
    rows = CompatibilityQuirkDay.objects.filter(connector=connector, habit__in=list(CompatibilityQuirk)).order_by("day")
    for row in rows.iterator():
        habit = CompatibilityQuirk(row.habit)
        before = found.get(habit)
        times, first = (before.times, before.first_day) if before else (0, row.day)
        found[habit] = CompatibilityQuirkUse(habit, times + row.times, first, row.seen_at, spelled(row.example))
    return sorted(found.values(), key=lambda shown: (-shown.times, shown.habit))


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
