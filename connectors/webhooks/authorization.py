"""May this webhook have this event, at this moment? Asked when it is written down, and before each try."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, record
from accounts.services import notifications
from connectors import hooks
from connectors.models import Webhook, WebhookDelivery
from connectors.permissions import Permission, get_permissions
from kaizala_console.lib import clock
from kaizala_console.lib.errors import ConsoleError

SUSPENDED: Final = _("suspended: nothing is sent, and events are not delivered later")
InactiveReason = Webhook.InactiveReason
_ADMIN: Final = "Admin"  # the wire's spelling of a role (`connectors.hooks`)


def inactive_reason(webhook: Webhook, at: dt.datetime) -> str:
    """Why the webhook is over at `at`, for good unless somebody wakes it; "" when it is not. Asks no database.

    What is only suspended is not over.
    """
    grant, connector = webhook.grant, webhook.connector
    if webhook.expires_at <= at:
        return InactiveReason.EXPIRED.value
    if connector.deleted_at is not None:
        return InactiveReason.GRANT_ENDED.value
    if grant is None:  # the connector's own, for its handoffs: it goes as long as the connector
        return ""
    if grant.revoked_at is not None:
        return InactiveReason.GRANT_ENDED.value
    if grant.ends_at is not None and grant.ends_at <= at:
        return InactiveReason.GRANT_ENDED.value
    grant.connector = connector  # the same row: `held_scopes` loads it for each webhook otherwise
    if Permission.OUTGOING_WEBHOOKS not in get_permissions(grant.held_scopes()):
        return InactiveReason.PERMISSION.value
    return ""


def is_suspended(webhook: Webhook) -> bool:
    """Whether nothing may be sent for now, because the grant or its connector is suspended."""
    if webhook.connector.suspended_at is not None:
        return True
    return webhook.grant is not None and webhook.grant.suspended_at is not None


def explain_inactive(webhook: Webhook, at: dt.datetime) -> str | Promise:
    """In words, why nothing is sent at `at`; "" when the webhook is at work. Asks no database."""
    over = webhook.inactive_because or inactive_reason(webhook, at)
    if over:
        return Webhook.InactiveReason(over).label
    return SUSPENDED if is_suspended(webhook) else ""


def reaches_its_object(webhook: Webhook) -> bool:
    """Whether the webhook's own object is within reach of its own grant."""
    if webhook.grant is None:
        return True
    try:
        hooks.webhook_object(webhook.object_type, webhook.grant, webhook.object_id)
    except ConsoleError:
        return False
    return True


class GrantReach:
    """What grants reach, asked of the database once for each grant and group. Live no longer than a moment's work."""

    def __init__(self) -> None:
        self._roles: dict[tuple[UUID, UUID], str] = {}

    def role(self, webhook: Webhook, group_id: UUID | None) -> str:
        """The role of the webhook's grant in the group of the event; "" when it does not reach it."""
        if webhook.grant is None or group_id is None:
            return ""
        key = (webhook.grant.pk, group_id)
        if key not in self._roles:
            access = hooks.token_access(webhook.grant, str(group_id), None)
            self._roles[key] = access.role if access else ""
        return self._roles[key]

    def has_lost_its_object(self, webhook: Webhook, group_id: UUID | None) -> bool:
        """Whether an event in this group shows that the webhook's own object is out of reach.

        That of an action package is in many groups: one that is out of reach says nothing about the others.
        """
        if webhook.object_type in (Webhook.ObjectType.PACKAGE, Webhook.ObjectType.CONNECTOR):
            return False
        return not self.role(webhook, group_id)

    def may_have(self, webhook: Webhook, group_id: UUID | None, only_for: Collection[str] | None) -> bool:
        """Whether what happened in the group may be told: to all who reach it, or to admins and these people alone."""
        if webhook.grant is None:  # of its connector's handoffs, which is all that it is told
            return group_id is None
        role = self.role(webhook, group_id)
        if only_for is None or role == _ADMIN:
            return bool(role)
        return bool(role) and str(webhook.grant.person_id) in only_for


State = WebhookDelivery.State
SWEPT_AT_ONCE: Final = 200


@transaction.atomic
def deactivate(webhook: Webhook, because: InactiveReason | str) -> bool:
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
        after={"connector": webhook.connector.name, "host": webhook.host, "reason": reason.value},
    )
    if reason != InactiveReason.GRANT_ENDED:  # both sides were told of that itself
        _notify_owners(webhook, reason)
    return True


def stop_deliveries(webhook: Webhook, state: State) -> None:
    """Takes out of the queue what waits; with DROPPED, what was kept as well."""
    states = [State.WAITING] if state == State.HELD else [State.WAITING, State.HELD]
    WebhookDelivery.objects.filter(webhook=webhook, state__in=states).update(
        state=state.value, next_attempt_at=None, finished_at=None if state == State.HELD else clock.now()
    )


def deactivate_overdue() -> int:
    """Ends the webhooks whose time is over or whose grant has ended; the number of them.

    Nothing was sent for them: rights are checked before each try. This shows it on their pages.
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
        ended += deactivate(
            webhook, InactiveReason.EXPIRED if webhook.expires_at <= now else InactiveReason.GRANT_ENDED
        )
    return ended


def _notify_owners(webhook: Webhook, reason: InactiveReason) -> None:
    notifications.queue_each(
        webhook.connector.list_active_owners(),
        template="connectors/webhook_ended",
        key=f"webhook-ended:{webhook.pk}:{clock.now().isoformat()}",
        context={
            **webhook.connector.mail_facts,
            "target_name": webhook.target_name,
            "webhook_id": str(webhook.pk),
            "host": webhook.host,
            "reason": reason.value,
        },
    )
