"""The public key of a connector: registered, replaced, removed. From then on tokens are sealed to it, or not."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import User
from accounts.policies import require_no_credential_hold
from accounts.services import notifications
from connectors import policies, public_keys
from connectors.models import Connector, ConnectorKey
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict


@sensitive_variables("public_key")
@transaction.atomic
def register(*, connector: Connector, by: User, public_key: str) -> ConnectorKey:
    """Seal this connector's tokens to the key from now on, in place of the one before; its owners are told.

    What waits sealed to the one before stays so. Registered twice, it is the same key. Raises NotFound for who is not
    an owner, and RuleBroken for what is no public key (`public_keys.parse`), or while `by`'s credentials are locked.
    """
    policies.require_owner(by, connector)
    require_no_credential_hold(by)
    key = public_keys.parse(public_key)
    # Two at once take turns, so that neither finds the key that the other is about to add.
    connector = Connector.objects.get_locked(connector.pk)
    policies.require_owner(by, connector)
    now = clock.now()
    before = connector.keys.live().first()
    if before is not None and before.fingerprint == key.fingerprint:
        return before
    connector.keys.live().update(removed_at=now, removed_by=by)
    made = ConnectorKey.objects.create(
        connector=connector, jwk=key.jwk, fingerprint=key.fingerprint, created_at=now, created_by=by
    )
    record(
        EventType.KEY_REGISTERED,
        by=by,
        subject=made,
        **connector.audit_scope,
        before={"fingerprint": before.fingerprint} if before else None,
        after={"connector": connector.name, "fingerprint": made.fingerprint, "curve": made.curve},
    )
    _notify_owners(made, by, "key_registered")
    return made


@transaction.atomic
def remove(*, key: ConnectorKey, by: User) -> ConnectorKey:
    """Seal no more tokens to the key: with the server's key ring from now on. What waits stays as it is sealed.

    Raises NotFound for who is not an owner, and Conflict when it was removed already.
    """
    policies.require_owner(by, key.connector)
    if not ConnectorKey.objects.live().filter(pk=key.pk).update(removed_at=clock.now(), removed_by=by):
        raise Conflict(_("This key is already removed."), code="key_removed")
    key = ConnectorKey.objects.select_related("connector__organisation", "connector__owner").get(pk=key.pk)
    record(
        EventType.KEY_REMOVED,
        by=by,
        subject=key,
        **key.connector.audit_scope,
        before={"connector": key.connector.name, "fingerprint": key.fingerprint, "curve": key.curve},
    )
    _notify_owners(key, by, "key_removed")
    return key


def _notify_owners(key: ConnectorKey, by: User, template: str) -> None:
    """Notify all owners, since a key decides who can open tokens."""
    notifications.queue_each(
        key.connector.list_active_owners(),
        template=f"connectors/{template}",
        key=f"{template.replace('_', '-')}:{key.pk}",
        context={
            **key.connector.mail_facts,
            "fingerprint": key.fingerprint,
            "changed_by": by.name,
            "changed_at": clock.now().isoformat(),
        },
    )
