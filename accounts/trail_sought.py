"""What the Activity page looks for in a trail of a million events, and how far it looks for one page (ADR 0064).

Events of a connector, of a group, or of one's own stand together in an index; those of a few days, between two events;
those of a kind that is rare are named. For anything else each event is asked, and one page asks `LOOKED_AT` of them: it
then says how far back that was, and leads on from there. So a page costs the same, whatever is looked for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Max, Min, Q, QuerySet

if TYPE_CHECKING:
    from accounts.models import AuditEvent

LOOKED_AT: Final = 10_000
ASKED_AT: Final = 2000  # of a scope that no index knows
NAMED: Final = 1000
# Transactions that overlap write their events in another order than that of their moments: by far fewer than this.
MOST_AT_ONCE: Final = 1000


class Each(Q):
    """A scope that no index knows: each event is asked whether it belongs to it."""


@dataclass(frozen=True)
class Sought:
    """What is looked for: `indexed` has an index of the trail; `words` has none; `tags` are of one kind; days are
    moments, the second one not included. `is_own` for what the reader did, and nothing else.
    """

    indexed: Q = field(default_factory=Q)
    words: Q = field(default_factory=Q)
    tags: Sequence[str] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    is_own: bool = False

    def condition(self) -> Q:
        """All of it, but for `is_own`."""
        found = self.indexed & self.words
        if self.tags:
            found &= Q(tag__in=self.tags)
        if self.since is not None:
            found &= Q(at__gte=self.since)
        if self.until is not None:
            found &= Q(at__lt=self.until)
        return found

    def named(self) -> list[int] | None:
        """The keys of all events of the kind; None where these are many, or all kinds are looked for."""
        if not self.tags:
            return None
        keys = list(_events().filter(tag__in=self.tags).values_list("pk", flat=True)[: NAMED + 1])
        return None if len(keys) > NAMED else keys

    def between(self) -> Q:
        """The events between the first and the last one of these days: the trail is in the order of its keys."""
        span = Q()
        if self.until is not None:
            last = _events().filter(at__lt=self.until).order_by("-at")[:MOST_AT_ONCE]
            span &= _up_to("pk__lte", last, Max("pk"))
        if self.since is not None:
            first = _events().filter(at__gte=self.since).order_by("at")[:MOST_AT_ONCE]
            span &= _up_to("pk__gte", first, Min("pk"))
        return span

    @property
    def is_asked_of_each(self) -> bool:
        """Whether something of it has no index."""
        return bool(self.words) or bool(self.tags)


def farthest(conditions: Sequence[Q], sought: Sought, within: Q, order: str) -> int | None:
    """The event at which a page stops looking, which it does not look at; None when it comes to the end before.

    `within` says from where on it looks, and `order` in which direction. One statement for each condition.
    """
    stops: list[int] = []
    for condition in conditions:
        asked_of_each = isinstance(condition, Each)
        if not asked_of_each and not sought.is_asked_of_each:
            continue
        most = ASKED_AT if asked_of_each else LOOKED_AT
        rows = _events().filter(within, sought.indexed, Q() if asked_of_each else condition)
        stops += rows.order_by(order).values_list("pk", flat=True)[most : most + 1]
    return (max if order.startswith("-") else min)(stops, default=None)


def named_if_few(scope: Q, sought: Sought) -> Q:
    """A scope beside what has an index of its own: of two, databases take either to go by, also the one with a million.

    So the events of the scope are named when they are few.
    """
    if not sought.indexed:
        return scope
    keys = list(_events().filter(scope).values_list("pk", flat=True)[: NAMED + 1])
    return scope if len(keys) > NAMED else Q(pk__in=keys)


def _up_to(comparison: str, rows: QuerySet[AuditEvent], which: Any) -> Q:
    """Nothing at all where there are none: else the whole trail would be asked for its days."""
    edge: int | None = rows.aggregate(edge=which)["edge"]
    return Q(pk__in=[]) if edge is None else Q((comparison, edge))


def _events() -> QuerySet[AuditEvent]:
    from accounts.models import AuditEvent

    return AuditEvent.objects.order_by()
