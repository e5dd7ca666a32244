"""When a delivery is tried, and by whom: the queue of deliveries (wire protocol §6: six tries within two days).

A service that changes deliveries holds the row of their webhook. So a paused or removed webhook gets nothing, two
workers never take the same try, and locks have one order. The worker that moves `next_attempt_at` on has the delivery
until then, and with `leased_until` its webhook, whose events go one after the other whichever worker sends them. What
a killed worker had is taken again after that, under the same event id.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Min, QuerySet
from django.db.models.functions import Coalesce

from connectors.models import Webhook, WebhookAttempt, WebhookDelivery
from connectors.webhooks import authorization, signing
from connectors.webhooks.authorization import deactivate, stop_deliveries
from connectors.webhooks.signing import PreparedRequest
from kaizala_console.lib import clock, crypto, outbox
from kaizala_console.lib.circuit_breaker import CircuitBreaker

logger = structlog.get_logger(__name__)
State = WebhookDelivery.State

LOOK_AGAIN: Final = dt.timedelta(minutes=10)  # at what waits because the access is suspended
LOOKED_AT: Final = 4  # candidates for each free place: some will not do
CHOICES: Final = 8
_FAILING: Final = "troubled"

TRIES: Final = 6
SPAN: Final = dt.timedelta(days=2)
# 90 seconds, 9 minutes, 54 minutes, 5.4 hours, 32.4 hours: 39 hours in all, and 47 when chance adds a fifth each time.
FIRST: Final = dt.timedelta(seconds=90)
FACTOR: Final = 6
SPREAD: Final = 0.2
LATER: Final = 0.05  # at the most, of what a receiver asks for: it does not want all of them back at one moment either
LAST_CALL: Final = dt.timedelta(minutes=5)  # before the two days are over
_dice: Final = SystemRandom()


def get_pause(tries: int, dice: Random = _dice) -> dt.timedelta | None:
    """How long to wait after so many failed tries; None when there is no other try."""
    if tries >= TRIES:
        return None
    return spread_pause(FIRST * FACTOR ** (max(tries, 1) - 1), dice)


def get_pause_until_next(
    tries: int, first_tried_at: dt.datetime, at: dt.datetime, asked: dt.timedelta | None = None, dice: Random = _dice
) -> dt.timedelta | None:
    """`get_pause`, or what the receiver `asked` for when that is longer, within two days; None when they are over."""
    pause = get_pause(tries, dice)
    if pause is None:
        return None
    if asked is not None and asked > pause:
        pause = asked * dice.uniform(1, 1 + LATER)
    left = get_last_attempt_at(first_tried_at) - at
    return min(pause, left) if left > dt.timedelta() else None


def get_last_attempt_at(first_tried_at: dt.datetime) -> dt.datetime:
    """When a delivery is tried for the last time at the latest."""
    return first_tried_at + SPAN - LAST_CALL


def spread_pause(pause: dt.timedelta, dice: Random = _dice) -> dt.timedelta:
    """A pause a little longer or shorter, so that not all come back at one moment."""
    return pause * dice.uniform(1 - SPREAD, 1 + SPREAD)


def is_spent(tries: int, first_tried_at: dt.datetime | None, at: dt.datetime) -> bool:
    """Whether a delivery has had its tries, or its two days, at `at`."""
    return tries >= TRIES or (first_tried_at is not None and at - first_tried_at >= SPAN)


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that is this worker's until `leased_until`, and what is to be sent."""

    delivery: WebhookDelivery
    webhook: Webhook
    at: dt.datetime
    leased_until: dt.datetime
    prepared: PreparedRequest


def get_circuit(webhook: Webhook) -> CircuitBreaker:
    """A host that gives one connector no answer is left alone by that connector; others on that host go on."""
    return CircuitBreaker(f"webhook:{webhook.connector_id}:{webhook.host}")


def lease_duration() -> dt.timedelta:
    """Longer than any try: the time that it may take, and what a name server may add before it begins."""
    return dt.timedelta(seconds=settings.WEBHOOK_SECONDS + 80)


def claim_due(limit: ConcurrencyLimit) -> tuple[list[ClaimedDelivery], bool]:
    """Take what is due and has a place, the longest due first; of each ordering_key the first alone.

    Also tells whether another look may find more: something was put off or settled, or not all was looked at.
    """
    now = clock.now()
    most = limit.free * LOOKED_AT
    found = list(_candidates(limit, now)[:most])
    is_all = len(found) < most
    # Workers that look at the same moment choose the same: who is second chooses from what the first has left.
    for _choice in range(CHOICES):
        chosen = limit.choose(found)
        if not chosen:
            break
        taken, moved = _claim(chosen, limit, now)
        if taken or moved:
            return taken, moved or not is_all or len(taken) < len(chosen)
        missed = {delivery.webhook_id for delivery in chosen}
        found = [delivery for delivery in found if delivery.webhook_id not in missed]
    return [], False


def _claim(
    chosen: Sequence[WebhookDelivery], limit: ConcurrencyLimit, now: dt.datetime
) -> tuple[list[ClaimedDelivery], bool]:
    """What could be taken of these; and whether some of them were put off or settled."""
    resting = _find_open_circuits(delivery.webhook for delivery in chosen)
    with transaction.atomic():
        webhooks = {
            row.pk: row for row in get_locked_webhooks({delivery.webhook_id for delivery in chosen}, skip_locked=True)
        }
        # As they are now: the worker that had the row before may have sent them, or taken them out.
        rows = WebhookDelivery.objects.due(now).filter(pk__in=[row.pk for row in chosen], webhook__in=webhooks)
        reach = authorization.GrantReach()
        taken, moved = [], False
        for delivery in rows.select_related("event").order_by("next_attempt_at", "pk"):
            webhook = webhooks[delivery.webhook_id]
            if not outbox.is_free(webhook.leased_until, now, lease_duration()) or not limit.has_room_for(webhook):
                continue
            if not _is_sendable(delivery, webhook, reach, now) or _is_backing_off(delivery, webhook, now):
                moved = True
            elif (webhook.connector_id, webhook.host) in resting:
                _postpone(delivery, now, spread_pause(dt.timedelta(seconds=get_circuit(webhook).seconds)))
                moved = True
            else:
                try:
                    prepared = signing.prepare_request(webhook, delivery.event, now)
                except crypto.WrongKey:
                    _wait_for_key(delivery, now)
                    moved = True
                    continue
                limit.acquire(webhook)
                taken.append(_to_claimed(delivery, webhook, prepared, now))
        _lease(taken, now)
    return taken, moved


def correct_clock() -> int:
    """Make due what was scheduled while the clock was ahead; the number of them."""
    return outbox.correct_clock(WebhookDelivery.objects.waiting(), clock.now())


def release_strays() -> int:
    """Queue what is kept for a webhook that woke at the very moment at which the event was written down."""
    strays = WebhookDelivery.objects.filter(state=State.HELD, webhook__in=Webhook.objects.active())
    found = set(strays.values_list("webhook_id", flat=True)[:500])
    if not found:
        return 0
    with transaction.atomic():
        awake = [webhook.pk for webhook in get_locked_webhooks(found) if webhook.is_active]
        return requeue(WebhookDelivery.objects.filter(state=State.HELD, webhook__in=awake))


def requeue(deliveries: QuerySet[WebhookDelivery]) -> int:
    """Queue deliveries again, with all their tries; for services that hold their webhook's row. Return how many."""
    return deliveries.exclude(state=State.WAITING).update(
        state=State.WAITING, tries=0, first_tried_at=None, finished_at=None, **outbox.schedule(clock.now())
    )


def _candidates(limit: ConcurrencyLimit, now: dt.datetime) -> QuerySet[WebhookDelivery]:
    heads = WebhookDelivery.objects.waiting().order_by().values("webhook_id", "ordering_key").annotate(head=Min("pk"))
    found = WebhookDelivery.objects.due(now).filter(
        outbox.free("webhook__leased_until", now, lease_duration()), pk__in=heads.values("head")
    )
    if connectors := limit.full_connectors():
        found = found.exclude(webhook__connector_id__in=connectors)
    if hosts := limit.full_hosts():
        found = found.exclude(webhook__host__in=hosts)
    if limit.is_full_of_failing:
        found = found.filter(webhook__failures=0)
    wanted = ("webhook__connector_id", "webhook__host", "webhook__failures")  # what `limit` asks for
    return found.select_related("webhook").only("webhook_id", *wanted).order_by("next_attempt_at", "pk")


def get_locked_webhooks(webhook_ids: Iterable[UUID], *, skip_locked: bool = False) -> QuerySet[Webhook]:
    return (
        Webhook.objects.select_for_update(of=("self",), no_key=True, skip_locked=skip_locked)
        .filter(pk__in=list(webhook_ids))
        .select_related("grant", "connector__organisation", "connector__owner")
        .order_by("pk")
    )


def _find_open_circuits(webhooks: Iterable[Webhook]) -> set[tuple[UUID, str]]:
    """The connectors and hosts between which nothing goes for now."""
    circuits = {(webhook.connector_id, webhook.host): get_circuit(webhook) for webhook in webhooks}
    return {key for key, circuit in circuits.items() if not circuit.allows()}


def _is_sendable(
    delivery: WebhookDelivery, webhook: Webhook, reach: authorization.GrantReach, now: dt.datetime
) -> bool:
    """Whether it may be sent at this moment; else it is dropped, kept or put off, and the webhook ended, as is due."""
    event = delivery.event
    if not webhook.is_active:
        kept = webhook.deleted_at is None and webhook.inactive_because in Webhook.BUFFERING_STATES
        stop_deliveries(webhook, State.HELD if kept else State.DROPPED)
        return False
    over = authorization.inactive_reason(webhook, now)
    if not over and authorization.is_suspended(webhook):
        _postpone(delivery, now, LOOK_AGAIN)
        return False
    if not over and reach.has_lost_its_object(webhook, event.group_id):
        over = Webhook.InactiveReason.REACH.value
    if over:
        deactivate(webhook, over)
        return False
    if not reach.may_have(webhook, event.group_id, event.only_for):
        _finish(delivery.pk, State.DROPPED, now)
        return False
    if is_spent(delivery.tries, delivery.first_tried_at, now):
        give_up(delivery, webhook, now)
        return False
    return True


def _to_claimed(
    delivery: WebhookDelivery, webhook: Webhook, prepared: PreparedRequest, now: dt.datetime
) -> ClaimedDelivery:
    delivery.tries += 1
    delivery.first_tried_at = delivery.first_tried_at or now
    return ClaimedDelivery(delivery, webhook, now, now + lease_duration(), prepared)


def _lease(taken: Sequence[ClaimedDelivery], now: dt.datetime) -> None:
    """These are this worker's, and so are their webhooks."""
    if not taken:
        return
    until = now + lease_duration()
    WebhookDelivery.objects.filter(pk__in=[mine.delivery.pk for mine in taken]).update(
        tries=F("tries") + 1, first_tried_at=Coalesce("first_tried_at", now), **outbox.schedule(now, lease_duration())
    )
    Webhook.objects.filter(pk__in=[mine.webhook.pk for mine in taken]).update(leased_until=until)


def _postpone(delivery: WebhookDelivery, now: dt.datetime, pause: dt.timedelta) -> None:
    """Not a try: nothing was sent."""
    WebhookDelivery.objects.due(now).filter(pk=delivery.pk).update(**outbox.schedule(now, pause))


def _wait_for_key(delivery: WebhookDelivery, now: dt.datetime) -> None:
    """Hold a delivery that cannot be signed until the operator restores the key, and say so once in its log.

    Not a try, and no failure of the receiver: its two days begin when it can be sent.
    """
    WebhookDelivery.objects.due(now).filter(pk=delivery.pk).update(
        tries=0, first_tried_at=None, **outbox.schedule(now, LOOK_AGAIN)
    )
    if not delivery.attempts.filter(problem=WebhookAttempt.Problem.KEY).exists():
        WebhookAttempt.objects.create(delivery=delivery, began_at=now, problem=WebhookAttempt.Problem.KEY)
    logger.error("webhooks.encryption_key_missing", webhook=str(delivery.webhook_id), delivery=delivery.pk)


def _is_backing_off(delivery: WebhookDelivery, webhook: Webhook, now: dt.datetime) -> bool:
    """Whether it was put off, because the receiver has asked to be left alone; what has its last chance goes."""
    until = webhook.backoff_until
    if until is None or until <= now:
        return False
    if delivery.first_tried_at is not None:
        until = min(until, get_last_attempt_at(delivery.first_tried_at))
    if until <= now:
        return False
    _postpone(delivery, now, until - now)
    return True


def give_up(delivery: WebhookDelivery, webhook: Webhook, now: dt.datetime) -> None:
    _finish(delivery.pk, State.FAILED, now)
    deactivate(webhook, Webhook.InactiveReason.FAILED)


def _finish(delivery_id: int, state: State, now: dt.datetime) -> None:
    WebhookDelivery.objects.waiting().filter(pk=delivery_id).update(
        state=state.value, next_attempt_at=None, finished_at=now
    )


class ConcurrencyLimit:
    """A webhook has one place: its events go one after the other, in the order in which they happened.

    Of all places, a connector has a quarter and a host a half, rounded up to one. Webhooks whose last try failed share
    a half, so that the other half is always for those that answer.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._most = {"webhook": 1, "connector": max(1, total // 4), "host": max(1, total // 2)}
        self._most_troubled = max(1, total // 2)
        self._taken: Counter[Hashable] = Counter()
        self._all = 0

    @property
    def free(self) -> int:
        return self.total - self._all

    @property
    def is_short(self) -> bool:
        """Whether somebody's share is used up, so that more may wait than this turn has places for."""
        return self.free < 1 or bool(self.full_connectors() or self.full_hosts()) or self.is_full_of_failing

    def has_room_for(self, webhook: Webhook) -> bool:
        """Whether one more of this webhook may go."""
        if self.free < 1 or (webhook.failures and self.is_full_of_failing):
            return False
        return all(self._taken[key] < self._most[key[0]] for key in _shares(webhook))

    def acquire(self, webhook: Webhook) -> None:
        self._count(webhook, 1)

    def release(self, webhook: Webhook) -> None:
        """The same webhook, as it was when the place was taken."""
        self._count(webhook, -1)

    def choose(self, deliveries: Iterable[WebhookDelivery]) -> list[WebhookDelivery]:
        """Those of them that have a place if all before them that have one take it. None is taken by this."""
        chosen: list[WebhookDelivery] = []
        for delivery in deliveries:
            if self.has_room_for(delivery.webhook):
                self.acquire(delivery.webhook)
                chosen.append(delivery)
        for delivery in chosen:
            self.release(delivery.webhook)
        return chosen

    @property
    def is_full_of_failing(self) -> bool:
        return self._taken[_FAILING] >= self._most_troubled

    def full_connectors(self) -> list[UUID]:
        """The connectors that have all their places, for a query to leave out."""
        return self._full("connector")

    def full_hosts(self) -> list[str]:
        return self._full("host")

    def _full(self, kind: str) -> list:
        most = self._most[kind]
        return [
            key[1] for key, count in self._taken.items() if isinstance(key, tuple) and key[0] == kind and count >= most
        ]

    def _count(self, webhook: Webhook, by: int) -> None:
        self._all += by
        for key in (*_shares(webhook), *([_FAILING] if webhook.failures else [])):
            self._taken[key] += by
            if not self._taken[key]:
                del self._taken[key]


def _shares(webhook: Webhook) -> tuple[tuple[str, Hashable], ...]:
    return ("webhook", webhook.pk), ("connector", webhook.connector_id), ("host", webhook.host)
