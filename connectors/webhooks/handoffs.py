"""The one address of a connector that is told of its handoffs: registered in the console, by its owners (ADR 0070).

From there on it is a webhook like any other: paused, woken, deleted and sent again by `upkeep`.
"""

from __future__ import annotations

import datetime as dt
from typing import Final
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import User
from connectors import policies
from connectors.models import Connector, Webhook
from connectors.webhooks import signing, subscriptions
from connectors.webhooks.events import HandoffEvent
from kaizala_console.lib import ids
from kaizala_console.lib.errors import Conflict, NotFound

NO_END: Final = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)  # it ends with the connector


def register(*, connector: Connector, callback_url: str, by: User) -> Webhook:
    """Have the address told. Twice the same is once.

    Raises NotFound for who does not own the connector, Conflict when another address is registered, and as
    `handshake.require_echo`, which speaks to the outside: call it outside a transaction.
    """
    policies.require_owner(by, connector)
    present = _present(connector)
    if present is None:
        subscriptions.require_echo(callback_url, connector_id=connector.pk)
        return _created(connector, callback_url, by)
    return _the_same(present, callback_url)


@transaction.atomic
def _created(connector: Connector, callback_url: str, by: User) -> Webhook:
    # One after the other for each connector; and whoever was an owner when the address was asked may be none any more.
    locked = Connector.objects.select_for_update(of=("self",), no_key=True).filter(deleted_at__isnull=True)
    held = locked.filter(pk=connector.pk).first()
    if held is None:
        raise NotFound
    policies.require_owner(by, held)
    present = _present(held)
    if present is not None:
        return _the_same(present, callback_url)
    key = ids.new_id()
    webhook = Webhook.objects.create(
        id=key,
        connector=held,
        object_type=Webhook.ObjectType.CONNECTOR,
        object_id=str(held.pk),
        event_types=[kind.value for kind in HandoffEvent],
        callback_url=callback_url,
        host=(urlsplit(callback_url).hostname or "")[:255],
        sealed_secret=signing.seal_secret(key, signing.new_secret()),
        expires_at=NO_END,
    )
    facts = {
        "connector": held.name,
        "host": webhook.host,
        "object": f"{webhook.object_type} {webhook.object_id}",
        "events": webhook.event_types,
    }
    record(EventType.WEBHOOK_CREATED, by=by, subject=webhook, **webhook.audit_scope, after=facts)
    return webhook


def _present(connector: Connector) -> Webhook | None:
    return Webhook.objects.present().filter(connector=connector, object_type=Webhook.ObjectType.CONNECTOR).first()


def _the_same(present: Webhook, callback_url: str) -> Webhook:
    if present.callback_url != callback_url:
        raise Conflict(
            _("Another address is registered already. Delete that first."), code="handoff_address_registered"
        )
    return present
