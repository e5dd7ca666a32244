"""Setting a webhook on an object, changing it and removing it, as programs do."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.events import EventType
from accounts.audit.record import Actor, record
from accounts.models import User
from connectors import hooks, policies
from connectors.models import Connector, Grant, Webhook
from connectors.models.webhook import (
    MOST_CONTEXT_CHARACTERS,
    MOST_TOKEN_CHARACTERS,
    MOST_URL_CHARACTERS,
    WebhookQuerySet,
)
from connectors.queries.webhooks import get_handoff_webhook
from connectors.webhooks import authorization, management, signing
from connectors.webhooks.events import HandoffEvent, ObjectType, WebhookEventType
from kaizala_console.lib import clock, http_client, ids, rate_limit
from kaizala_console.lib.errors import Conflict, ConsoleError, NotFound, RuleBroken, TooSoon
from kaizala_console.lib.outbound_slots import outbound_slot
from kaizala_console.lib.rate_limit import Limit

VALIDITY: Final = dt.timedelta(days=2 * 365)


@sensitive_variables("callback_token")
def subscribe(
    *,
    grant: Grant,
    object_type: ObjectType,
    object_id: str,
    event_types: Sequence[WebhookEventType],
    callback_url: str,
    by: Actor,
    callback_token: str = "",
    callback_context: str = "",
    expires_at: dt.datetime | None = None,
) -> Webhook:
    """Have the address told of these events of the object, under the right of this grant.

    Raises GroupNotReachable or NotFound for an object out of reach, the same whether or not there is one; RuleBroken,
    naming the field, for what does not fit, when there are too many, and when the address does not answer the
    handshake. That speaks to the outside: call it outside a transaction.
    """
    found_id = hooks.webhook_object(object_type, grant, object_id)
    checked = _validate(
        event_types=event_types,
        callback_token=callback_token,
        callback_context=callback_context,
        expires_at=expires_at or clock.now() + VALIDITY,
    )
    _require_room(grant.connector_id, object_type, found_id)
    require_echo(callback_url, connector_id=grant.connector_id)
    webhook = Webhook(id=ids.new_id(), connector=grant.connector, grant=grant)
    _set_fields(webhook, object_type=object_type, object_id=found_id, callback_url=callback_url, **checked)
    return _create(webhook, by)


@sensitive_variables("callback_token")
def change(
    *,
    webhook_id: str,
    grant: Grant,
    by: Actor,
    object_type: ObjectType | None = None,
    object_id: str | None = None,
    event_types: Sequence[WebhookEventType] | None = None,
    callback_url: str | None = None,
    callback_token: str | None = None,
    callback_context: str | None = None,
    expires_at: dt.datetime | None = None,
    active: bool | None = None,
) -> Webhook:
    """Change what is given; a new address answers the handshake first, outside a transaction.

    Made active, the webhook goes on under the right of this grant, and is told what was kept for it. Raises NotFound
    for one that is not the connector's, or not within reach, and else as `subscribe`.
    """
    webhook = find(webhook_id=webhook_id, grant=grant)
    changes = _validate(
        event_types=event_types,
        callback_token=callback_token,
        callback_context=callback_context,
        expires_at=expires_at,
    )
    if object_type is not None or object_id is not None:
        kind = object_type or ObjectType(webhook.object_type)
        changes["object_type"], changes["object_id"] = (
            kind,
            hooks.webhook_object(kind, grant, object_id or webhook.object_id),
        )
        if (kind, changes["object_id"]) != (webhook.object_type, webhook.object_id):
            _require_room(grant.connector_id, kind, changes["object_id"])
    elif active:
        hooks.webhook_object(webhook.object_type, grant, webhook.object_id)
    if callback_url is not None and callback_url != webhook.callback_url:
        require_echo(callback_url, connector_id=grant.connector_id)
        changes["callback_url"] = callback_url
    return _apply_changes(webhook, grant, changes, active, by)


def remove(*, webhook_id: str, grant: Grant, by: Actor) -> None:
    """Remove it: nothing is sent any more. Raises NotFound as `change`."""
    management.remove(find(webhook_id=webhook_id, grant=grant), by)


def find(*, webhook_id: str, grant: Grant) -> Webhook:
    """A webhook that a token of this grant may see: made under it, or the same connector's on an object it reaches.

    Raises NotFound, the same whether or not there is such a webhook.
    """
    key = ids.parse_guid(webhook_id)
    webhook = key and _list_of_programs().filter(pk=key, connector=grant.connector_id).first()
    if not webhook:
        raise NotFound(_("There is no such webhook, or it is not within reach of this token."))
    if webhook.grant_id != grant.pk:
        try:
            hooks.webhook_object(webhook.object_type, grant, webhook.object_id)
        except ConsoleError:
            raise NotFound(_("There is no such webhook, or it is not within reach of this token.")) from None
    return webhook


def list_webhooks(*, grant: Grant, object_type: ObjectType | None, object_id: str | None) -> list[Webhook]:
    """The connector's webhooks on an object within reach; without one, those made under this grant. Oldest first.

    Raises as `hooks.webhook_object` for an object out of reach.
    """
    mine = _list_of_programs().filter(connector=grant.connector_id)
    if object_type is not None:
        mine = mine.filter(object_type=object_type.value)
    if object_id is None:
        mine = mine.filter(grant=grant)
    else:
        mine = mine.filter(object_id=hooks.webhook_object(object_type or ObjectType.GROUP, grant, object_id))
    return list(mine.select_related("grant", "connector").order_by("created_at", "pk"))


def _list_of_programs() -> WebhookQuerySet:
    """All but the address of a connector's handoffs, which is its owners': no token sees or changes that."""
    return Webhook.objects.present().filter(grant__isnull=False)


@sensitive_variables()
def _validate(**given: Any) -> dict[str, Any]:
    """What was given, after a look at each; None counts as not given. Raises RuleBroken."""
    given = {name: value for name, value in given.items() if value is not None}
    if "event_types" in given:
        given["event_types"] = sorted({kind.value for kind in given["event_types"]})
        _require(given["event_types"], "eventTypes", _("expected at least one event"))
    token = given.get("callback_token", "")
    fits = len(token) <= MOST_TOKEN_CHARACTERS and token.isascii() and token.isprintable() and token == token.strip()
    _require(
        fits,
        "callBackToken",
        _("expected at most %(most)s printable ASCII characters, as it is sent in a header")
        % {"most": MOST_TOKEN_CHARACTERS},
    )
    _require(
        len(given.get("callback_context", "")) <= MOST_CONTEXT_CHARACTERS,
        "callBackContext",
        _("expected at most %(most)s characters") % {"most": MOST_CONTEXT_CHARACTERS},
    )
    ends = given.get("expires_at")
    _require(ends is None or ends > clock.now(), "validity", _("expected a moment that is still to come"))
    return given


def _require(fits: object, field: str, message: str) -> None:
    if not fits:
        raise RuleBroken(message, field=field, code="webhook_field")


def _require_room(connector_id: UUID, object_type: ObjectType, object_id: str) -> None:
    present = _list_of_programs().filter(connector=connector_id)
    if present.count() >= settings.WEBHOOKS_PER_CONNECTOR:
        raise RuleBroken(
            _("This connector has %(most)s webhooks, which is as many as it may have. Remove some first.")
            % {"most": settings.WEBHOOKS_PER_CONNECTOR},
            code="too_many_webhooks",
        )
    here = present.filter(object_type=object_type.value, object_id=object_id)
    if here.count() >= settings.WEBHOOKS_PER_OBJECT:
        raise RuleBroken(
            _("This connector has %(most)s webhooks on this object, which is as many as it may have.")
            % {"most": settings.WEBHOOKS_PER_OBJECT},
            field="objectId",
            code="too_many_webhooks",
        )


@sensitive_variables()
def _set_fields(webhook: Webhook, **fields: Any) -> None:
    token = fields.pop("callback_token", None)
    if token is not None:
        webhook.sealed_token = signing.seal_token(webhook.pk, token)
    if "callback_url" in fields:
        webhook.host = (urlsplit(fields["callback_url"]).hostname or "")[:255]
    for name, value in fields.items():
        setattr(webhook, name, value.value if isinstance(value, ObjectType) else value)
    webhook.changed_at = clock.now()


@transaction.atomic
def _create(webhook: Webhook, by: Actor) -> Webhook:
    # One after the other for each connector, so that the limits hold.
    Connector.objects.get_locked(webhook.connector_id)
    _require_room(webhook.connector_id, ObjectType(webhook.object_type), webhook.object_id)
    webhook.sealed_secret = signing.seal_secret(webhook.pk, signing.new_secret())
    webhook.save(force_insert=True)
    _record(EventType.WEBHOOK_CREATED, webhook, by)
    return webhook


@sensitive_variables("changes")
@transaction.atomic
def _apply_changes(webhook: Webhook, grant: Grant, changes: dict[str, Any], active: bool | None, by: Actor) -> Webhook:
    held = management.get_locked_webhook(webhook.pk)
    if held is None:
        raise NotFound(_("There is no such webhook, or it is not within reach of this token."))
    if changes:
        _set_fields(held, **changes)
        held.save()
        _record(EventType.WEBHOOK_CHANGED, held, by, fields=sorted(changes))
    if active is True:
        _make_active(held, grant, by)
    elif active is False:
        management.pause_locked(held, by)
    return held


def _make_active(held: Webhook, grant: Grant, by: Actor) -> None:
    """Wake it under this grant; one that works stays under the grant that it has."""
    if held.is_active and not authorization.inactive_reason(held, clock.now()):
        return
    held.grant = grant
    over = authorization.inactive_reason(held, clock.now())
    if over == Webhook.InactiveReason.EXPIRED:
        message = _("its time is over: set a later one to make the webhook active")
        raise RuleBroken(message, field="validity", code="expired")
    if over:
        raise Conflict
    held.save(update_fields=["grant"])
    management.resume_locked(held, by)


def _record(tag: EventType, webhook: Webhook, by: Actor, **more: Any) -> None:
    facts = {
        "connector": webhook.connector.name,
        "host": webhook.host,
        "object": f"{webhook.object_type} {webhook.object_id}",
        "events": webhook.event_types,
    }
    record(tag, by=by, subject=webhook, after=facts | more)


# ----------------------------------------------------------------------------------------------------
# Whether the receiver wants to be told: it is asked once, before anything is sent (wire protocol §6, Webhooks).


SECONDS: Final = 5
FIELD: Final = "callBackUrl"
_SMALLEST: Final = 10**14  # of 15 digits
_MOST_BYTES: Final = 1024
_FAILURES_AN_HOUR: Final = 60
_HOUR: Final = 3600


def require_echo(url: str, *, connector_id: UUID) -> None:
    """GET the address with `validationToken` in its query, and see the token come back as plain text within 5 seconds.

    White space around it and a pair of double quotes are taken off: JSON frameworks of the time put them there. Raises
    RuleBroken, which tells the status but nothing of the body, so that nobody reads other sites through this console;
    TooSoon as `outbound_slot`, or when too many failed. Never inside a transaction.
    """
    if len(url) > MOST_URL_CHARACTERS or not url.isprintable() or " " in url:
        raise RuleBroken(
            _("expected an address of at most %(most)s characters that begins with https://")
            % {"most": MOST_URL_CHARACTERS},
            field=FIELD,
            code="callback_url",
        )
    failures = Limit(f"webhook-handshake:{connector_id}", _FAILURES_AN_HOUR, _HOUR)
    refusal = rate_limit.check(failures)
    if refusal is not None:
        raise TooSoon(_("Too many callback addresses could not be validated."), retry_after=refusal.retry_after)
    with outbound_slot(str(connector_id), seconds=SECONDS):
        problem = _ask_for_echo(url)
        if problem:
            rate_limit.hit(failures)
            raise RuleBroken(problem, field=FIELD, code="not_validated")


def _ask_for_echo(url: str) -> str:
    """What is wrong with the answer; "" when it is the token."""
    # Receivers of those years answer `JSON.parse(validationToken)`, or their query string as it came: so it is a
    # number that every JSON reader keeps whole, with nothing in it to escape (ADR 0061). One try, within 5 seconds.
    token = str(_SMALLEST + secrets.randbelow(9 * _SMALLEST))
    try:
        answer = http_client.fetch(
            "GET",
            url.partition("#")[0],
            params={"validationToken": token},
            headers={"Accept": "text/plain, */*"},
            timeout=(SECONDS, SECONDS),
            deadline=SECONDS,
            max_bytes=_MOST_BYTES,
        )
    except http_client.OutboundError as error:
        if error.reason != "too_large":
            return _("could not be validated. %(problem)s") % {"problem": error}
        return _("could not be validated. The address answered with something else than the validation token.")
    if not 200 <= answer.status < 300:
        return _("could not be validated. The address answered with status %(status)s, and expected was 200.") % {
            "status": answer.status
        }
    if _unwrap(answer.text) != token:
        return _(
            "could not be validated. The address answered with status %(status)s, but with something else than the "
            "validation token as plain text."
        ) % {"status": answer.status}
    return ""


def _unwrap(text: str) -> str:
    text = text.removeprefix("\ufeff").strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


NO_END: Final = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)  # it ends with the connector


def register_handoff_webhook(*, connector: Connector, callback_url: str, by: User) -> Webhook:
    """Have the address told. Twice the same is once.

    Raises NotFound for who does not own the connector, Conflict when another address is registered, and as
    `require_echo`, which speaks to the outside: call it outside a transaction.
    """
    policies.require_owner(by, connector)
    present = get_handoff_webhook(connector)
    if present is None:
        require_echo(callback_url, connector_id=connector.pk)
        return _create_handoff_webhook(connector, callback_url, by)
    return _require_same_url(present, callback_url)


@transaction.atomic
def _create_handoff_webhook(connector: Connector, callback_url: str, by: User) -> Webhook:
    # One after the other for each connector; and the owner may have changed since the address was asked.
    held = Connector.objects.get_locked(connector.pk)
    policies.require_owner(by, held)
    present = get_handoff_webhook(held)
    if present is not None:
        return _require_same_url(present, callback_url)
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
    _record(EventType.WEBHOOK_CREATED, webhook, by)
    return webhook


def _require_same_url(present: Webhook, callback_url: str) -> Webhook:
    if present.callback_url != callback_url:
        raise Conflict(_("Another address is already registered. Delete it first."), code="handoff_address_registered")
    return present
