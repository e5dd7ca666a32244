"""Reading the audit trail, within a scope: the conditions of the events that the reader may see.

`own_scope` has those of this app; `kaizala_console.dashboard` adds the connectors and groups of the reader.

Each condition is asked on its own, for one page, and the answers are merged: every question then is a range of an
index. All in one WHERE with OR cost 545 ms on PostgreSQL for a person with five events among 1.5 million; so, 1 ms.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_
from typing import Final

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils.translation import get_language

from accounts.audit.sentences import SENTENCES
from accounts.models import AuditEvent, User

# A condition names things by a list of ids, not by a subquery: of that PostgreSQL cannot tell how many events it will
# find, and read the whole trail for somebody who owns nothing (3.5 s). A few ids are best asked about one by one, as
# several conditions: then each is a range of an index.
AuditScope = Sequence[Q]


@dataclass(frozen=True)
class EventPage:
    """Events, the newest first, and the ids beyond which there are older and newer ones; None where nothing is."""

    events: list[AuditEvent]
    older: int | None
    newer: int | None


def own_scope(user: User) -> list[Q]:
    """What this person did, and as an admin of the organisation what was done in it."""
    own = [Q(actor_kind="user", actor_id=str(user.pk))]
    return [*own, Q(organisation=user.organisation_id)] if user.is_organisation_admin else own


def visible_to(scope: AuditScope) -> QuerySet[AuditEvent]:
    """Every event of the scope, in no order: to look one up. For a list, `page` is what an index can serve."""
    return AuditEvent.objects.filter(reduce(or_, scope))


def get_page(
    scope: AuditScope, *, size: int, only: Q | None = None, before: int | None = None, after: int | None = None
) -> EventPage:
    """The `size` newest events of the scope that match `only`: of all, or older or newer than an event."""
    if after is None:
        found = _newest(scope, size, only or Q(), before)
        shown = found[:size]
        older = shown[-1].pk if len(found) > size else None
        return EventPage(shown, older, shown[0].pk if shown and before is not None else None)
    found = _oldest(scope, size, only or Q(), after)
    shown = found[:size][::-1]
    if not shown:
        return get_page(scope, size=size, only=only)
    return EventPage(shown, shown[-1].pk, shown[0].pk if len(found) > size else None)


def list_in_chain_order(scope: AuditScope, *, size: int, only: Q | None = None, after: int = 0) -> list[AuditEvent]:
    """The next `size` events of the scope that match `only`, by their place in the chain, behind `after`.

    Acts that overlap have their keys in another order than their places. What is not chained yet is left out.
    """
    found = _of_all_conditions(scope, (only or Q()) & Q(position__gt=after), "position", size)
    return sorted(found, key=lambda event: event.position or 0)[:size]


def find_unchained(scope: AuditScope, *, only: Q) -> set[int]:
    """The ids of the events of the scope that match `only` and are not chained yet: those of the last second."""
    unchained = AuditEvent.objects.filter(only, position__isnull=True)
    return {pk for condition in scope for pk in unchained.filter(condition).values_list("pk", flat=True)}


def list_recent(scope: AuditScope, *, only: Q, size: int, among: int) -> list[AuditEvent]:
    """The `size` newest that match `only`, of the last `among` events of each condition: however long the trail is.

    For conditions that no index serves: looking for the one match in a million events would read them all.
    """
    found: dict[int, AuditEvent] = {}
    for condition in scope:
        last = AuditEvent.objects.filter(condition).order_by("-pk").values("pk")[:among]
        # As no index orders them: else PostgreSQL walks the whole trail from its end, to meet these on the way.
        rows = AuditEvent.objects.filter(pk__in=last).filter(only).order_by(Coalesce("pk", "pk").desc())[:size]
        found.update({event.pk: event for event in rows})
    return sorted(found.values(), key=lambda event: -event.pk)[:size]


def _newest(scope: AuditScope, size: int, only: Q, before: int | None) -> list[AuditEvent]:
    if before is not None:
        only &= Q(pk__lt=before)
    return sorted(_of_all_conditions(scope, only, "-pk", size), key=lambda event: -event.pk)[: size + 1]


def _oldest(scope: AuditScope, size: int, only: Q, after: int) -> list[AuditEvent]:
    return sorted(_of_all_conditions(scope, only & Q(pk__gt=after), "pk", size), key=lambda event: event.pk)[: size + 1]


def _of_all_conditions(scope: AuditScope, only: Q, order: str, size: int) -> list[AuditEvent]:
    """One row more than fits of each condition, each event once."""
    found = {}
    for condition in scope:
        rows = AuditEvent.objects.filter(condition).filter(only).order_by(order)[: size + 1]
        found.update({event.pk: event for event in rows})
    return list(found.values())


MOST_WORDS: Final = 6
SHORTEST: Final = 3  # letters: every second sentence has an "a" in it
_PLACEHOLDERS: Final = re.compile(r"%\(\w+\)s")


def matches_words(text: str) -> Q:
    """Events of which each word of `text` is in the sentence, or in the name of the event; or of a request's id."""
    condition = Q()
    for word in text.split()[:MOST_WORDS]:
        found = Q(search_text__icontains=word)
        tags = find_event_types(word)
        condition &= found | Q(tag__in=tags) if tags else found
    return condition | Q(request_id=text) if condition else condition


def find_event_types(word: str) -> list[str]:
    """The events whose name, or whose sentence in the active language, has this word in it."""
    word = word.lower()
    if len(word) < SHORTEST:
        return []
    return [tag for tag, words in _words(get_language() or "") if word in words]


@lru_cache(maxsize=8)
def _words(_language: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (tag.value, f"{tag.value} {_PLACEHOLDERS.sub('', str(said))}".lower()) for tag, said in SENTENCES.items()
    )
