"""Writing down what is to be told, in the transaction in which it happens. The rows are the queue.

A webhook that may not have an event gets no row of it: rights and reach are asked here, and once more before each try.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from celery import signature
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import CharField, DateTimeField, QuerySet
from django.urls import reverse

from connectors.models import Handoff, Webhook, WebhookDelivery, WebhookEvent
from connectors.webhooks import authorization
from connectors.webhooks.authorization import deactivate
from connectors.webhooks.events import Event, HandoffEvent, WebhookEventType, package_name
from kaizala_console.lib import clock
from kaizala_console.lib.background import after_commit
from kaizala_console.lib.prepared import Prepared

_BATCH: Final = 500

_State = WebhookDelivery.State


def publish(*events: Event, among: list[Webhook] | None = None) -> None:
    """Queue these events for every webhook that wants them, and wake a worker after the commit.

    Costs one indexed query when no webhook listens, and none with `among`, what `list_interested` gave. Call it inside
    the transaction of the act, with all of its events at once: what is rolled back is not sent. Raises RuntimeError
    outside a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("An event is published in the transaction of the act that it tells.")
    listening = _list_listening(events) if among is None else among
    if not listening:
        return
    now, reach = clock.now(), authorization.GrantReach()
    rows: list[WebhookEvent] = []
    deliveries: list[WebhookDelivery] = []
    for event in events:
        takers = [webhook for webhook in _list_takers(listening, event) if _may_have(webhook, event, reach, now)]
        if not takers:
            continue
        row = _to_row(event)
        rows.append(row)
        deliveries += [_to_delivery(webhook, row, event.action_id or event.group_id, now) for webhook in takers]
    _queue(rows, deliveries)


def _to_delivery(webhook: Webhook, event: WebhookEvent, ordering_key: UUID, now: dt.datetime) -> WebhookDelivery:
    return WebhookDelivery(
        webhook=webhook,
        event=event,
        event_type=event.event_type,
        ordering_key=ordering_key,
        state=_State.WAITING if webhook.is_active else _State.HELD,
        next_attempt_at=now if webhook.is_active else None,
        created_at=now,
    )


def _queue(events: list[WebhookEvent], deliveries: list[WebhookDelivery]) -> None:
    WebhookEvent.objects.bulk_create(events, batch_size=_BATCH)
    WebhookDelivery.objects.bulk_create(deliveries, batch_size=_BATCH)
    if any(delivery.state == _State.WAITING for delivery in deliveries):
        notify_worker()


def list_interested(
    group_id: UUID, *types: WebhookEventType, action_id: UUID | None = None, package_id: str = ""
) -> list[Webhook]:
    """The webhooks that might want events of one of these types; one query, for who would else build thousands."""
    asked = [Event(type=kind, group_id=group_id, data={}, action_id=action_id, package_id=package_id) for kind in types]
    listening = _list_listening(asked)
    return [webhook for webhook in listening if any(_list_takers([webhook], event) for event in asked)]


def _list_listening(events: Iterable[Event]) -> list[Webhook]:
    """The webhooks on anything that these events are about, those included that keep their events for later."""
    objects = {object_id for event in events for _kind, object_id in _list_objects(event)}
    if not objects:
        return []
    values = {f"object_{place}": object_id for place, object_id in enumerate(sorted(objects))}
    if len(objects) > _PREPARED_FOR:
        return list(_select_listening(clock.now(), **values))
    return _LISTENING[len(objects) - 1].all(at=clock.now(), **values)


def _select_listening(at: Any, **object_ids: Any) -> QuerySet[Webhook]:
    return (
        Webhook.objects.present()
        .under_right(at)
        .filter(object_id__in=list(object_ids.values()), inactive_because__in=["", *Webhook.BUFFERING_STATES])
        .select_related("grant", "connector__organisation", "connector__owner")
        .order_by("pk")
    )


# By the number of objects: a message is about its group, an answer about its action and package too.
_PREPARED_FOR: Final = 4
_LISTENING: Final = [
    Prepared(
        _select_listening,
        at=DateTimeField(),
        **{f"object_{place}": CharField() for place in range(number)},
    )
    for number in range(1, _PREPARED_FOR + 1)
]


def _list_objects(event: Event) -> list[tuple[str, str]]:
    found = [(Webhook.ObjectType.GROUP.value, str(event.group_id))]
    if event.action_id is not None:
        found.append((Webhook.ObjectType.ACTION.value, str(event.action_id)))
    if event.package_id:
        names = {event.package_id, package_name(event.package_id)}
        found += [(Webhook.ObjectType.PACKAGE.value, name) for name in names]
    return found


def _list_takers(listening: list[Webhook], event: Event) -> list[Webhook]:
    objects = _list_objects(event)
    return [
        webhook
        for webhook in listening
        if (webhook.object_type, webhook.object_id) in objects and event.type.value in webhook.event_types
    ]


def _may_have(webhook: Webhook, event: Event, reach: authorization.GrantReach, now: dt.datetime) -> bool:
    over = authorization.inactive_reason(webhook, now)
    if not over and reach.has_lost_its_object(webhook, event.group_id):
        over = Webhook.InactiveReason.REACH.value
    if over:
        deactivate(webhook, over)
        return False
    return reach.may_have(webhook, event.group_id, _list_only_for(event))


def _list_only_for(event: Event) -> list[str] | None:
    return None if event.only_for is None else sorted(str(person_id) for person_id in event.only_for)


def _to_row(event: Event) -> WebhookEvent:
    return WebhookEvent(
        event_type=event.type.value,
        group_id=event.group_id,
        action_id=event.action_id,
        package_id=event.package_id,
        sender=_to_sender(event),
        data=event.data,
        only_for=_list_only_for(event),
        private=event.private,
        private_for=sorted(str(person_id) for person_id in event.private_for),
    )


def _to_sender(event: Event) -> dict[str, Any]:
    """The `fromUser…` fields: who is seen as the sender. A bot has an id, a name and a picture, but no number."""
    if event.bot is not None:
        bot = event.bot
        return _to_sender_fields("", bot.pk, bot.name, bot.picture_url) | {"isBotfromUser": True}
    person = event.person
    return (
        _to_sender_fields("", "", "", "")
        if person is None
        else _to_sender_fields(person.number, person.pk, person.name, person.picture_url)
    )


def _to_sender_fields(number: str, key: UUID | str, name: str, picture: str) -> dict[str, Any]:
    return {"fromUser": number, "fromUserId": str(key), "fromUserName": name, "fromUserProfilePic": picture}


DELIVER: Final = "connectors.tasks.deliver_webhooks"  # by name: this layer does not import the tasks above it
NOTIFIED_KEY: Final = "webhooks:woken"  # set from a wake until a worker is about to look
_WAKE_SECONDS: Final = 60
_HELP_KEY: Final = "webhooks:called"
_CALL_SECONDS: Final = 2


def notify_worker() -> None:
    """Have a worker look at the queue after the commit. Many wakes before it looks are one message."""
    transaction.on_commit(_notify, robust=True)


def _notify() -> None:
    if cache.add(NOTIFIED_KEY, 1, timeout=_WAKE_SECONDS):
        after_commit(signature(DELIVER))


def notify_another_worker() -> None:
    """Have another worker look as well, if there is one: the caller's turn may not have places enough.

    A process that has a run of its own ignores the message, so it is repeated while it is needed.
    """
    if cache.add(_HELP_KEY, 1, timeout=_CALL_SECONDS):
        after_commit(signature(DELIVER))


WITHDRAWN: Final = "withdrawn"
EXPIRED: Final = "expired"
CLAIM_PATH: Final = "/v1/handoffs/claim"


def publish_handoff_waiting(handoff: Handoff) -> None:
    """A handoff was made: for a new grant, issued again, or with the successor of a token."""
    because = "rotated" if handoff.refresh_token.predecessor_id else "granted"
    _publish_handoffs(HandoffEvent.WAITING, [handoff], because)


def publish_handoffs_ended(handoffs: QuerySet[Handoff], because: str) -> None:
    """These handoffs ended just now, unclaimed; the caller has written that down."""
    found = handoffs.defer("sealed").select_related("connector", "grant").order_by("made_at", "pk")
    _publish_handoffs(HandoffEvent.ENDED, list(found), because)


def _publish_handoffs(kind: HandoffEvent, handoffs: list[Handoff], because: str) -> None:
    now = clock.now()
    connectors = {handoff.connector_id for handoff in handoffs}
    listening = {
        webhook.connector_id: webhook
        for webhook in Webhook.objects.present()
        .under_right(now)
        .filter(
            connector__in=connectors,
            object_type=Webhook.ObjectType.CONNECTOR,
            inactive_because__in=["", *Webhook.BUFFERING_STATES],
        )
    }
    told = [handoff for handoff in handoffs if handoff.connector_id in listening]
    if not told:
        return
    rows = [
        WebhookEvent(event_type=kind.value, data=_to_handoff_event(handoff, because), created_at=now)
        for handoff in told
    ]
    # That a handoff ended comes after that it waits; handoffs do not wait for each other.
    queued = zip(told, rows, strict=True)
    _queue(rows, [_to_delivery(listening[handoff.connector_id], row, handoff.pk, now) for handoff, row in queued])


def _to_handoff_event(handoff: Handoff, because: str) -> dict[str, Any]:
    kind, _colon, target_id = handoff.grant.target.partition(":")
    # The console's page, whichever door the act came through: the wire has addresses of its own.
    page = reverse("connectors:handoff", urlconf=settings.ROOT_URLCONF, args=[handoff.pk])
    return {
        "connectorId": str(handoff.connector_id),
        "handoffId": str(handoff.pk),
        "reason": because,
        "target": {"kind": kind, "id": target_id, "name": handoff.grant.target_name},
        "expiresAt": clock.epoch_ms(handoff.expires_at),
        "pageUrl": f"{settings.CONSOLE_BASE_URL}{page}",
        "claimUrl": f"{settings.CONSOLE_BASE_URL}{CLAIM_PATH}",
    }
