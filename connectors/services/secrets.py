"""Connector secrets: up to two live at a time, so that rotation needs no downtime; each shown once."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, record
from accounts.models import User
from accounts.policies import require_no_credential_hold
from accounts.services import notifications
from connectors import policies, token_format
from connectors.models import Connector, ConnectorSecret
from connectors.services import one_time_secrets, refresh_tokens
from connectors.services.owners import list_watchers, notify_of_operator
from kaizala_console.lib import clock, rate_limit
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken
from kaizala_console.lib.rate_limit import Limit

SLOTS = (1, 2)
WRONG_SECRETS_AN_HOUR = 20  # more raise an alarm, once a day


@sensitive_variables("idempotency_key", "token", "shown")
@transaction.atomic
def add(
    *, connector: Connector, by: User, ends_at: dt.datetime | None = None, idempotency_key: str = ""
) -> tuple[ConnectorSecret, str]:
    """Make a further secret, and return it with its text, which is not kept. It ends by itself at `ends_at`.

    With a `idempotency_key` the same form sent again gets the same secret. Raises NotFound for who is not an owner, and
    RuleBroken when two secrets are live already, or for an end that has passed.
    """
    policies.require_owner(by, connector)
    require_no_credential_hold(by)
    # Two adds at once take turns here, so that neither sees the slot which the other is about to take.
    connector = Connector.objects.get_locked(connector.pk)
    policies.require_owner(by, connector)
    if idempotency_key:
        one_time_secrets.require_form_key(idempotency_key)
        own = ConnectorSecret.objects.filter(connector=connector)
        shown = one_time_secrets.recall_with_subject(user=by, idempotency_key=idempotency_key, among=own)
        if shown is not None:
            note_viewed(connector=connector, token=shown[1], by=by)
            return shown
    now = clock.now()
    require_end_ahead(ends_at, now)
    _free_expired_slots(connector, now)
    taken = set(connector.secrets.filter(revoked_at__isnull=True).values_list("slot", flat=True))
    free = [slot for slot in SLOTS if slot not in taken]
    if not free:
        raise RuleBroken(
            _("This connector already has two secrets. Revoke one first."),
            code="two_secrets",
        )
    secret, token = issue(connector=connector, slot=free[0], by=by, at=now, ends_at=ends_at)
    if idempotency_key:
        one_time_secrets.remember(user=by, idempotency_key=idempotency_key, subject=secret, token=token)
    return secret, token


@sensitive_variables("credential")
def issue(
    *, connector: Connector, slot: int, by: User, at: dt.datetime, ends_at: dt.datetime | None = None
) -> tuple[ConnectorSecret, str]:
    """Make the secret of a slot; for services that hold the connector's lock."""
    credential = token_format.generate(token_format.CredentialKind.SECRET)
    secret = ConnectorSecret.objects.create(
        connector=connector,
        slot=slot,
        public_part=credential.public_part,
        pepper_id=credential.pepper_id,
        digest=credential.digest,
        created_at=at,
        created_by=by,
        expires_at=ends_at,
    )
    record(
        EventType.SECRET_CREATED,
        by=by,
        subject=secret,
        **connector.audit_scope,
        after={"connector": connector.name, "public_part": credential.public_part, "slot": slot}
        | ({"ends_at": ends_at.isoformat()} if ends_at else {}),
    )
    return secret, credential.token


def require_end_ahead(ends_at: dt.datetime | None, now: dt.datetime) -> None:
    """Raise RuleBroken for the end of a secret that has passed; None is no end."""
    if ends_at is not None and ends_at <= now:
        raise RuleBroken(_("The end date must be in the future."), code="ends_at", field="end_date")


@transaction.atomic
def move_end(*, secret: ConnectorSecret, ends_at: dt.datetime | None, by: User) -> ConnectorSecret:
    """Give a live secret another end, or none, from the next exchange on. The same end again changes nothing.

    Raises NotFound for who is not an owner, Conflict for a secret that is over or reported as leaked, RuleBroken for an
    end that has passed; and for a later end while `by` cools off.
    """
    policies.require_owner(by, secret.connector)
    connector = secret.connector
    secret = ConnectorSecret.objects.select_for_update(no_key=True).get(pk=secret.pk)
    now, before = clock.now(), secret.expires_at
    if secret.revoked_at is not None:
        raise Conflict(_("This secret is already revoked."), code="secret_revoked")
    if before is not None and before <= now:
        raise Conflict(_("This secret has already ended. Add another one."), code="secret_over")
    if secret.reported_at is not None:
        raise Conflict(_("This secret was reported as leaked. Revoke or restore it first."), code="secret_reported")
    if before == ends_at:
        return secret
    require_end_ahead(ends_at, now)
    if before is not None and (ends_at is None or ends_at > before):
        require_no_credential_hold(by)
    secret.expires_at = ends_at
    secret.save(update_fields=["expires_at"])
    record(
        EventType.SECRET_END_CHANGED,
        by=by,
        subject=secret,
        **connector.audit_scope,
        before={"ends_at": before.isoformat() if before else None},
        after={
            "connector": connector.name,
            "public_part": secret.public_part,
            "slot": secret.slot,
            "ends_at": ends_at.isoformat() if ends_at else None,
        },
    )
    return secret


@transaction.atomic
def revoke(*, secret: ConnectorSecret, by: User, end_access_tokens: bool = False, reason: str = "") -> ConnectorSecret:
    """End a secret: the next exchange with it is refused. Access tokens go on until they expire, or end with it.

    With `end_access_tokens` all of the connector's end: they do not say by which secret they were made. Programs fetch
    new ones. An operator gives a `reason`, which the owners are sent.

    Raises NotFound for who is neither owner nor operator, and Conflict when it was revoked already.
    """
    # Locks go connector → secret, as where a secret is added.
    connector = Connector.objects.select_related("owner").get_locked(secret.connector_id)
    policies.require_owner_or_operator(by, connector)
    now = clock.now()
    if not ConnectorSecret.objects.filter(pk=secret.pk, revoked_at__isnull=True).update(revoked_at=now):
        raise Conflict(_("This secret is already revoked."), code="secret_revoked")
    secret.refresh_from_db()
    one_time_secrets.forget("connectorsecret", [str(secret.pk)])
    one_time_secrets.forget("connector", [str(secret.connector_id)])  # the screen that made it with the connector
    if end_access_tokens:
        refresh_tokens.revoke_access_tokens(connector, at=now)
    event = record(
        EventType.SECRET_REVOKED,
        by=by,
        subject=secret,
        **secret.connector.audit_scope,
        before={"connector": secret.connector.name, "public_part": secret.public_part, "slot": secret.slot},
        after={"leaked": end_access_tokens, **({"reason": reason} if reason else {})},
    )
    notify_of_operator(event=event, connector=connector, by=by, act="secret_revoked", reason=reason)
    return secret


@sensitive_variables("token", "parsed")
@transaction.atomic
def note_viewed(*, connector: Connector, token: str, by: User) -> None:
    """Write down that a secret was shown, or given as a file, once more on the screen that made it."""
    parsed = token_format.parse(token_format.CredentialKind.SECRET, token)
    secret = connector.secrets.filter(public_part=parsed.public_part).first() if parsed is not None else None
    if secret is None:
        raise NotFound
    record(
        EventType.SECRET_VIEWED,
        by=by,
        subject=secret,
        **connector.audit_scope,
        after={"connector": connector.name, "public_part": secret.public_part, "slot": secret.slot},
    )


def note_wrong_secret(*, connector_id: UUID) -> None:
    """Count a wrong secret for a connector's id; many tell its owners, once a day. It refuses nothing."""
    if rate_limit.hit(Limit(f"wrong-secret:{connector_id}", WRONG_SECRETS_AN_HOUR, 3600)) is None:
        return
    if rate_limit.hit(Limit(f"wrong-secret-alarm:{connector_id}", 1, 86_400)) is None:
        _raise_alarm(connector_id)


@transaction.atomic
def _raise_alarm(connector_id: UUID) -> None:
    connector = Connector.objects.present().select_related("organisation", "owner").filter(pk=connector_id).first()
    if connector is None:
        return
    facts = {"connector": connector.name, "count": WRONG_SECRETS_AN_HOUR}
    event = record(EventType.WRONG_SECRETS, by=SYSTEM, subject=connector, after=facts)
    owners = connector.list_active_owners() or list_watchers(connector.organisation_id)
    notifications.queue_each(
        owners,
        template="connectors/wrong_secrets",
        key=f"wrong-secrets:{event.pk}",
        context=facts | {"connector_id": str(connector.pk)},
    )


def _free_expired_slots(connector: Connector, now: dt.datetime) -> None:
    """A secret past its end date is as good as revoked; saying so frees its slot."""
    connector.secrets.filter(revoked_at__isnull=True, expires_at__lte=now).update(revoked_at=now)
