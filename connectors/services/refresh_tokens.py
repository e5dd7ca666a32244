"""Making a refresh token: digested, sealed into its handoff, and told to the developer, in one transaction."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.views.decorators.debug import sensitive_variables

from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, Actor, record
from accounts.models import User
from accounts.services import notifications
from connectors import public_keys, token_format
from connectors.models import AccessRequest, CachedToken, Connector, Grant, Handoff, RefreshToken
from connectors.models.handoff import SEALED_TO_SERVER
from connectors.services import grants, one_time_secrets
from connectors.webhooks import publish
from kaizala_console.lib import clock, crypto, ids, outbox
from kaizala_console.lib.errors import Conflict


@dataclass(frozen=True, slots=True)
class Issued:
    """A refresh token's row, and the handoff that holds the token sealed. The token was not shown."""

    refresh_token: RefreshToken
    handoff: Handoff


@sensitive_variables("text")
def issue(*, grant: Grant, by: User, at: dt.datetime) -> Issued:
    """Make the first token of a grant, or its next one; for services that hold the grant's lock."""
    token, text = create(grant=grant, at=at)
    return Issued(token, seal(text, token=token, grant=grant, by=by, at=at))


@sensitive_variables("credential")
def create(*, grant: Grant, at: dt.datetime) -> tuple[RefreshToken, str]:
    """A token of a grant, and its text, for whom it is given at once instead of sealed."""
    credential = token_format.generate(token_format.CredentialKind.REFRESH)
    token = RefreshToken.objects.create(
        grant=grant,
        connector_id=grant.connector_id,
        public_part=credential.public_part,
        pepper_id=credential.pepper_id,
        digest=credential.digest,
        issued_at=at,
        expires_at=get_token_end(grant, at),
    )
    return token, credential.token


@sensitive_variables("text")
def seal(text: str, *, token: RefreshToken, grant: Grant, by: User | None, at: dt.datetime) -> Handoff:
    """Seal the text of a refresh token for the developer of its connector, and tell the owners that it waits.

    To the connector's public key when it has one, else with the server's key ring.

    `by` is None when the console itself had the token made.
    """
    handoff_id = ids.new_id()
    sealed, sealed_to = _seal(text, grant.connector, handoff_id)
    handoff = Handoff.objects.create(
        id=handoff_id,
        connector=grant.connector,
        grant=grant,
        refresh_token=token,
        made_by=by,
        sealed=sealed,
        sealed_to=sealed_to,
        made_at=at,
        sealed_at=clock.now(),
        expires_at=min(at + dt.timedelta(days=settings.HANDOFF_DAYS), token.expires_at),
    )
    record(
        EventType.HANDOFF_SEALED,
        by=by or SYSTEM,
        subject=handoff,
        **grant.audit_scope,
        after={
            **grant.audit_facts,
            "sealed_to": handoff.sealed_to,
            "public_part": token.public_part,
        },
    )
    publish.publish_handoff_waiting(handoff)
    handoff.notice = _notify_owners(handoff, grant)
    handoff.save(update_fields=["notice"])
    return handoff


def unseal(handoff: Handoff) -> str:
    """The refresh token inside, or its JWE when it is sealed to the connector's key, which this console cannot open.

    Raises `crypto.WrongKey` when the key of the ring that sealed it has left.

    For the services that claim or reveal; `handoff.sealed` must not have been wiped.
    """
    if handoff.sealed is None:
        raise crypto.WrongKey("nothing is sealed here any more")
    if handoff.is_sealed_to_key:
        return bytes(handoff.sealed).decode("ascii")
    return crypto.open_sealed(bytes(handoff.sealed), context=_context(handoff.pk.bytes)).decode()


@sensitive_variables("text")
def _seal(text: str, connector: Connector, handoff_id: UUID) -> tuple[bytes, str]:
    """The ciphertext, and what it is sealed to."""
    key = connector.keys.live().first()
    if key is not None:
        return public_keys.seal(text, jwk=key.jwk, fingerprint=key.fingerprint).encode("ascii"), key.fingerprint
    return crypto.seal(text.encode(), context=_context(handoff_id.bytes)), SEALED_TO_SERVER


def get_token_end(grant: Grant, at: dt.datetime) -> dt.datetime:
    """When a token issued at `at` ends: after its validity (365 days), or with its grant if that is sooner."""
    end = at + dt.timedelta(days=settings.REFRESH_TOKEN_DAYS)
    return end if grant.ends_at is None else min(end, grant.ends_at)


def get_mail_context(handoff: Handoff, grant: Grant) -> dict[str, Any]:
    """What the mails about a handoff say. No secret is among it."""
    return {
        "handoff_id": str(handoff.pk),
        **grant.connector.mail_facts,
        "target_name": grant.target_name,
        "is_user_token": grant.kind == Grant.Kind.USER,
        "made_by": handoff.maker_name,
        "expires_at": handoff.expires_at.isoformat(),
    }


def _notify_owners(handoff: Handoff, grant: Grant) -> Any:
    facts, template = get_mail_context(handoff, grant), "handoff_made"
    predecessor = handoff.refresh_token.predecessor
    if predecessor is not None:
        template = "handoff_rotated"
        facts["old_ends_at"] = predecessor.expires_at.isoformat()
    notices = notifications.queue_each(
        grant.connector.list_active_owners(),
        template=f"connectors/{template}",
        key=f"handoff-made:{handoff.pk}",
        context=facts,
    )
    return notices[0] if notices else None


def _context(handoff_id: bytes) -> bytes:
    return b"connectors.Handoff:" + handoff_id


# ----------------------------------------------------------------------------------------------------
# The token that follows a refresh token near its end: derived from what is stored, never stored itself.
#
# The Token Service and the worker make the same one, whichever comes first, and can say it again (ADR 0007).


WHOLE_DAYS_FROM = 10


def get_successor_start(issued_at: dt.datetime, expires_at: dt.datetime) -> dt.datetime:
    """From when on a token has a successor: 90 % of its life, in whole days (328 of 365)."""
    life = expires_at - issued_at
    part = life * settings.REFRESH_SUCCESSOR_FROM
    if life >= dt.timedelta(days=WHOLE_DAYS_FROM):
        part = dt.timedelta(days=math.floor(part / dt.timedelta(days=1)))
    return issued_at + part


def can_have_successor(token: RefreshToken, grant: Grant, at: dt.datetime) -> bool:
    """Near the end of the token's life, unless the grant ends with it: then there is nothing to go on to."""
    goes_on = grant.ends_at is None or grant.ends_at > token.expires_at
    return goes_on and at >= get_successor_start(token.issued_at, token.expires_at)


@sensitive_variables("credential")
@transaction.atomic
def get_or_create_successor(*, token: RefreshToken, by: Actor, at: dt.datetime) -> RefreshToken | None:
    """The row of the token's successor, created if there is none yet. None when there can be none.

    Under the grant's lock, so that "regenerate" and "remove" cannot slip in between: else the old token would bring
    forth a live one after its own end. `token.grant.connector` must be loaded.
    """
    grant = Grant.objects.select_for_update(no_key=True).get(pk=token.grant_id)
    if grant.revoked_at is not None or not can_have_successor(token, grant, at):
        return None
    if not RefreshToken.objects.live(at).filter(pk=token.pk).exists():
        return None
    existing = RefreshToken.objects.filter(predecessor=token).first()
    if existing is not None:
        return existing
    credential = token_format.derive_successor(token.digest)
    successor = RefreshToken.objects.create(
        grant=grant,
        connector_id=grant.connector_id,
        public_part=credential.public_part,
        pepper_id=credential.pepper_id,
        digest=credential.digest,
        predecessor=token,
        issued_at=at,
        expires_at=get_token_end(grant, at),
    )
    record(
        EventType.TOKEN_SUCCEEDED,
        by=by,
        subject=successor,
        **token.grant.audit_scope,
        before={"public_part": token.public_part},
        after={
            **token.grant.audit_facts,
            "public_part": successor.public_part,
            "ends_at": successor.expires_at.isoformat(),
        },
    )
    return successor


@sensitive_variables("credential")
def get_successor_text(successor: RefreshToken, *, predecessor: RefreshToken) -> str:
    """The successor itself. Raises `crypto.UnknownKey` when the pepper that it was derived with has left the ring."""
    credential = token_format.derive_successor(predecessor.digest, key_id=successor.pepper_id)
    return credential.token


# ----------------------------------------------------------------------------------------------------
# What ends together: the tokens of grants, and the handoffs that still hold one of them sealed.


def revoke_all(grant_ids: Collection[UUID], *, at: dt.datetime) -> int:
    """End every refresh token of these grants, and wipe what of them waits or is shown on a screen; the tokens ended.

    For services that hold the grants' locks. The statement that ends a handoff is the one that wipes it.
    """
    ended = RefreshToken.objects.filter(grant_id__in=grant_ids, revoked_at__isnull=True).update(revoked_at=at)
    withdraw_handoffs(grant_ids, at=at)
    # What is kept warm with these tokens is over as well; the worker comes by at once, and wipes what was entrusted.
    CachedToken.objects.filter(grant_id__in=grant_ids, refused_at__isnull=True).update(
        sealed_access_token=None, next_attempt_at=at
    )
    return ended


def revoke_access_tokens(connector: Connector, *, at: dt.datetime) -> None:
    """End every access token of a connector; refresh tokens and secrets go on.

    For services that hold the connector's lock. Counted on, so that a token which an exchange makes at this very moment
    is refused too.
    """
    Connector.objects.filter(pk=connector.pk).update(token_generation=F("token_generation") + 1)
    CachedToken.objects.filter(grant__connector=connector, refused_at__isnull=True).update(
        sealed_access_token=None, next_attempt_at=at
    )


def list_chain(token: RefreshToken) -> list[int]:
    """The ids of a token, of what was derived from it, and from that in turn."""
    chain = [token.pk]
    while following := RefreshToken.objects.filter(predecessor_id=chain[-1]).values_list("pk", flat=True).first():
        chain.append(following)
    return chain


def revoke_chain(token: RefreshToken, *, at: dt.datetime) -> int:
    """End a token with all that was derived from it, and wipe what of them waits or is shown; the tokens ended.

    For services that hold the grant's lock.
    """
    chain = list_chain(token)
    handoffs = Handoff.objects.filter(refresh_token__in=chain)
    if handoffs.waiting().update(withdrawn_at=at, sealed=None):
        publish.publish_handoffs_ended(handoffs.filter(withdrawn_at=at), publish.WITHDRAWN)
    one_time_secrets.forget("handoff", [str(pk) for pk in handoffs.values_list("pk", flat=True)])
    return RefreshToken.objects.filter(pk__in=chain, revoked_at__isnull=True).update(revoked_at=at)


def withdraw_handoffs(grant_ids: Collection[UUID], *, at: dt.datetime) -> int:
    """Wipe what of these grants waits sealed or is shown on a screen; the handoffs withdrawn."""
    handoffs = Handoff.objects.filter(grant_id__in=grant_ids)
    withdrawn = handoffs.waiting().update(withdrawn_at=at, sealed=None)
    if withdrawn:
        publish.publish_handoffs_ended(handoffs.filter(withdrawn_at=at), publish.WITHDRAWN)
    one_time_secrets.forget("handoff", [str(pk) for pk in handoffs.values_list("pk", flat=True)])
    return withdrawn


def withdraw_requests_for_more(grant_ids: Collection[UUID], *, at: dt.datetime) -> int:
    """Withdraw requests for more permissions of grants that end now; return how many.

    For services that hold the grants' locks. The audit row is that of the grant's end.
    """
    asked = AccessRequest.objects.waiting().filter(grant_id__in=grant_ids, kind=AccessRequest.Kind.MORE)
    return asked.update(withdrawn_at=at)


logger = structlog.get_logger(__name__)

ROTATED_AT_ONCE = 500


def rotate_due() -> int:
    """Hand over a successor for every token that nears its end and has none in use; the number of them.

    Each in a transaction of its own: a worker that dies loses at most the one at hand, which the next run finds again.
    """
    due = islice(_due(clock.now()), ROTATED_AT_ONCE)
    return outbox.run_each(
        due, lambda token_id: rotate(token_id=token_id), problem="refresh tokens that could not be rotated"
    )


@sensitive_variables("text")
@transaction.atomic
def rotate(*, token_id: int) -> bool:
    """Make the token's successor if the Token Service has not done so yet, seal it and tell the developer; True when
    this call did.

    Nothing happens when it waits or was handed over already, is in use, or when the token or its grant has ended.
    """
    now = clock.now()
    token = RefreshToken.objects.select_related("grant__connector__organisation").get(pk=token_id)
    try:
        grant = grants.lock(token.grant_id)
    except Conflict:
        return False
    successor = get_or_create_successor(token=token, by=SYSTEM, at=now)
    if successor is None or not successor.is_live(now) or successor.first_used_at or successor.handoffs.exists():
        return False
    if grant.handoffs.waiting().exists():  # the one before still waits: first things first
        return False
    try:
        text = get_successor_text(successor, predecessor=token)
    except crypto.UnknownKey:
        logger.warning("rotation.successor_lost", refresh_token_id=token.pk, pepper_id=successor.pepper_id)
        return False
    seal(text, token=successor, grant=grant, by=None, at=now)
    return True


@sensitive_variables("text")
def hand_over_again(*, handoff: Handoff, grant: Grant, by: User) -> Handoff | None:
    """A new handoff of the successor that this one held unopened; None when it held no such token.

    For the service that holds the grant's lock.
    """
    now = clock.now()
    token = RefreshToken.objects.select_related("predecessor").get(pk=handoff.refresh_token_id)
    opened = token.handoffs.filter(Q(claimed_at__isnull=False) | Q(revealed_at__isnull=False)).exists()
    over = grant.ends_at is not None and grant.ends_at <= now
    if token.predecessor is None or opened or not token.is_live(now) or over:
        return None  # while the grant is suspended it is handed over all the same: nothing works before it is resumed
    if grant.connector.suspended_at is not None:
        return None
    try:
        text = get_successor_text(token, predecessor=token.predecessor)
    except crypto.UnknownKey:
        return None
    return seal(text, token=token, grant=grant, by=by, at=now)


def _due(at: dt.datetime) -> Iterator[int]:
    """The tokens that may have a successor that was not handed over yet, the next to end first.

    After REFRESH_TOKEN_DAYS was made shorter, a token of a longer life is found a little later than at its 90 %.
    """
    for token in _candidates(at).iterator(chunk_size=500):
        if can_have_successor(token, token.grant, at):
            yield token.pk


def _candidates(at: dt.datetime) -> QuerySet[RefreshToken]:
    share = 1 - settings.REFRESH_SUCCESSOR_FROM
    last_part = dt.timedelta(days=settings.REFRESH_TOKEN_DAYS) * share + dt.timedelta(days=1)
    waiting = Handoff.objects.waiting().filter(grant_id=OuterRef("grant_id"))
    handed_over = Handoff.objects.filter(refresh_token__predecessor_id=OuterRef("pk"))
    return (
        RefreshToken.objects.live(at)
        .filter(
            Q(grant__ends_at__isnull=True) | Q(grant__ends_at__gt=F("expires_at")),
            Q(successor__isnull=True)
            | Q(
                successor__revoked_at__isnull=True,
                successor__reported_at__isnull=True,
                successor__first_used_at__isnull=True,
            ),
            ~Exists(waiting),
            ~Exists(handed_over),
            expires_at__lte=at + last_part,
            grant__revoked_at__isnull=True,
            grant__suspended_at__isnull=True,
            grant__connector__deleted_at__isnull=True,
            grant__connector__suspended_at__isnull=True,
        )
        .select_related("grant")
        .order_by("expires_at", "pk")
    )
