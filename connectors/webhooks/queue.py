"""The queue of deliveries: taking the next ones, and writing down what became of them.

Whoever changes deliveries that exist holds the row of their webhook. So what was paused or removed is not taken any
more, two workers never take the same try, and locks have one order. Whoever moves `next_attempt_at` on has a delivery
until then, and with `busy_until` its webhook, whose events go one after the other whoever sends them: what a killed
worker had is taken again after that, under the same event id.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Min, QuerySet
from django.db.models.functions import Coalesce

from connectors.models import Webhook, WebhookAttempt, WebhookDelivery
from connectors.webhooks import authorization, message, schedule
from connectors.webhooks.concurrency import Slots
from connectors.webhooks.ending import end, stop_deliveries
from connectors.webhooks.sender import Outcome, Prepared
from kaizala_console.lib import clock, crypto, outbox
from kaizala_console.lib.circuit import Circuit

logger = structlog.get_logger(__name__)

State = WebhookDelivery.State
LOOK_AGAIN: Final = dt.timedelta(minutes=10)  # at what waits because the access is suspended
LOOKED_AT: Final = 4  # candidates for each free place: some will not do
CHOICES: Final = 8


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that is this worker's until `leased_until`, and what is to be sent."""

    delivery: WebhookDelivery
    webhook: Webhook
    at: dt.datetime
    leased_until: dt.datetime
    prepared: Prepared


def circuit_of(webhook: Webhook) -> Circuit:
    """A host that gives one connector no answer is left alone by that connector; others on that host go on."""
    return Circuit(f"webhook:{webhook.connector_id}:{webhook.host}")


def lease() -> dt.timedelta:
    """Longer than any try: the time that it may take, and what a name server may add before it begins."""
    return dt.timedelta(seconds=settings.WEBHOOK_SECONDS + 80)


def take(slots: Slots) -> tuple[list[Taken], bool]:
    """Take what is due and has a place, the longest due first; of each lane the first alone.

    Also tells whether another look may find more: something was put off or settled, or not all was looked at.
    """
    now = clock.now()
    most = slots.free * LOOKED_AT
    found = list(_candidates(slots, now)[:most])
    is_all = len(found) < most
    # Workers that look at the same moment choose the same: who is second chooses from what the first has left.
    for _choice in range(CHOICES):
        chosen = slots.choose(found)
        if not chosen:
            break
        taken, moved = _taken_of(chosen, slots, now)
        if taken or moved:
            return taken, moved or not is_all or len(taken) < len(chosen)
        missed = {delivery.webhook_id for delivery in chosen}
        found = [delivery for delivery in found if delivery.webhook_id not in missed]
    return [], False


def _taken_of(chosen: Sequence[WebhookDelivery], slots: Slots, now: dt.datetime) -> tuple[list[Taken], bool]:
    """What could be taken of these; and whether some of them were put off or settled."""
    resting = _resting(delivery.webhook for delivery in chosen)
    with transaction.atomic():
        webhooks = {row.pk: row for row in _locked({delivery.webhook_id for delivery in chosen}, skip_locked=True)}
        # As they are now: whoever had a webhook's row before may have sent them, or taken them out.
        rows = WebhookDelivery.objects.due(now).filter(pk__in=[row.pk for row in chosen], webhook__in=webhooks)
        reach = authorization.Reach()
        taken, moved = [], False
        for delivery in rows.select_related("event").order_by("next_attempt_at", "pk"):
            webhook = webhooks[delivery.webhook_id]
            if not outbox.is_free(webhook.busy_until, now, lease()) or not slots.allows(webhook):
                continue
            if not _may_go(delivery, webhook, reach, now) or _rests(delivery, webhook, now):
                moved = True
            elif (webhook.connector_id, webhook.host) in resting:
                _postpone(delivery, now, schedule.spread(dt.timedelta(seconds=circuit_of(webhook).seconds)))
                moved = True
            else:
                try:
                    prepared = message.prepare(webhook, delivery.event, now)
                except crypto.WrongKey:
                    _wait_for_key(delivery, now)
                    moved = True
                    continue
                slots.take(webhook)
                taken.append(_taken(delivery, webhook, prepared, now))
        _lease(taken, now)
    return taken, moved


@transaction.atomic
def record(done: Sequence[tuple[Taken, Outcome]]) -> None:
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
        Webhook.objects.filter(pk__in=mine, busy_until=lease_end).update(busy_until=None)
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


def _candidates(slots: Slots, now: dt.datetime) -> QuerySet[WebhookDelivery]:
    heads = WebhookDelivery.objects.waiting().order_by().values("webhook_id", "lane").annotate(head=Min("pk"))
    found = WebhookDelivery.objects.due(now).filter(
        outbox.free("webhook__busy_until", now, lease()), pk__in=heads.values("head")
    )
    if connectors := slots.full_connectors():
        found = found.exclude(webhook__connector_id__in=connectors)
    if hosts := slots.full_hosts():
        found = found.exclude(webhook__host__in=hosts)
    if slots.is_full_of_troubled:
        found = found.filter(webhook__failures=0)
    wanted = ("webhook__connector_id", "webhook__host", "webhook__failures")  # what `slots` asks for
    return found.select_related("webhook").only("webhook_id", *wanted).order_by("next_attempt_at", "pk")


def _locked(webhook_ids: Iterable[UUID], *, skip_locked: bool = False) -> QuerySet[Webhook]:
    return (
        Webhook.objects.select_for_update(of=("self",), no_key=True, skip_locked=skip_locked)
        .filter(pk__in=list(webhook_ids))
        .select_related("grant", "connector__organisation", "connector__owner")
        .order_by("pk")
    )


def _resting(webhooks: Iterable[Webhook]) -> set[tuple[UUID, str]]:
    """The connectors and hosts between which nothing goes for now."""
    circuits = {(webhook.connector_id, webhook.host): circuit_of(webhook) for webhook in webhooks}
    return {key for key, circuit in circuits.items() if not circuit.allows()}


def _may_go(delivery: WebhookDelivery, webhook: Webhook, reach: authorization.Reach, now: dt.datetime) -> bool:
    """Whether it may be sent at this moment; else it is dropped, kept or put off, and the webhook ended, as is due."""
    event = delivery.event
    if not webhook.is_active:
        kept = webhook.deleted_at is None and webhook.inactive_because in Webhook.BUFFERING_STATES
        stop_deliveries(webhook, State.HELD if kept else State.DROPPED)
        return False
    over = authorization.why_over(webhook, now)
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


def _taken(delivery: WebhookDelivery, webhook: Webhook, prepared: Prepared, now: dt.datetime) -> Taken:
    delivery.tries += 1
    delivery.first_tried_at = delivery.first_tried_at or now
    return Taken(delivery, webhook, now, now + lease(), prepared)


def _lease(taken: Sequence[Taken], now: dt.datetime) -> None:
    """These are this worker's, and so are their webhooks."""
    if not taken:
        return
    until = now + lease()
    WebhookDelivery.objects.filter(pk__in=[mine.delivery.pk for mine in taken]).update(
        tries=F("tries") + 1, first_tried_at=Coalesce("first_tried_at", now), **outbox.schedule(now, lease())
    )
    Webhook.objects.filter(pk__in=[mine.webhook.pk for mine in taken]).update(busy_until=until)


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


def _rests(delivery: WebhookDelivery, webhook: Webhook, now: dt.datetime) -> bool:
    """Whether it was put off, because the receiver has asked to be left alone; what has its last chance goes."""
    until = webhook.rests_until
    if until is None or until <= now:
        return False
    if delivery.first_tried_at is not None:
        until = min(until, schedule.last_moment(delivery.first_tried_at))
    if until <= now:
        return False
    _postpone(delivery, now, until - now)
    return True


def _failed(taken: Taken, webhook: Webhook, now: dt.datetime, asked: dt.timedelta | None) -> None:
    delivery = taken.delivery
    Webhook.objects.filter(pk=webhook.pk).update(
        failures=F("failures") + 1, **({"rests_until": now + asked} if asked is not None else {})
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
