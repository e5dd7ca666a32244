"""The pages' view of webhooks: a page of them, a page of a log, and what would be sent again. Ask `policy` first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Count, F, Min, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from connectors.models import Connector, Grant, Webhook, WebhookAttempt, WebhookDelivery
from connectors.queries.connectors import NEVER
from connectors.webhooks import queries
from kaizala_console.lib import clock, keyset
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.keyset import Page

PAGE_SIZE: Final = 25
MOST_HOSTS: Final = 10
State = WebhookDelivery.State


@dataclass(frozen=True, slots=True)
class Host:
    """Where a connector sends what it is told, and by how many webhooks."""

    name: str
    webhooks: int


@dataclass(frozen=True, slots=True)
class Again:
    """What a replay would send: all of it, and how much of that arrived once already."""

    all: int
    delivered: int


def webhook_page(connector: Connector, *, cursor: str | None = None, size: int = PAGE_SIZE) -> Page[Webhook]:
    """A connector's webhooks, the newest first, counted as `webhook_queries.of_connector`. Raises BadCursor."""
    return keyset.page(queries.of_connector(connector), ("-created_at", "-id"), cursor, size)


def one(connector: Connector, webhook_id: UUID) -> Webhook:
    """One of a connector's webhooks, counted as above. Raises NotFound, also for one that was removed."""
    webhook = queries.of_connector(connector).filter(pk=webhook_id).first()
    if webhook is None:
        raise NotFound
    webhook.connector = connector
    return webhook


def failing_since(webhooks: Iterable[Webhook]) -> dict[UUID, dt.datetime]:
    """When the tries that fail now began to, for those webhooks whose last try failed. One statement, or none."""
    troubled = [webhook.pk for webhook in webhooks if webhook.failures]
    if not troubled:
        return {}
    rows = (
        WebhookAttempt.objects.filter(delivery__webhook__in=troubled)
        .exclude(problem="")
        .filter(began_at__gt=Coalesce(F("delivery__webhook__delivered_at"), Value(NEVER)))
        .order_by()
        .values_list("delivery__webhook")
        .annotate(began=Min("began_at"))
    )
    return dict(rows)


def delivery_page(
    webhook: Webhook,
    *,
    state: str = "",
    event_type: str = "",
    cursor: str | None = None,
    size: int = PAGE_SIZE,
) -> Page[WebhookDelivery]:
    """A page of the log, the newest first, as `webhook_queries.deliveries`. Raises BadCursor."""
    found = queries.deliveries(webhook)
    if state:
        found = found.filter(state=state)
    if event_type:
        found = found.filter(event_type=event_type)
    return keyset.page(found, ("-id",), cursor, size)


def one_delivery(webhook: Webhook, delivery_id: int) -> WebhookDelivery:
    """One line of a webhook's log. Raises NotFound, also for another webhook's."""
    delivery = queries.deliveries(webhook).filter(pk=delivery_id).first()
    if delivery is None:
        raise NotFound
    delivery.webhook = webhook
    return delivery


def again(webhook: Webhook, since: dt.datetime) -> Again:
    """What `upkeep.replay` would send from this moment on: what waits already is sent anyway, and not counted."""
    found = webhook.deliveries.filter(created_at__gte=since).exclude(state=State.WAITING)
    counted = found.aggregate(all=Count("pk"), delivered=Count("pk", filter=Q(state=State.DELIVERED)))
    return Again(counted["all"], counted["delivered"])


def hosts(whose: QuerySet[Grant] | Connector) -> list[Host]:
    """The hosts that are told something under these grants now, or under all of a connector, by how many webhooks. One
    statement.

    Only the host: the rest of an address may hold a secret of theirs.
    """
    under = (
        Q(connector=whose, grant__isnull=False)
        if isinstance(whose, Connector)
        else Q(grant__in=whose.order_by().values("pk"))
    )
    rows = (
        Webhook.objects.live(clock.now())
        .filter(under)
        .order_by()
        .values_list("host")
        .annotate(n=Count("pk"))
        .order_by("-n", "host")
    )
    return [Host(name, n) for name, n in rows]
