"""Reading webhooks and what became of their deliveries. The caller checks `policies` first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Count, F, IntegerField, Min, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from connectors.models import Connector, Grant, Webhook, WebhookAttempt, WebhookDelivery
from connectors.models.webhook import WebhookQuerySet
from connectors.queries.connectors import NEVER
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.pagination import Page, paginate

State = WebhookDelivery.State
MOST_ATTEMPTS: Final = 30


def list_webhooks(connector: Connector) -> WebhookQuerySet:
    """A connector's webhooks, the newest first, each with `waiting_count`, `kept_count` and `failed_count`."""
    return _annotate_counts(Webhook.objects.present().filter(connector=connector))


def get_handoff_webhook(connector: Connector) -> Webhook | None:
    """The address that is told of the connector's handoffs, if one is registered."""
    return Webhook.objects.present().filter(connector=connector, object_type=Webhook.ObjectType.CONNECTOR).first()


def list_deliveries(webhook: Webhook) -> QuerySet[WebhookDelivery]:
    """The log of a webhook, the newest first, with the event, and of the last try `last_status` (None for none),
    `last_problem`, `last_milliseconds`, `last_tried_at`, and `attempt_count`. Filter it by `state`.
    """
    last = WebhookAttempt.objects.filter(delivery=OuterRef("pk")).order_by("-pk")
    count = last.order_by().values("delivery").annotate(n=Count("*")).values("n")
    return (
        webhook.deliveries.carrying(
            last_status=Subquery(last.values("status")[:1]),
            last_problem=Subquery(last.values("problem")[:1]),
            last_milliseconds=Subquery(last.values("milliseconds")[:1]),
            last_tried_at=Subquery(last.values("began_at")[:1]),
            attempt_count=Coalesce(Subquery(count, output_field=IntegerField()), 0),
        )
        .select_related("event")
        .order_by("-pk")
    )


def list_attempts(delivery: WebhookDelivery, *, most: int = MOST_ATTEMPTS) -> list[WebhookAttempt]:
    """The last tries of one delivery, the first one first: who sends again and again makes more than a page shows."""
    return list(delivery.attempts.order_by("-pk")[:most])[::-1]


def _annotate_counts(webhooks: WebhookQuerySet) -> WebhookQuerySet:
    def number_of(state: State) -> Coalesce:
        rows = WebhookDelivery.objects.filter(webhook=OuterRef("pk"), state=state).order_by()
        counted = rows.values("webhook").annotate(n=Count("*")).values("n")
        return Coalesce(Subquery(counted, output_field=IntegerField()), 0)

    return (
        webhooks.select_related("grant", "connector")
        .carrying(
            waiting_count=number_of(State.WAITING),
            kept_count=number_of(State.HELD),
            failed_count=number_of(State.FAILED),
        )
        .order_by("-created_at", "-pk")
    )


# ----------------------------------------------------------------------------------------------------
# A page of webhooks, a page of a log, and what would be sent again. The caller checks `policies` first.


PAGE_SIZE: Final = 25
MOST_HOSTS: Final = 10


@dataclass(frozen=True, slots=True)
class ListeningHost:
    """Where a connector sends what it is told, and by how many webhooks."""

    name: str
    webhooks: int


@dataclass(frozen=True, slots=True)
class ReplayCount:
    """What a replay would send: all of it, and how much of that arrived once already."""

    all: int
    delivered: int


def get_webhook_page(connector: Connector, *, cursor: str | None = None, size: int = PAGE_SIZE) -> Page[Webhook]:
    """A connector's webhooks, the newest first, counted as `list_webhooks`. Raises BadCursor."""
    return paginate(list_webhooks(connector), ("-created_at", "-id"), cursor, size)


def get_webhook(connector: Connector, webhook_id: UUID) -> Webhook:
    """One of a connector's webhooks, counted as above. Raises NotFound, also for one that was removed."""
    webhook = list_webhooks(connector).filter(pk=webhook_id).first()
    if webhook is None:
        raise NotFound
    webhook.connector = connector
    return webhook


def get_failing_since(webhooks: Iterable[Webhook]) -> dict[UUID, dt.datetime]:
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


def get_delivery_page(
    webhook: Webhook,
    *,
    state: str = "",
    event_type: str = "",
    cursor: str | None = None,
    size: int = PAGE_SIZE,
) -> Page[WebhookDelivery]:
    """A page of the log, the newest first, as `list_deliveries`. Raises BadCursor."""
    found = list_deliveries(webhook)
    if state:
        found = found.filter(state=state)
    if event_type:
        found = found.filter(event_type=event_type)
    return paginate(found, ("-id",), cursor, size)


def get_delivery(webhook: Webhook, delivery_id: int) -> WebhookDelivery:
    """One line of a webhook's log. Raises NotFound, also for another webhook's."""
    delivery = list_deliveries(webhook).filter(pk=delivery_id).first()
    if delivery is None:
        raise NotFound
    delivery.webhook = webhook
    return delivery


def count_replayed(webhook: Webhook, since: dt.datetime) -> ReplayCount:
    """What `management.replay` would send from this moment on: what waits already is sent anyway, and not counted."""
    found = webhook.deliveries.filter(created_at__gte=since).exclude(state=State.WAITING)
    counted = found.aggregate(all=Count("pk"), delivered=Count("pk", filter=Q(state=State.DELIVERED)))
    return ReplayCount(counted["all"], counted["delivered"])


def list_hosts(whose: QuerySet[Grant] | Connector) -> list[ListeningHost]:
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
    return [ListeningHost(name, n) for name, n in rows]
