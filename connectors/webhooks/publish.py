"""Writing down what is to be told, in the transaction in which it happens. The rows are the queue.

Whoever may not have an event gets no row of it: rights and reach are asked here, and once more before each try.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from connectors.models import Webhook, WebhookDelivery, WebhookEvent
from connectors.webhooks import authorization
from connectors.webhooks.dispatch import notify_worker as notify_worker
from connectors.webhooks.ending import end
from connectors.webhooks.events import Event, WebhookEventType, package_name
from kaizala_console.lib import clock

_BATCH: Final = 500

_State = WebhookDelivery.State


def publish(*events: Event, among: list[Webhook] | None = None) -> None:
    """Queue these events for every webhook that wants them, and wake a worker after the commit.

    Costs one indexed query when nobody listens; `among` is what `wanted` gave, for who has asked that just before. Call
    it inside the transaction of the act, with all of its events at once: what is rolled back was never told. Raises
    RuntimeError outside a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("An event is published in the transaction of the act that it tells.")
    listening = _listening(events) if among is None else among
    if not listening:
        return
    now, reach = clock.now(), authorization.GrantReach()
    rows: list[WebhookEvent] = []
    deliveries: list[WebhookDelivery] = []
    for event in events:
        takers = [webhook for webhook in _on(listening, event) if _may_have(webhook, event, reach, now)]
        if not takers:
            continue
        row = _row(event)
        rows.append(row)
        for webhook in takers:
            active = webhook.is_active
            deliveries.append(
                WebhookDelivery(
                    webhook=webhook,
                    event=row,
                    event_type=row.event_type,
                    ordering_key=event.action_id or event.group_id,
                    state=_State.WAITING if active else _State.HELD,
                    next_attempt_at=now if active else None,
                    created_at=now,
                )
            )
    WebhookEvent.objects.bulk_create(rows, batch_size=_BATCH)
    WebhookDelivery.objects.bulk_create(deliveries, batch_size=_BATCH)
    if any(delivery.state == _State.WAITING for delivery in deliveries):
        notify_worker()


def list_interested(
    group_id: UUID, *types: WebhookEventType, action_id: UUID | None = None, package_id: str = ""
) -> list[Webhook]:
    """The webhooks that might want events of one of these types; one query, for who would else build thousands."""
    asked = [Event(type=kind, group_id=group_id, data={}, action_id=action_id, package_id=package_id) for kind in types]
    listening = _listening(asked)
    return [webhook for webhook in listening if any(_on([webhook], event) for event in asked)]


def _listening(events: Iterable[Event]) -> list[Webhook]:
    """The webhooks on anything that these events are about, those included that keep their events for later."""
    objects = {object_id for event in events for _kind, object_id in _objects(event)}
    if not objects:
        return []
    return list(
        Webhook.objects.present()
        .under_right(clock.now())
        .filter(object_id__in=objects, inactive_because__in=["", *Webhook.BUFFERING_STATES])
        .select_related("grant", "connector__organisation", "connector__owner")
        .order_by("pk")
    )


def _objects(event: Event) -> list[tuple[str, str]]:
    found = [(Webhook.ObjectType.GROUP.value, str(event.group_id))]
    if event.action_id is not None:
        found.append((Webhook.ObjectType.ACTION.value, str(event.action_id)))
    if event.package_id:
        names = {event.package_id, package_name(event.package_id)}
        found += [(Webhook.ObjectType.PACKAGE.value, name) for name in names]
    return found


def _on(listening: list[Webhook], event: Event) -> list[Webhook]:
    objects = _objects(event)
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
        end(webhook, over)
        return False
    return reach.may_have(webhook, event.group_id, _only_for(event))


def _only_for(event: Event) -> list[str] | None:
    return None if event.only_for is None else sorted(str(person_id) for person_id in event.only_for)


def _row(event: Event) -> WebhookEvent:
    return WebhookEvent(
        event_type=event.type.value,
        group_id=event.group_id,
        action_id=event.action_id,
        package_id=event.package_id,
        sender=_sender(event),
        data=event.data,
        only_for=_only_for(event),
        private=event.private,
        private_for=sorted(str(person_id) for person_id in event.private_for),
    )


def _sender(event: Event) -> dict[str, Any]:
    """The `fromUser…` fields: who is seen as the sender. A bot has an id, a name and a picture, but no number."""
    if event.bot is not None:
        bot = event.bot
        return _from("", bot.pk, bot.name, bot.picture_url) | {"isBotfromUser": True}
    person = event.person
    return _from("", "", "", "") if person is None else _from(person.number, person.pk, person.name, person.picture_url)


def _from(number: str, key: UUID | str, name: str, picture: str) -> dict[str, Any]:
    return {"fromUser": number, "fromUserId": str(key), "fromUserName": name, "fromUserProfilePic": picture}
