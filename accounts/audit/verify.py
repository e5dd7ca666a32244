"""Looks through the audit trail for whatever the console did not write so. See docs/adr/0020-audit-chain.md."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count, Min

from accounts.audit import chain
from accounts.audit.canonical import GENESIS, compute_hash
from accounts.audit.chain import to_fields
from accounts.models import AuditCheckpoint, AuditEvent, User
from kaizala_console.lib import crypto

ACCOUNTS_COME_FIRST = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class AuditFault:
    """Something in the trail that the console did not write so. `event_id` is None when the row is gone."""

    kind: str
    position: int | None
    event_id: int | None
    says: str


def verify() -> Iterator[AuditFault]:
    """Yields everything in the trail that the console did not write so, in the order of the chain.

    The worker goes on meanwhile: what it has chained since is read between two looks at the checkpoint.
    """
    end = AuditCheckpoint.objects.first()
    walk = _ChainWalk()
    if end and end.pruned_to:  # the console signed that the trail begins later (retention.py)
        walk.position, walk.hash = end.pruned_to, end.pruned_hash
    chained = AuditEvent.objects.filter(position__isnull=False).order_by("position")
    if end is not None:
        for event in chained.filter(position__lte=end.position).iterator(chunk_size=2000):
            yield from walk.go_on(event)
        yield from _check_checkpoint(end, walk)
    for event in list(chained.filter(position__gt=walk.position)):
        yield from walk.go_on(event)
    end = AuditCheckpoint.objects.first()
    signed = end.position if end else 0
    if walk.position > signed:
        says = f"The events from position {signed + 1} to {walk.position} are not signed: they were added from outside."
        yield AuditFault("inserted", signed + 1, None, says)
    yield from _check_unchained()
    if not (end and end.pruned_to):
        yield from _check_beginning()


def describe_unchained() -> str:
    """How many events are not chained yet, and since when; empty when all are. No fault: the worker may be away."""
    found = AuditEvent.objects.filter(position__isnull=True).aggregate(number=Count("pk"), oldest=Min("at"))
    if not found["number"]:
        return ""
    return f"Events that are not chained yet: {found['number']}, the oldest of {found['oldest']:%Y-%m-%d %H:%M:%S} UTC."


class _ChainWalk:
    """Along the chain, an event at a time."""

    def __init__(self) -> None:
        self.position, self.hash = 0, GENESIS

    def go_on(self, event: AuditEvent) -> Iterator[AuditFault]:
        """What is wrong with the next event, and with its link to the one before it."""
        here, expected = int(event.position or 0), self.position + 1
        if here != expected:
            yield AuditFault("removed", expected, None, _missing(expected, here - 1))
        if compute_hash(to_fields(event), event.previous_hash) != event.hash:
            yield AuditFault("changed", here, event.pk, f"Event {event.pk} was changed, or moved here.")
        if here == expected and event.previous_hash != self.hash:
            yield AuditFault("broken", here, event.pk, f"Event {event.pk} does not follow from the one before it.")
        self.position, self.hash = here, event.hash


def _check_checkpoint(end: AuditCheckpoint, walk: _ChainWalk) -> Iterator[AuditFault]:
    try:
        if not chain.is_checkpoint_signed(end):
            says = f"The checkpoint at position {end.position} was not signed by the console: the chain was rewritten."
            yield AuditFault("rewritten", end.position, None, says)
    except crypto.UnknownKey:
        yield _unknown_key(end.key_id, "The checkpoint", end.position, None)
    if walk.position < end.position:
        yield AuditFault("removed", walk.position + 1, None, _missing(walk.position + 1, end.position))
    elif walk.hash != end.hash:
        says = f"The chain up to position {end.position} is not the one that the console signed: it was rewritten."
        yield AuditFault("rewritten", end.position, None, says)
    if end.broken_at is not None:
        says = (
            f"When the console chained position {end.broken_at}, what came before was not as it had signed it: events "
            "were removed, added or rewritten."
        )
        yield AuditFault("went-on", end.broken_at, None, says)


def _check_unchained() -> Iterator[AuditFault]:
    """Of the events that are not chained yet, those of which the console did not make the MAC."""
    named = set()
    for event in AuditEvent.objects.filter(position__isnull=True).order_by("pk").iterator(chunk_size=2000):
        try:
            if not event.has_own_mac():
                says = f"Event {event.pk} was not written by the console: it was added from outside."
                yield AuditFault("added", None, event.pk, says)
        except crypto.UnknownKey:
            key_id = event.mac.rsplit(".", 2)[0]
            if key_id not in named:
                yield _unknown_key(key_id, f"Event {event.pk}", None, event.pk)
            named.add(key_id)


def _check_beginning() -> Iterator[AuditFault]:
    """Whoever signs in is in the trail; so a trail that begins later than they came has lost its beginning."""
    came = User.objects.aggregate(first=Min("last_login"))["first"]
    began = AuditEvent.objects.aggregate(first=Min("at"))["first"]
    if came is not None and (began is None or began > came + ACCOUNTS_COME_FIRST):
        says = f"Somebody signed in on {came:%Y-%m-%d %H:%M} UTC, and the trail has nothing of then: it was emptied."
        yield AuditFault("emptied", None, None, says)


def _unknown_key(key_id: str, what: str, position: int | None, event_id: int | None) -> AuditFault:
    says = f"{what} needs the pepper {key_id!r}, which has left the ring: put it back to verify what it signed."
    return AuditFault("unknown-key", position, event_id, says)


def _missing(first: int, last: int) -> str:
    if first == last:
        return f"The event at position {first} is missing."
    return f"The events from position {first} to {last} are missing."
