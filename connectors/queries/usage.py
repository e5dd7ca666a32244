"""What the pages read about use: by operation, over a day, a week, a month. Hours are whole; the newest seconds are
still on their way (`services.usage`)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet, Sum, Window
from django.db.models.functions import Coalesce, TruncDate

from accounts.models import Organisation
from connectors import permissions
from connectors.models import (
    CompatibilityQuirkDay,
    Connector,
    ConnectorSecret,
    ConnectorUsage,
    Grant,
    RefreshToken,
    UsageDay,
    UsageHour,
)
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


def count_by_endpoint(whose: QuerySet[Grant] | Connector) -> list[EndpointCalls]:
    """Calls under these grants in the last 24 hours and 7 days, the busiest endpoint first. One statement.

    Of a connector, under all its grants that were not revoked: what is kept of it, but for what those have that ended
    in these days. So it costs the same with a hundred thousand of them. Two statements.
    """
    if not isinstance(whose, Connector):
        return _sort_busiest(_count_recent(UsageHour.objects.filter(grant__in=whose.order_by().values("pk"))))
    calls = _count_recent(_list_hours(whose))
    ended = Grant.objects.filter(connector=whose, revoked_at__gte=get_start(WEEK)).order_by().values("pk")
    for operation, (day, week) in _count_recent(UsageHour.objects.filter(grant__in=ended)).items():
        in_day, in_week = calls.get(operation, (0, 0))
        calls[operation] = (in_day - day, in_week - week)
    return _sort_busiest({operation: both for operation, both in calls.items() if both[1] > 0})


def _count_recent(rows: QuerySet[Any]) -> dict[str, tuple[int, int]]:
    """By operation, the calls of the last 24 hours and of the last 7 days."""
    day, week = (get_start(span) for span in (DAY, WEEK))
    sums = {"in_week": Sum("calls"), "in_day": Coalesce(Sum("calls", filter=Q(hour__gte=day)), 0)}
    found = rows.filter(hour__gte=week).order_by().values("operation").annotate(**sums)
    return {row["operation"]: (row["in_day"], row["in_week"]) for row in found}


def _list_hours(connector: Connector) -> QuerySet[Any]:
    hours = ConnectorUsage.objects.filter(connector=connector, bucket=ConnectorUsage.Bucket.HOUR)
    return hours.annotate(hour=F("at"))


def _sort_busiest(calls: dict[str, tuple[int, int]]) -> list[EndpointCalls]:
    ordered = sorted(calls.items(), key=lambda item: (-item[1][1], item[0]))
    return [EndpointCalls(to_wire_path(operation), day, week) for operation, (day, week) in ordered]


def count_lost_by_endpoint(connector: Connector, removed: Iterable[Permission]) -> list[EndpointLost]:
    """Which calls of the last 30 days would have failed if the connector had not had `removed`. One statement."""
    lost = permissions.list_scopes(removed)
    good = F("calls") - F("refused") - F("throttled") - F("failed")
    day, week = (Coalesce(Sum(good, filter=Q(hour__gte=get_start(span))), 0) for span in (DAY, WEEK))
    rows = (
        _list_hours(connector)
        .filter(hour__gt=clock.now() - MONTH, scope__in=lost)
        .order_by()
        .values("operation", "scope")
        .annotate(answered=Sum(good), in_day=day, in_week=week)
        .filter(answered__gt=0)
        .order_by("-answered", "operation")
    )
    return [
        EndpointLost(
            to_wire_path(row["operation"]), PERMISSION_OF[row["scope"]], row["in_day"], row["in_week"], row["answered"]
        )
        for row in rows
        if row["scope"] in PERMISSION_OF
    ]


def count_outcomes(connector: Connector) -> UsageSums:
    """How the calls of the last 24 hours were answered, under all grants together, ended ones too. One statement."""
    return _whole(_list_hours(connector).filter(hour__gte=get_start(DAY)).order_by())


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
        found[habit] = CompatibilityQuirkUse(habit, times + row.times, first, row.seen_at, to_wire_path(row.example))
    return sorted(found.values(), key=lambda shown: (-shown.times, shown.habit))


def to_wire_path(operation: str) -> str:
    """`POST v1/groups/<group_id>/messages` as people read it: `POST /v1/groups/{groupId}/messages`."""
    method, _, route = operation.partition(" ")
    return f"{method} /{_ARGUMENT.sub(lambda found: '{' + _camel(found.group(1)) + '}', route)}"


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


def get_start(span: dt.timedelta) -> dt.datetime:
    """The beginning of the hour in which the span began."""
    return (clock.now() - span).replace(minute=0, second=0, microsecond=0)


MOST_ROWS: Final = 20
SPARK_DAYS: Final = 14
SOON: Final = dt.timedelta(days=30)
MOST_ENDING: Final = 5
HOUR = dt.timedelta(hours=1)
Bucket = ConnectorUsage.Bucket


class Period(StrEnum):
    """The period in the address: hours or days until now."""

    HOURS = "48h"
    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"


_STEPS: Final = {Period.HOURS: 48, Period.WEEK: 7, Period.MONTH: 30, Period.QUARTER: 90}


@dataclass(frozen=True, slots=True)
class UsageSums:
    """Calls, and how many of these were refused (4xx), over a limit (429) or failed through our fault (5xx)."""

    calls: int = 0
    refused: int = 0
    throttled: int = 0
    failed: int = 0

    @property
    def answered(self) -> int:
        """Calls that were answered well."""
        return self.calls - self.refused - self.throttled - self.failed


@dataclass(frozen=True, slots=True)
class UsageRow:
    """The sums of one endpoint, of one grant or of one connector. `key` is its id; an endpoint has none."""

    name: str
    sums: UsageSums
    key: UUID | None = None
    ended: bool = False


class Busiest(list[UsageRow]):
    """The first `MOST_ROWS` of them; `whole` is how many there are."""

    def __init__(self, named: Iterable[UsageRow] = (), whole: int = 0) -> None:
        super().__init__(named)
        self.whole = whole


@dataclass(frozen=True, slots=True)
class UsageBefore:
    """What the period before came to; or why there is nothing to compare with."""

    sums: UsageSums = UsageSums()
    is_kept: bool = True
    is_new: bool = False  # who called was only made in the period itself


class UsageScope:
    """Whose calls: of one connector, or of all of an organisation, deleted ones and ended grants too.

    Days begin at midnight in `zone` for one connector; for a whole organisation at midnight UTC, whose days are summed
    up already: its hours are too many.
    """

    def __init__(self, whose: Connector | Organisation, period: Period, zone: dt.tzinfo = dt.UTC) -> None:
        of_one = isinstance(whose, Connector)
        self._whose = Q(connector=whose) if of_one else Q(connector__organisation=whose)
        self._grants = Q(grant__connector=whose) if of_one else Q(grant__connector__organisation=whose)
        self.period = period
        self.zone = zone if of_one or period is Period.HOURS else dt.UTC
        self._since = whose.created_at
        self._by_hours = period is Period.HOURS or self.zone is not dt.UTC

    def over_time(self) -> list[tuple[dt.datetime, UsageSums]]:
        """Every hour or day of the period, also those without calls. One statement."""
        hourly = self.period is Period.HOURS
        rows = self._rows()
        if self._by_hours and not hourly:
            rows = rows.annotate(day=TruncDate("hour", tzinfo=self.zone))
        found = {row[self._column]: _sums(row) for row in _sum(rows, self._column)}
        keys = ((at, at if hourly else at.date()) for at in self._moments())
        return [(at, found.get(key, UsageSums())) for at, key in keys]

    def before(self) -> UsageBefore:
        """The same for the period before, as far into it as this one has come. Two statements at most."""
        first, steps = self._moments()[0], _STEPS[self.period]
        if self.period is Period.HOURS:
            begin, end = first - steps * HOUR, first
        else:  # in the zone's own time: a day may have 23 or 25 hours
            begin, end = first - steps * DAY, clock.now().astimezone(self.zone) - steps * DAY
        if begin < clock.now() - dt.timedelta(days=settings.USAGE_DAYS):
            return UsageBefore(is_kept=False)
        if self._since >= first:
            return UsageBefore(is_new=True)
        hours = ConnectorUsage.objects.filter(self._whose, bucket=Bucket.HOUR)
        if self._by_hours:
            return UsageBefore(_whole(hours.filter(at__gte=begin, at__lt=end)))
        midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
        days = ConnectorUsage.objects.filter(self._whose, bucket=Bucket.DAY, at__gte=begin, at__lt=midnight)
        return UsageBefore(sum_usage([_whole(days), _whole(hours.filter(at__gte=midnight, at__lt=end))]))

    def by_endpoint(self) -> list[UsageRow]:
        """The busiest first. One statement."""
        rows = _order_busiest(self._rows(), "operation")
        return [UsageRow(to_wire_path(row["operation"]), _sums(row)) for row in rows]

    def by_grant(self) -> Busiest:
        """What was reached, the busiest first. Two statements."""
        first, whole = _first(_order_busiest(self._rows_of_grants(), "grant_id"))
        grants = Grant.objects.only("target_name", "revoked_at").in_bulk([row["grant_id"] for row in first])
        named = ((grants[row["grant_id"]], _sums(row)) for row in first)
        return Busiest(
            (UsageRow(grant.target_name, sums, grant.pk, grant.revoked_at is not None) for grant, sums in named), whole
        )

    def by_connector(self, *, over_limit: bool = False) -> Busiest:
        """The connectors that called, the busiest first; or those that were over a limit. Two statements."""
        found = _order_busiest(self._rows(), "connector_id")
        if over_limit:
            found = found.filter(all_throttled__gt=0).order_by("-all_throttled", "-all_calls", "connector_id")
        first, whole = _first(found)
        connectors = Connector.objects.only("name", "deleted_at").in_bulk([row["connector_id"] for row in first])
        named = ((connectors[row["connector_id"]], _sums(row)) for row in first)
        return Busiest(
            (UsageRow(one.name, sums, one.pk, one.deleted_at is not None) for one, sums in named),
            whole,
        )

    def lines(self) -> Iterator[tuple[str, str, str, str, UsageSums]]:
        """(hour or day, connector, what was reached, endpoint, sums), the oldest first: one row each."""
        columns = (self._column, "grant__connector__name", "grant__target_name", "operation")
        ordered = self._rows_of_grants().order_by(self._column, columns[1], columns[2], "operation", "grant_id")
        for moment, connector, target, operation, *sums in ordered.values_list(*columns, *_OUTCOMES).iterator(2000):
            yield (
                moment.isoformat().replace("+00:00", "Z"),
                connector,
                target,
                to_wire_path(operation),
                UsageSums(*sums),
            )

    @property
    def _column(self) -> str:
        return "hour" if self.period is Period.HOURS else "day"

    def _moments(self) -> list[dt.datetime]:
        steps = reversed(range(_STEPS[self.period]))
        if self.period is Period.HOURS:
            last = clock.now().astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
            return [last - HOUR * back for back in steps]
        today = clock.now().astimezone(self.zone).date()
        return [dt.datetime.combine(today - DAY * back, dt.time(), self.zone) for back in steps]

    def _rows(self) -> QuerySet[Any]:
        rows = ConnectorUsage.objects.filter(self._whose, at__gte=self._moments()[0]).order_by()
        if self._by_hours:
            return rows.filter(bucket=Bucket.HOUR).annotate(hour=F("at"))
        return rows.filter(bucket=Bucket.DAY).annotate(day=TruncDate("at", tzinfo=dt.UTC))

    def _rows_of_grants(self) -> QuerySet[Any]:
        first = self._moments()[0]
        if self._by_hours:
            return UsageHour.objects.filter(self._grants, hour__gte=first).order_by()
        return UsageDay.objects.filter(self._grants, day__gte=first.date()).order_by()


def _sum(rows: QuerySet[Any], *columns: str) -> QuerySet[Any]:
    return rows.values(*columns).annotate(**{f"all_{name}": Sum(name) for name in _OUTCOMES})


def _order_busiest(rows: QuerySet[Any], *columns: str) -> QuerySet[Any]:
    return _sum(rows, *columns).order_by("-all_calls", *columns)


def _first(rows: QuerySet[Any]) -> tuple[list[Any], int]:
    """The first of them, and how many there are. Of a hundred thousand, no more is fetched."""
    found = list(rows.annotate(whole=Window(Count("*")))[:MOST_ROWS])
    return found, found[0]["whole"] if found else 0


def _whole(rows: QuerySet[Any]) -> UsageSums:
    return _sums(rows.aggregate(**{f"all_{name}": Coalesce(Sum(name), 0) for name in _OUTCOMES}))


_OUTCOMES: Final = ("calls", "refused", "throttled", "failed")


def sum_usage(rows: Iterable[UsageSums]) -> UsageSums:
    """All of them together."""
    found = list(rows)
    return UsageSums(*(sum(getattr(row, name) for row in found) for name in _OUTCOMES))


def _sums(row: dict[str, Any]) -> UsageSums:
    return UsageSums(row["all_calls"], row["all_refused"], row["all_throttled"], row["all_failed"])


def get_daily_calls(connectors: Iterable[Connector]) -> dict[UUID, list[int]]:
    """The calls of each of the last 14 days, today last, for each connector that called. One statement for all."""
    lately = clock.now() - SPARK_DAYS * DAY
    rows = ConnectorUsage.objects.filter(connector__in=list(connectors), bucket=Bucket.DAY, at__gte=lately)
    return _last_days("connector_id", rows.annotate(day=TruncDate("at", tzinfo=dt.UTC)))


def get_daily_grant_calls(grants: Iterable[Grant]) -> dict[UUID, list[int]]:
    """The same for each grant."""
    return _last_days("grant_id", UsageDay.objects.filter(grant__in=list(grants)))


def _last_days(whose: str, rows: QuerySet[Any]) -> dict[UUID, list[int]]:
    today = clock.now().astimezone(dt.UTC).date()
    first = today - (SPARK_DAYS - 1) * DAY
    found: dict[UUID, list[int]] = {}
    lately = rows.filter(day__gte=first, day__lte=today).order_by()
    for row in lately.values("day", owner=F(whose)).annotate(n=Sum("calls")):
        found.setdefault(row["owner"], [0] * SPARK_DAYS)[(row["day"] - first).days] = row["n"]
    return found


@dataclass(frozen=True, slots=True)
class EndingCredential:
    """A secret (`target` is empty) or a refresh token that ends within a month."""

    target: str
    ends_at: dt.datetime


def list_ending_credentials(connector: Connector) -> list[EndingCredential]:
    """The next in front, at most five of each kind. Tokens whose successor is in use are left out. Two statements."""
    now = clock.now()
    secrets = ConnectorSecret.objects.live(now).filter(connector=connector, expires_at__lte=now + SOON)
    tokens = (
        RefreshToken.objects.live(now)
        .unfollowed()
        .filter(
            Q(grant__ends_at__isnull=True) | Q(grant__ends_at__gt=now),
            connector=connector,
            grant__revoked_at__isnull=True,
            grant__suspended_at__isnull=True,
            expires_at__lte=now + SOON,
        )
    )
    dates = secrets.order_by("expires_at").values_list("expires_at", flat=True)[:MOST_ENDING]
    found = [EndingCredential("", at) for at in dates if at is not None]
    named = tokens.order_by("expires_at", "pk").values_list("grant__target_name", "expires_at")
    found += [EndingCredential(target, at) for target, at in named[:MOST_ENDING]]
    return sorted(found, key=lambda ending: (ending.ends_at, ending.target))
