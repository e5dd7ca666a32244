"""Whose acts a person may read: their own, their organisation's as its admin, and what the apps above add.

An app above registers a scope in its `AppConfig.ready()` ("events of the connectors that the account owns"): this app
knows neither connectors nor groups.

Each scope is asked on its own, for one page, and the answers are merged: every question then is a range of an index.
All scopes in one WHERE with OR cost 545 ms on PostgreSQL for a person with five events among 1.5 million; so, 1 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

if TYPE_CHECKING:
    from accounts.models import AuditEvent, User

# None when the scope adds nothing for this account. It names what it adds by a list of ids, not by a subquery: of that
# PostgreSQL cannot tell how many events it will find, and read the whole trail for somebody who owns nothing (3.5 s).
# A few ids are best asked about one by one, as several conditions: then each is a range of an index.
Scope = Callable[["User"], Q | Iterable[Q] | None]
_scopes: list[Scope] = []


@dataclass(frozen=True)
class Page:
    """Events, the newest first, and the ids beyond which there are older and newer ones; None where nothing is."""

    events: list[AuditEvent]
    older: int | None
    newer: int | None


def register(scope: Scope) -> Scope:
    """Adds a scope; twice the same is once. Also a decorator."""
    if scope not in _scopes:
        _scopes.append(scope)
    return scope


def visible_to(user: User) -> QuerySet[AuditEvent]:
    """Every event that `user` may read, in no order: to look one up. For a list, `page` is what an index can serve."""
    from accounts.models import AuditEvent

    return AuditEvent.objects.filter(reduce(or_, _conditions(user)))


def page(user: User, *, size: int, only: Q | None = None, before: int | None = None, after: int | None = None) -> Page:
    """The `size` newest events that `user` may read and that match `only`: of all, or older or newer than an event."""
    if after is None:
        found = _newest(user, size, only or Q(), before)
        shown = found[:size]
        older = shown[-1].pk if len(found) > size else None
        return Page(shown, older, shown[0].pk if shown and before is not None else None)
    found = _oldest(user, size, only or Q(), after)
    shown = found[:size][::-1]
    if not shown:
        return page(user, size=size, only=only)
    return Page(shown, shown[-1].pk, shown[0].pk if len(found) > size else None)


def in_the_chain(user: User, *, size: int, only: Q | None = None, after: int = 0) -> list[AuditEvent]:
    """The next `size` events that `user` may read and that match `only`, by their place in the chain, behind `after`.

    Acts that overlap have their keys in another order than their places. What is not chained yet is left out.
    """
    found = _of_all_scopes(user, (only or Q()) & Q(position__gt=after), "position", size)
    return sorted(found, key=lambda event: event.position or 0)[:size]


def recent(user: User, *, only: Q, size: int, among: int) -> list[AuditEvent]:
    """The `size` newest that match `only`, of the last `among` events of each scope: however long the trail is.

    For conditions that no index serves: looking for the one match in a million events would read them all.
    """
    from accounts.models import AuditEvent

    found: dict[int, AuditEvent] = {}
    for condition in _conditions(user):
        last = AuditEvent.objects.filter(condition).order_by("-pk").values("pk")[:among]
        # As no index orders them: else PostgreSQL walks the whole trail from its end, to meet these on the way.
        rows = AuditEvent.objects.filter(pk__in=last).filter(only).order_by(Coalesce("pk", "pk").desc())[:size]
        found.update({event.pk: event for event in rows})
    return sorted(found.values(), key=lambda event: -event.pk)[:size]


def _newest(user: User, size: int, only: Q, before: int | None) -> list[AuditEvent]:
    if before is not None:
        only &= Q(pk__lt=before)
    return sorted(_of_all_scopes(user, only, "-pk", size), key=lambda event: -event.pk)[: size + 1]


def _oldest(user: User, size: int, only: Q, after: int) -> list[AuditEvent]:
    return sorted(_of_all_scopes(user, only & Q(pk__gt=after), "pk", size), key=lambda event: event.pk)[: size + 1]


def _of_all_scopes(user: User, only: Q, order: str, size: int) -> list[AuditEvent]:
    """One row more than fits of each scope, each event once."""
    from accounts.models import AuditEvent

    found = {}
    for condition in _conditions(user):
        rows = AuditEvent.objects.filter(condition).filter(only).order_by(order)[: size + 1]
        found.update({event.pk: event for event in rows})
    return list(found.values())


def _conditions(user: User) -> list[Q]:
    conditions: list[Q] = []
    for scope in (_own, _of_the_organisation, *_scopes):
        found = scope(user)
        if found is not None:
            conditions += [found] if isinstance(found, Q) else found
    return conditions


def _own(user: User) -> Q:
    return Q(actor_kind="user", actor_id=str(user.pk))


def _of_the_organisation(user: User) -> Q | None:
    return Q(organisation=user.organisation_id) if user.is_organisation_admin else None
