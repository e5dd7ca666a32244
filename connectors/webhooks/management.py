"""What the owner of a connector does with its webhooks: pause, wake, remove, send again, and the signing secret.

Of what was not told there are two kinds. What was *kept* while the webhook was paused, or since its address failed, is
told when it wakes, in order. What was *given up* after six tries waits until somebody has it sent again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, Actor, record
from accounts.models import User
from accounts.policies import require_no_credential_hold
from connectors import policies
from connectors.models import Webhook, WebhookDelivery, WebhookEvent
from connectors.services import one_time_secrets
from connectors.webhooks import authorization, publish, schedule, signing
from connectors.webhooks.authorization import stop_deliveries
from kaizala_console.lib import clock, crypto, moments
from kaizala_console.lib.batches import delete_in_batches
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

State = WebhookDelivery.State
InactiveReason = Webhook.InactiveReason
OLD_SECRET_FOR: Final = dt.timedelta(days=1)  # both sign, so that a receiver is changed without a gap
_EVENTS_AT_ONCE: Final = 500

# ---------------------------------------------------------------- The webhook


@transaction.atomic
def pause(*, webhook: Webhook, by: User) -> Webhook:
    """Send nothing for now; what happens is kept for some days. Raises NotFound for who does not own the connector."""
    held = _get_owned(webhook, by)
    pause_locked(held, by)
    return held


@transaction.atomic
def resume(*, webhook: Webhook, by: User) -> Webhook:
    """Make it active, and have what was kept sent. Raises NotFound as `pause`, RuleBroken when its right is over."""
    held = _get_owned(webhook, by)
    over = authorization.inactive_reason(held, clock.now())
    if not over and not authorization.reaches_its_object(held):
        over = InactiveReason.REACH.value
    if over:
        raise RuleBroken(
            _("This webhook can’t be resumed: %(reason)s.") % {"reason": InactiveReason(over).label},
            code="webhook_over",
        )
    resume_locked(held, by)
    return held


@transaction.atomic
def delete(*, webhook: Webhook, by: User) -> None:
    """Remove it, and wipe its credentials. Raises NotFound as `pause`."""
    _get_owned(webhook, by)
    remove(webhook, by)


# ---------------------------------------------------------------- Sending again


@transaction.atomic
def redeliver(*, delivery: WebhookDelivery, by: User) -> bool:
    """Send one delivery again, under the same event id; False when it waits to be sent already.

    Raises NotFound as `pause`, RuleBroken while the webhook is inactive. Rights are asked again before it is sent.
    """
    return bool(
        _requeue(delivery.webhook, WebhookDelivery.objects.filter(pk=delivery.pk), by, EventType.WEBHOOK_REDELIVERED)
    )


@transaction.atomic
def redeliver_failed(*, webhook: Webhook, by: User) -> int:
    """Send again all that was given up, the oldest first; how many. Raises as `redeliver`."""
    return _requeue(webhook, webhook.deliveries.filter(state=State.FAILED), by, EventType.WEBHOOK_REDELIVERED)


@transaction.atomic
def replay(*, webhook: Webhook, since: dt.datetime, by: User) -> int:
    """Send again all that happened from this moment on, be it delivered or not, in order; how many.

    It reaches back as far as deliveries are kept. Raises as `redeliver`.
    """
    return _requeue(
        webhook,
        webhook.deliveries.filter(created_at__gte=since),
        by,
        EventType.WEBHOOK_REPLAYED,
        since=moments.utc(since),
    )


# ---------------------------------------------------------------- The signing secret


@sensitive_variables()
@transaction.atomic
def show_secret(*, webhook: Webhook, by: User) -> str:
    """The signing secret, `whsec_…`, the one time that it is shown.

    Raises NotFound as `pause`, Conflict when it was shown already, RuleBroken while the account cools off.
    """
    held = _get_owned(webhook, by)
    require_no_credential_hold(by)
    try:
        secret = signing.open_secret(held)
    except crypto.WrongKey:
        raise Conflict(
            _("The encryption key of this secret is missing. Regenerate the secret."),
            code="encryption_key_missing",
        ) from None
    if held.secret_shown_at is not None or secret is None:
        raise Conflict(_("This secret was already shown. If it is lost, regenerate it."), code="secret_shown")
    held.secret_shown_at = clock.now()
    held.save(update_fields=["secret_shown_at"])
    _record(EventType.WEBHOOK_SECRET_VIEWED, held, by)
    return signing.format_secret(secret)


@sensitive_variables()
@transaction.atomic
def rotate_secret(*, webhook: Webhook, by: User) -> str:
    """A new signing secret, shown this once; for a day the old one signs as well. Raises as `show_secret`."""
    held = _get_owned(webhook, by)
    require_no_credential_hold(by)
    now, secret = clock.now(), signing.new_secret()
    try:
        signing.open_secret(held)
    except crypto.WrongKey:  # it cannot sign any more
        held.sealed_old_secret, held.old_secret_until = None, None
    else:
        held.sealed_old_secret, held.old_secret_until = held.sealed_secret, now + OLD_SECRET_FOR
    held.sealed_secret, held.secret_shown_at = signing.seal_secret(held.pk, secret), now
    held.save(update_fields=["sealed_old_secret", "old_secret_until", "sealed_secret", "secret_shown_at"])
    _record(EventType.WEBHOOK_SECRET_ROTATED, held, by)
    return signing.format_secret(secret)


# ---------------------------------------------------------------- For services that hold the row


def get_locked_webhook(webhook_id: UUID) -> Webhook | None:
    """The webhook as it is now, held until the end of the transaction; None when it was removed."""
    return (
        Webhook.objects.present()
        .select_for_update(of=("self",), no_key=True)
        .select_related("grant", "connector__organisation", "connector__owner")
        .filter(pk=webhook_id)
        .first()
    )


def pause_locked(webhook: Webhook, by: Actor) -> None:
    """Make an active webhook inactive; one that is inactive stays as it is."""
    if not webhook.is_active:
        return
    webhook.inactive_because, webhook.inactive_at = InactiveReason.PAUSED.value, clock.now()
    webhook.save(update_fields=["inactive_because", "inactive_at"])
    stop_deliveries(webhook, State.HELD)
    _record(EventType.WEBHOOK_PAUSED, webhook, by)


def resume_locked(webhook: Webhook, by: Actor) -> None:
    """Make an inactive webhook active, and queue what was kept; an active one stays as it is."""
    if webhook.is_active:
        return
    webhook.inactive_because, webhook.inactive_at, webhook.failures, webhook.backoff_until = "", None, 0, None
    webhook.save(update_fields=["inactive_because", "inactive_at", "failures", "backoff_until"])
    schedule.requeue(webhook.deliveries.filter(state=State.HELD))
    transaction.on_commit(schedule.get_circuit(webhook).succeeded, robust=True)  # who wakes it has mended the receiver
    _record(EventType.WEBHOOK_WOKEN, webhook, by)
    publish.notify_worker()


@transaction.atomic
def remove(webhook: Webhook, by: Actor) -> None:
    """Remove a webhook and wipe its credentials; its log goes when it is as old as all logs. Raises NotFound."""
    held = get_locked_webhook(webhook.pk)
    if held is None:
        raise NotFound
    held.deleted_at = clock.now()
    held.sealed_token = held.sealed_secret = held.sealed_old_secret = None
    held.save(update_fields=["deleted_at", "sealed_token", "sealed_secret", "sealed_old_secret"])
    stop_deliveries(held, State.DROPPED)
    _record(EventType.WEBHOOK_REMOVED, held, by)


def expire_due() -> None:
    """Ends what is over, removes what belongs to connectors that were deleted, and queues what was left behind."""
    orphans = Webhook.objects.present().filter(connector__deleted_at__isnull=False).order_by("pk")
    for webhook in orphans[: authorization.SWEPT_AT_ONCE]:
        remove(webhook, SYSTEM)
    authorization.deactivate_overdue()
    if schedule.release_strays():
        publish.notify_worker()


def sweep() -> int:
    """Deletes what is older than it is kept: events with their deliveries and tries, and removed webhooks."""
    deleted = delete_in_batches(list_expired(), _EVENTS_AT_ONCE)
    Webhook.objects.filter(deleted_at__lt=_get_oldest()).delete()
    return deleted


def list_expired() -> QuerySet[WebhookEvent]:
    """Events older than `settings.WEBHOOK_DAYS`, whose deliveries go with them."""
    return WebhookEvent.objects.filter(created_at__lt=_get_oldest())


def _get_oldest() -> dt.datetime:
    return clock.now() - dt.timedelta(days=settings.WEBHOOK_DAYS)


def _get_owned(webhook: Webhook, by: User) -> Webhook:
    policies.require_owner(by, webhook.connector)
    held = get_locked_webhook(webhook.pk)
    if held is None:
        raise NotFound
    return held


def _requeue(webhook: Webhook, deliveries: QuerySet[WebhookDelivery], by: User, tag: EventType, **more: Any) -> int:
    held = _get_owned(webhook, by)
    if not held.is_active:
        raise RuleBroken(_("This webhook is inactive. Resume it first."), code="webhook_inactive")
    count = schedule.requeue(deliveries)
    if count:
        Webhook.objects.filter(pk=held.pk).update(
            backoff_until=None
        )  # a person wants it now, whatever it has asked for
        _record(tag, held, by, count=count, **more)
        publish.notify_worker()
    return count


def _record(tag: EventType, webhook: Webhook, by: Actor, **more: Any) -> None:
    facts = {"connector": webhook.connector.name, "host": webhook.host} | more
    record(tag, by=by, subject=webhook, after=facts)


@sensitive_variables("idempotency_key", "secret")
@transaction.atomic
def act_once(act: Callable[..., str], *, webhook: Webhook, by: User, idempotency_key: str) -> str:
    """`show_secret` or `rotate_secret` for a form with a key: sent again, it shows the same secret for some minutes.

    Raises as `act`, and RuleBroken for what is no form key of ours.
    """
    policies.require_owner(by, webhook.connector)
    require_no_credential_hold(by)  # for what is shown again, too
    one_time_secrets.require_form_key(idempotency_key)
    # The row is held, so that a double click waits here and finds what the first one has shown.
    if get_locked_webhook(webhook.pk) is None:
        raise NotFound
    secret = one_time_secrets.recall(user=by, idempotency_key=idempotency_key, subject=webhook)
    if secret is None:
        secret = act(webhook=webhook, by=by)
        one_time_secrets.forget(one_time_secrets.get_kind(webhook), [str(webhook.pk)])
        one_time_secrets.remember(user=by, idempotency_key=idempotency_key, subject=webhook, token=secret)
    return secret
