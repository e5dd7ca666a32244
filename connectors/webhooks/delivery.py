"""The worker's turn: many deliveries under way at once, in threads that do nothing but wait for the other side.

A worker process runs one turn at a time, however many of its threads are woken; several processes run one each, and
never send the same webhook's events side by side (`queue`). All rows are read and written by the turn's own thread, so
that a turn needs one database connection, however many threads it has.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import F, Min, QuerySet
from django.db.models.functions import Coalesce

from connectors.models import Webhook, WebhookAttempt, WebhookDelivery
from connectors.webhooks import authorization, dispatch, message, schedule, sender
from connectors.webhooks.ending import end, stop_deliveries
from connectors.webhooks.sender import DeliveryOutcome, PreparedRequest
from kaizala_console.lib import clock, crypto, outbox
from kaizala_console.lib.circuit_breaker import Circuit

# ----------------------------------------------------------------------------------------------------
# The queue of deliveries: taking the next ones, and writing down what became of them.
#
# Whoever changes deliveries that exist holds the row of their webhook. So what was paused or removed is not taken any
# more, two workers never take the same try, and locks have one order. Whoever moves `next_attempt_at` on has a delivery
# until then, and with `leased_until` its webhook, whose events go one after the other whoever sends them: what a killed
# worker had is taken again after that, under the same event id.


logger = structlog.get_logger(__name__)

State = WebhookDelivery.State
LOOK_AGAIN: Final = dt.timedelta(minutes=10)  # at what waits because the access is suspended
LOOKED_AT: Final = 4  # candidates for each free place: some will not do
CHOICES: Final = 8


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that is this worker's until `leased_until`, and what is to be sent."""

    delivery: WebhookDelivery
    webhook: Webhook
    at: dt.datetime
    leased_until: dt.datetime
    prepared: PreparedRequest


def get_circuit(webhook: Webhook) -> Circuit:
    """A host that gives one connector no answer is left alone by that connector; others on that host go on."""
    return Circuit(f"webhook:{webhook.connector_id}:{webhook.host}")


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
        webhooks = {row.pk: row for row in _locked({delivery.webhook_id for delivery in chosen}, skip_locked=True)}
        # As they are now: whoever had a webhook's row before may have sent them, or taken them out.
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
                _postpone(delivery, now, schedule.spread(dt.timedelta(seconds=get_circuit(webhook).seconds)))
                moved = True
            else:
                try:
                    prepared = message.prepare(webhook, delivery.event, now)
                except crypto.WrongKey:
                    _wait_for_key(delivery, now)
                    moved = True
                    continue
                limit.acquire(webhook)
                taken.append(_claimed(delivery, webhook, prepared, now))
        _lease(taken, now)
    return taken, moved


@transaction.atomic
def record(done: Sequence[tuple[ClaimedDelivery, DeliveryOutcome]]) -> None:
    """Write down what came back, and when what failed is tried again; the sixth failure stops the webhook."""
    now = clock.now()
    held = Webhook.objects.select_for_update(no_key=True).filter(pk__in={taken.webhook.pk for taken, _outcome in done})
    list(held.order_by("pk").values_list("pk"))
    # A log that was old enough may have been swept meanwhile; what is still there stays until this is written.
    rows = WebhookDelivery.objects.select_for_update(no_key=True).filter(
        pk__in=[taken.delivery.pk for taken, _ in done]
    )
    there = set(rows.order_by("pk").values_list("pk", flat=True))
    done = [(taken, outcome) for taken, outcome in done if taken.delivery.pk in there]
    WebhookAttempt.objects.bulk_create(
        WebhookAttempt(
            delivery=taken.delivery,
            began_at=taken.at,
            milliseconds=outcome.milliseconds,
            status=outcome.status,
            problem=outcome.problem,
            answer_headers=outcome.answer.headers,
            answer_body=outcome.answer.body,
            answer_text=outcome.answer.text,
        )
        for taken, outcome in done
    )
    for lease_end in {taken.leased_until for taken, _outcome in done}:
        mine = [taken.webhook.pk for taken, _outcome in done if taken.leased_until == lease_end]
        Webhook.objects.filter(pk__in=mine, leased_until=lease_end).update(leased_until=None)
    arrived = [taken for taken, outcome in done if outcome.is_success]
    # Whatever was decided about it meanwhile: it has arrived.
    WebhookDelivery.objects.filter(pk__in=[taken.delivery.pk for taken in arrived]).update(
        state=State.DELIVERED, next_attempt_at=None, finished_at=now
    )
    Webhook.objects.filter(pk__in={taken.webhook.pk for taken in arrived}).update(failures=0, delivered_at=now)
    failed = [(taken, outcome) for taken, outcome in done if not outcome.is_success]
    webhooks = {row.pk: row for row in _locked({taken.webhook.pk for taken, _outcome in failed})} if failed else {}
    for taken, outcome in failed:
        _failed(taken, webhooks[taken.webhook.pk], now, outcome.retry_after)


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
        awake = [webhook.pk for webhook in _locked(found) if webhook.is_active]
        return requeue(WebhookDelivery.objects.filter(state=State.HELD, webhook__in=awake))


def requeue(deliveries: QuerySet[WebhookDelivery]) -> int:
    """Queue deliveries anew, with all their tries; for whoever holds their webhook's row. The number of them."""
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


def _locked(webhook_ids: Iterable[UUID], *, skip_locked: bool = False) -> QuerySet[Webhook]:
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
        end(webhook, over)
        return False
    if not reach.may_have(webhook, event.group_id, event.only_for):
        _finish(delivery.pk, State.DROPPED, now)
        return False
    if schedule.is_spent(delivery.tries, delivery.first_tried_at, now):
        _give_up(delivery, webhook, now)
        return False
    return True


def _claimed(
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
        until = min(until, schedule.last_attempt_at(delivery.first_tried_at))
    if until <= now:
        return False
    _postpone(delivery, now, until - now)
    return True


def _failed(taken: ClaimedDelivery, webhook: Webhook, now: dt.datetime, asked: dt.timedelta | None) -> None:
    delivery = taken.delivery
    Webhook.objects.filter(pk=webhook.pk).update(
        failures=F("failures") + 1, **({"backoff_until": now + asked} if asked is not None else {})
    )
    pause = schedule.pause_until_next(delivery.tries, delivery.first_tried_at or taken.at, now, asked)
    still_mine = WebhookDelivery.objects.filter(pk=delivery.pk, state=State.WAITING, next_attempt_at=taken.leased_until)
    if pause is not None:
        still_mine.update(**outbox.schedule(now, pause))
    elif still_mine.exists():
        _give_up(delivery, webhook, now)


def _give_up(delivery: WebhookDelivery, webhook: Webhook, now: dt.datetime) -> None:
    _finish(delivery.pk, State.FAILED, now)
    end(webhook, Webhook.InactiveReason.FAILED)


def _finish(delivery_id: int, state: State, now: dt.datetime) -> None:
    WebhookDelivery.objects.waiting().filter(pk=delivery_id).update(
        state=state.value, next_attempt_at=None, finished_at=now
    )


RUN_SECONDS: Final = 60.0  # then the worker's thread is given back, and another message asks for the next turn
_PATIENCE: Final = 1.0  # how long new rows wait while all that was due is under way
# Not in the cache: a killed process takes it along, and nobody waits for it.
_run_lock = threading.Lock()


def deliver_due(*, seconds: float = RUN_SECONDS) -> int:
    """Deliver what is due, and what comes due meanwhile, until nothing is left or the turn is over; how many tries.

    While another thread of this process is at it, it is left to that one.
    """
    correct_clock()
    ends, tries = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        if not _run_lock.acquire(blocking=False):
            return tries
        try:
            tries += DeliveryRun().run(until=ends)
        finally:
            _run_lock.release()
        # Whoever was sent here while the turn was ours has gone again.
        if time.monotonic() < ends and not cache.get(dispatch.NOTIFIED_KEY):
            return tries
    cache.delete(dispatch.NOTIFIED_KEY)
    dispatch.notify_worker()
    return tries


class DeliveryRun:
    """What is under way, and who has which place."""

    def __init__(self) -> None:
        self._slots = ConcurrencyLimit(settings.WEBHOOK_THREADS)
        self._under_way: dict[Future[DeliveryOutcome], ClaimedDelivery] = {}
        self._tries = 0

    def run(self, *, until: float) -> int:
        """Work until nothing is due and nothing under way; after `until` (of the monotonic clock) nothing is begun."""
        with ThreadPoolExecutor(self._slots.total, thread_name_prefix="webhooks") as threads:
            while True:
                if time.monotonic() < until:
                    self._begin(threads)
                if not self._under_way:
                    return self._tries
                wait(self._under_way, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
                self._finish()

    def _begin(self, threads: ThreadPoolExecutor) -> None:
        # Before the look: whoever writes a row after it sends another message.
        cache.delete(dispatch.NOTIFIED_KEY)
        while self._slots.free:
            taken, may_find_more = claim_due(self._slots)
            for each in taken:
                future = threads.submit(sender.send, each.prepared, seconds=settings.WEBHOOK_SECONDS)
                self._under_way[future] = each
            self._tries += len(taken)
            if not may_find_more:
                break
        if self._slots.is_short:
            dispatch.notify_another_worker()

    def _finish(self) -> None:
        done = [(self._under_way.pop(future), future.result()) for future in list(self._under_way) if future.done()]
        if not done:
            return
        for taken, outcome in done:
            self._slots.release(taken.webhook)
            if outcome.is_down:
                get_circuit(taken.webhook).failed()
        for circuit in {get_circuit(taken.webhook) for taken, outcome in done if not outcome.is_down}:
            circuit.succeeded()
        record(done)


# ----------------------------------------------------------------------------------------------------
# How many deliveries of one turn may be under way at once, and of whom: nobody's slowness may take everybody's place.
#
# Every worker process counts its own: a share of each turn's places is that share of all of them. Pure.


_FAILING: Final = "troubled"


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
