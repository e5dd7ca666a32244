"""Reading webhooks and what became of their deliveries. Whoever shows them asks `policy` first."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from connectors.models import Connector, Grant, Webhook, WebhookAttempt, WebhookDelivery
from connectors.models.webhook import WebhookQuerySet
from connectors.webhooks import authorization
from connectors.webhooks.message import body_of

State = WebhookDelivery.State
MOST_ATTEMPTS: Final = 30
SUSPENDED: Final = _("suspended: nothing is sent, and what happens meanwhile is not told later either")


def of_connector(connector: Connector) -> WebhookQuerySet:
    """A connector's webhooks, the newest first, each with `waiting_count`, `kept_count` and `failed_count`."""
    return _counted(Webhook.objects.present().filter(connector=connector))


def of_grant(grant: Grant) -> WebhookQuerySet:
    """Those made under one grant, as `of_connector` has them."""
    return _counted(Webhook.objects.present().filter(grant=grant))


def of_handoffs(connector: Connector) -> Webhook | None:
    """The address that is told of the connector's handoffs, if one is registered."""
    return Webhook.objects.present().filter(connector=connector, object_type=Webhook.ObjectType.CONNECTOR).first()


def deliveries(webhook: Webhook) -> QuerySet[WebhookDelivery]:
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


def attempts(delivery: WebhookDelivery, *, most: int = MOST_ATTEMPTS) -> list[WebhookAttempt]:
    """The last tries of one delivery, the first one first: who sends again and again makes more than a page shows."""
    return list(delivery.attempts.order_by("-pk")[:most])[::-1]


def payload(delivery: WebhookDelivery) -> dict[str, Any] | None:
    """What was sent, as a document; None for what was never sent: then it is nothing that the connector may read."""
    if delivery.state != State.DELIVERED and not delivery.attempts.exists():
        return None
    return body_of(delivery.webhook, delivery.event)


def why_inactive(webhook: Webhook, at: dt.datetime) -> str | Promise:
    """In words, why nothing is sent at `at`; "" when the webhook is at work. Asks no database."""
    over = webhook.inactive_because or authorization.why_over(webhook, at)
    if over:
        return Webhook.InactiveReason(over).label
    return SUSPENDED if authorization.is_suspended(webhook) else ""


def _counted(webhooks: WebhookQuerySet) -> WebhookQuerySet:
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
