"""Looks through the audit trail for whatever the console did not write so. See docs/adr/0020-audit-chain.md."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count, Min

from accounts.audit import marks, seals
from accounts.audit.canonical import GENESIS, hash_of
from accounts.audit.chain import spelled
from accounts.models import AuditEvent, AuditSeal, User
from kaizala_console.lib import clock, crypto

LEFT_BEHIND_AFTER = dt.timedelta(minutes=10)
ACCOUNTS_COME_FIRST = dt.timedelta(hours=1)
MOST_OF_A_KIND = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the trail that the console did not write so. `event_id` is None when the row is gone."""

    kind: str
    position: int | None
    event_id: int | None
    says: str


def verify() -> Iterator[Fault]:
    """Everything in the trail that the console did not write so, in the order of the chain.

    The console goes on meanwhile. So the rows up to the newest seal are read after the seals, and what has come behind
    it before the seals are read once more: then each row that is the console's has its seal.
    """
    walk = _Walk(_seals(), _Peppers())
    chained = AuditEvent.objects.filter(position__isnull=False).order_by("position")
    for event in chained.filter(position__lte=walk.newest).iterator(chunk_size=2000):
        yield from walk.on_to(event)
    missing = sorted(walk.seals)
    behind = list(chained.filter(position__gt=walk.newest))
    walk.seals = _seals()
    for event in behind:
        yield from walk.on_to(event)
    yield from _of_the_end(walk, missing)
    yield from _of_those_that_wait(walk.peppers)
    yield from _of_copies()
    yield from _of_the_beginning()


def _seals() -> dict[int, AuditSeal]:
    return {seal.position: seal for seal in AuditSeal.objects.all()}


class _Walk:
    """Along the chain, an event at a time; `seals` are those that were not met yet."""

    def __init__(self, seals_by_position: dict[int, AuditSeal], peppers: _Peppers) -> None:
        self.peppers = peppers
        self.position, self.previous = 0, GENESIS
        self.seals = seals_by_position

    @property
    def seals(self) -> dict[int, AuditSeal]:
        return self._seals

    @seals.setter
    def seals(self, seals_by_position: dict[int, AuditSeal]) -> None:
        self._seals = seals_by_position
        self.newest = max(seals_by_position, default=0)

    def on_to(self, event: AuditEvent) -> Iterator[Fault]:
        """What is wrong with the next event, with its link to the one before it, and with its seal."""
        here, expected = int(event.position or 0), self.position + 1
        if here != expected:
            yield Fault("removed", expected, None, _missing(expected, here - 1))
        if hash_of(spelled(event), event.previous_hash) != event.hash:
            yield Fault("changed", here, event.pk, f"Event {event.pk} was changed, or moved here.")
        else:
            yield from _of_mark(event, self.peppers)
        if here == expected and event.previous_hash != self.previous:
            yield Fault("broken", here, event.pk, f"Event {event.pk} does not follow from the one before it.")
        seal = self.seals.pop(here, None)
        if seal is not None:
            yield from _of_seal(seal, event, self.peppers, is_newest=here == self.newest)
        self.position, self.previous = here, event.hash


class _Peppers:
    """Those that have left the ring, each told once: all that was made with one is as doubtful as the first."""

    def __init__(self) -> None:
        self.told: set[str] = set()

    def fault(self, key_id: str, what: str, position: int | None, event_id: int | None) -> Iterator[Fault]:
        if key_id not in self.told:
            self.told.add(key_id)
            says = f"{what} needs the pepper {key_id!r}, which has left the ring: put it back to verify what it made."
            yield Fault("unknown-key", position, event_id, says)


def _of_mark(event: AuditEvent, peppers: _Peppers) -> Iterator[Fault]:
    try:
        marks.check(event)
    except marks.NoMark:
        says = (
            f"Event {event.pk} does not carry the console's mark: it was added from outside, or changed together with "
            "its hash."
        )
        yield Fault("unmarked", event.position, event.pk, says)
    except crypto.UnknownKey:
        key_id = event.mark.partition(".")[0]
        yield from peppers.fault(key_id, f"The mark of event {event.pk}", event.position, event.pk)


def _of_seal(seal: AuditSeal, event: AuditEvent, peppers: _Peppers, *, is_newest: bool) -> Iterator[Fault]:
    try:
        ends, went_on = seals.says_it_ends(seal), seals.says_it_went_on(seal)
    except crypto.UnknownKey:
        yield from peppers.fault(seal.key_id, f"The seal at position {seal.position}", seal.position, event.pk)
        return
    if seal.hash != event.hash or not (ends or went_on):
        says = f"The chain up to position {seal.position} is not the one that the console sealed: it was rewritten."
        yield Fault("rewritten", seal.position, event.pk, says)
    elif is_newest and went_on:
        says = f"The trail went on after position {seal.position}: what followed was removed, with its seals."
        yield Fault("removed", seal.position + 1, None, says)
    elif ends and not is_newest:
        says = f"The trail ended at position {seal.position} when it was sealed: the seals behind it are none of it."
        yield Fault("rewritten", seal.position, event.pk, says)


def _of_the_end(walk: _Walk, missing: list[int]) -> Iterator[Fault]:
    for gone in missing:
        yield Fault("removed", gone, None, f"The event at position {gone}, which was sealed, is missing.")
    if walk.position > walk.newest:
        says = (
            f"The events from position {walk.newest + 1} to {walk.position} carry no seal: they were added from "
            "outside, or the console would not seal them because of what is wrong before them."
        )
        yield Fault("inserted", walk.newest + 1, None, says)


def _of_those_that_wait(peppers: _Peppers) -> Iterator[Fault]:
    """Rows without a place yet: none is older than moments, and each carries its mark."""
    waiting = AuditEvent.objects.filter(position__isnull=True).order_by("pk")
    for event in waiting[:MOST_OF_A_KIND]:
        yield from _of_mark(event, peppers)
        if event.at < clock.now() - LEFT_BEHIND_AFTER:
            says = f"Event {event.pk} is not chained: it was added from outside, or the worker has not run since."
            yield Fault("unchained", None, event.pk, says)


def _of_copies() -> Iterator[Fault]:
    """A mark is made for one event alone."""
    twice = AuditEvent.objects.order_by().exclude(mark="").values("mark").annotate(rows=Count("pk")).filter(rows__gt=1)
    copies = AuditEvent.objects.filter(mark__in=twice.values("mark")).order_by("pk")
    for event_id, position in copies.values_list("pk", "position")[:MOST_OF_A_KIND]:
        says = f"Event {event_id} carries the same mark as another one: one of the two is a copy, added from outside."
        yield Fault("copied", position, event_id, says)


def _of_the_beginning() -> Iterator[Fault]:
    """Whoever signs in is in the trail; so a trail that begins later than they came has lost its beginning."""
    came = User.objects.aggregate(first=Min("last_login"))["first"]
    began = AuditEvent.objects.aggregate(first=Min("at"))["first"]
    if came is not None and (began is None or began > came + ACCOUNTS_COME_FIRST):
        says = f"Somebody signed in on {came:%Y-%m-%d %H:%M} UTC, and the trail has nothing of then: it was emptied."
        yield Fault("emptied", None, None, says)


def _missing(first: int, last: int) -> str:
    if first == last:
        return f"The event at position {first} is missing."
    return f"The events from position {first} to {last} are missing."
