"""A webhook that turns inactive by itself: nobody may be told any more, or its address takes nothing."""

from __future__ import annotations

from typing import Final

from django.db import transaction
from django.db.models import Q

from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, record
from accounts.services import notifications
from connectors.models import Webhook, WebhookDelivery
from kaizala_console.lib import clock

InactiveReason = Webhook.InactiveReason
State = WebhookDelivery.State
SWEPT_AT_ONCE: Final = 200


@transaction.atomic
def end(webhook: Webhook, because: InactiveReason | str) -> bool:
    """Make it inactive, say why, and tell its owners; False when it was so already.

    What waits is kept when its address failed, and dropped when the right is over.
    """
    now, reason = clock.now(), InactiveReason(because)
    before = ["", *Webhook.BUFFERING_STATES] if reason not in Webhook.BUFFERING_STATES else [""]
    changed = (
        Webhook.objects.present()
        .filter(pk=webhook.pk, inactive_because__in=before)
        .update(inactive_because=reason.value, inactive_at=now)
    )
    if not changed:
        return False
    webhook.inactive_because, webhook.inactive_at = reason.value, now
    stop_deliveries(webhook, State.HELD if reason in Webhook.BUFFERING_STATES else State.DROPPED)
    record(
        EventType.WEBHOOK_ENDED,
        by=SYSTEM,
        subject=webhook,
        **webhook.audit_scope,
        after={"connector": webhook.connector.name, "host": webhook.host, "reason": reason.value},
    )
    if reason != InactiveReason.GRANT_ENDED:  # both sides were told of that itself
        _send_notice(webhook, reason)
    return True


def stop_deliveries(webhook: Webhook, state: State) -> None:
    """Takes out of the queue what waits; with DROPPED, what was kept as well."""
    states = [State.WAITING] if state == State.HELD else [State.WAITING, State.HELD]
    WebhookDelivery.objects.filter(webhook=webhook, state__in=states).update(
        state=state.value, next_attempt_at=None, finished_at=None if state == State.HELD else clock.now()
    )


def end_overdue() -> int:
    """Ends the webhooks whose time is over or whose grant has ended; the number of them.

    Nothing was sent for them meanwhile: rights are asked before each try. This is for whoever looks at them.
    """
    now = clock.now()
    over = (
        Webhook.objects.present()
        .filter(inactive_because__in=["", *Webhook.BUFFERING_STATES])
        .filter(Q(expires_at__lte=now) | Q(grant__revoked_at__isnull=False) | Q(grant__ends_at__lte=now))
        .select_related("grant", "connector__organisation", "connector__owner")
        .order_by("pk")
    )
    ended = 0
    for webhook in over[:SWEPT_AT_ONCE]:
        ended += end(webhook, InactiveReason.EXPIRED if webhook.expires_at <= now else InactiveReason.GRANT_ENDED)
    return ended


def _send_notice(webhook: Webhook, reason: InactiveReason) -> None:
    for user in webhook.connector.list_active_owners():
        notifications.queue(
            user=user,
            template="connectors/webhook_ended",
            key=f"webhook-ended:{webhook.pk}:{clock.now().isoformat()}:{user.pk}",
            context={
                "connector_name": webhook.connector.name,
                "connector_id": str(webhook.connector_id),
                "target_name": webhook.target_name,
                "webhook_id": str(webhook.pk),
                "host": webhook.host,
                "reason": reason.value,
            },
        )
