"""The heart of the Token Service: a refresh token is traded for an access token (wire protocol §4).

The hot path is two SELECTs and no write: the secret with its connector and organisation, the refresh token with its
grant and successor. What has to be written (the first use, the making of a successor) is written once in a token's
life.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.audit.events import EventType
from accounts.audit.record import record
from connectors import permissions, token_format
from connectors.models import Connector, ConnectorSecret, Grant, RefreshToken
from connectors.services import refresh_tokens, secrets, usage
from connectors.token_format import CredentialKind
from kaizala_console.api.errors import PermanentRedirect, RefreshTokenRefused, Throttled, WrongConnectorCredentials
from kaizala_console.lib import clock, crypto, ids, moments

logger = structlog.get_logger(__name__)

PATH = "v1/accessToken"
NOT_MADE = "Refresh token unknown: no such token was made for this connector."
# Put together once: building a query costs more than running it.
_SECRETS = ConnectorSecret.objects.select_related("connector__organisation")
_TOKENS = RefreshToken.objects.select_related("grant__granted_by", "successor")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a program gets for its refresh token. `successor` is empty but near the end of the token's life."""

    access_token: str = field(repr=False)
    expires_at: dt.datetime
    scopes: tuple[str, ...]
    successor: str = field(repr=False)
    endpoint_url: str
    connector_id: UUID


@sensitive_variables("secret", "refresh_token")
def exchange(*, connector_id: str, secret: str, refresh_token: str, address: str | None) -> Exchange:
    """Check the three headers and mint an access token; record the first use of the refresh token.

    Raises WrongConnectorCredentials, never saying which of the two; RefreshTokenRefused, saying in plain words why;
    Throttled for too many by this connector; PermanentRedirect (308) when the organisation has gone to another console.
    None of them repeats what was sent.
    """
    now = clock.now()
    connector = authenticate_client(connector_id=connector_id, secret=secret, at=now)
    return mint(require_token(connector=connector, refresh_token=refresh_token, at=now), address=address, at=now)


@sensitive_variables("refresh_token")
def require_token(*, connector: Connector, refresh_token: str, at: dt.datetime, path: str = PATH) -> RefreshToken:
    """The row of a refresh token that a proven connector brings to `path`. Raises as `exchange`. One SELECT."""
    require_here(connector, path)
    try:
        usage.check_exchange_rate_limit(connector)
    except Throttled:
        _count_throttled(connector, refresh_token, at)
        raise
    return _get_live_token(connector, refresh_token, at)


def require_here(connector: Connector, path: str) -> None:
    """Raise PermanentRedirect (308) when the organisation has gone to another console."""
    if connector.organisation.moved_to:
        raise PermanentRedirect(connector.organisation.moved_to, path)


@sensitive_variables("access_token")
def mint(
    token: RefreshToken, *, address: str | None, at: dt.datetime, narrowed_to: Collection[str] | None = None
) -> Exchange:
    """Mint an access token for a refresh token that was accepted at `at`; record the first use of the refresh token.

    Its grant and the grant's connector must be loaded. Raises RefreshTokenRefused when it has ended.
    """
    now, grant, connector = at, token.grant, token.grant.connector
    grant.scope_bits = token_format.EVERY_SCOPE if narrowed_to is None else permissions.to_bits(narrowed_to)
    expires_at = get_access_end(now, token.expires_at, grant.ends_at)
    access_token = token_format.mint_access_token(
        refresh_token_id=token.pk,
        grant_id=grant.pk,
        generation=connector.token_generation,
        expires_at=expires_at,
        scope_bits=grant.scope_bits,
    )
    if token.first_used_at is None:
        try:
            _record_first_use(token, connector, address=address, at=now)
        except RefreshTokenRefused:
            usage.count(grant.pk, usage.EXCHANGE, status=RefreshTokenRefused.status, at=now)
            raise
    usage.note_token_used(token.pk, at=now)
    usage.count(grant.pk, usage.EXCHANGE, status=200, at=now)
    return Exchange(
        access_token=access_token,
        expires_at=expires_at,
        scopes=tuple(grant.held_scopes()),
        successor=_get_successor(token, grant, now),
        endpoint_url=settings.CONSOLE_BASE_URL,
        connector_id=connector.pk,
    )


@sensitive_variables("secret", "parsed")
def authenticate_client(*, connector_id: str, secret: str, at: dt.datetime) -> Connector:
    """The connector that this id and this secret prove. Raises WrongConnectorCredentials. One SELECT.

    The id may be written in any case, with or without hyphens or braces. Ids of 24 to 64 hexadecimal digits, as the
    oldest connectors have them, are nobody's here unless they are such a GUID.
    """
    claimed_id = ids.parse_guid(connector_id)
    parsed = token_format.parse(CredentialKind.SECRET, secret)
    if claimed_id is None or not secret:
        raise WrongConnectorCredentials
    row = _SECRETS.filter(public_part=parsed.public_part).first() if parsed is not None else None
    proven = (
        row is not None
        and parsed is not None
        and parsed.matches(row.pepper_id, row.digest)
        and row.connector_id == claimed_id
        and row.is_live(at)
        and row.connector.deleted_at is None
    )
    if row is None or not proven:
        secrets.note_wrong_secret(connector_id=claimed_id)
        raise WrongConnectorCredentials
    usage.note_secret_used(row.pk, at=at)
    return row.connector


@sensitive_variables("refresh_token", "parsed")
def _get_live_token(connector: Connector, refresh_token: str, now: dt.datetime) -> RefreshToken:
    parsed = token_format.parse(CredentialKind.REFRESH, refresh_token)
    if parsed is None:
        raise RefreshTokenRefused(
            "Refresh token unknown: the header refreshToken is missing."
            if not refresh_token.strip()
            else "Refresh token unknown: this is not a whole refresh token of this service. Check that nothing was cut "
            "off when it was copied."
        )
    try:
        token = _TOKENS.get(public_part=parsed.public_part)
    except RefreshToken.DoesNotExist:
        raise RefreshTokenRefused(NOT_MADE) from None
    if token.grant.connector_id != connector.pk or not parsed.matches(token.pepper_id, token.digest):
        raise RefreshTokenRefused(NOT_MADE)
    token.grant.connector = connector
    reason = explain_refusal(token, now)
    if reason:
        usage.count(token.grant_id, usage.EXCHANGE, status=RefreshTokenRefused.status, at=now)
        raise RefreshTokenRefused(reason)
    return token


@sensitive_variables("refresh_token", "parsed")
def _count_throttled(connector: Connector, refresh_token: str, now: dt.datetime) -> None:
    """So that the owner sees it at the grant, when it can be told which one it is."""
    parsed = token_format.parse(CredentialKind.REFRESH, refresh_token)
    public_part = parsed.public_part if parsed is not None else ""
    found = RefreshToken.objects.filter(public_part=public_part, grant__connector=connector)
    for grant_id in found.values_list("grant_id", flat=True):
        usage.count(grant_id, usage.EXCHANGE, status=Throttled.status, at=now)


def explain_refusal(token: RefreshToken, now: dt.datetime) -> str:
    """Why the Token Service refuses this token at `now`, in plain words for a program's log; "" when it does not.

    The token's grant and the grant's connector must be loaded.
    """
    grant, connector = token.grant, token.grant.connector
    if token.reported_at is not None:
        return (
            f"Refresh token revoked for now: it was reported as leaked on {moments.utc(token.reported_at)}. Ask the "
            "connector's owner, or have an admin generate a new one."
        )
    superseded = token.revoked_at is not None and (grant.revoked_at is None or token.revoked_at < grant.revoked_at)
    if superseded and token.revoked_at is not None and grant.kind == Grant.Kind.USER:
        return (
            f"Refresh token superseded or revoked on {moments.utc(token.revoked_at)}: the person signed in again "
            "since, or it was ended. Use the newer one, or have the person sign in again."
        )
    if superseded and token.revoked_at is not None:
        return (
            f"Refresh token superseded: a new one was generated on {moments.utc(token.revoked_at)}. Use the new one, "
            "which was handed to the connector's owner."
        )
    ended = grant.revoked_at or token.revoked_at
    if ended is not None:
        return (
            f"Refresh token revoked: the connector's access was removed on {moments.utc(ended)}. Ask an admin to add "
            "the connector again."
        )
    if connector.suspended_at is not None:
        return (
            f"Refresh token revoked for now: the connector is suspended since {moments.utc(connector.suspended_at)}. "
            "It works again once the connector is resumed."
        )
    if grant.suspended_at is not None:
        return (
            f"Refresh token revoked for now: an admin has suspended this access on {moments.utc(grant.suspended_at)}. "
            "It works again once the access is resumed."
        )
    if grant.is_of_deactivated_user:
        return (
            "Refresh token revoked for now: the account of its user is deactivated. It works again once the account is "
            "active."
        )
    end = token.expires_at if grant.ends_at is None else min(token.expires_at, grant.ends_at)
    if end <= now:
        return f"Refresh token expired on {moments.utc(end)}. Ask an admin to generate a new one."
    return ""


def get_access_end(now: dt.datetime, token_ends_at: dt.datetime, grant_ends_at: dt.datetime | None) -> dt.datetime:
    """24 hours, at most until its refresh token or grant ends; cut to the millisecond, as on the wire."""
    end = min(now + dt.timedelta(hours=settings.ACCESS_TOKEN_HOURS), token_ends_at)
    if grant_ends_at is not None:
        end = min(end, grant_ends_at)
    return clock.from_epoch_ms(clock.epoch_ms(end))


@transaction.atomic
def _record_first_use(token: RefreshToken, connector: Connector, *, address: str | None, at: dt.datetime) -> None:
    """The handoff's last dot: it works. Only the request that sets the column writes the audit row.

    Looked at once more under the locks of what can end the token: else the trail could tell of a use after its end.
    Raises RefreshTokenRefused when it has ended.
    """
    # Locks go connector → grant → token, as everywhere.
    held = Connector.objects.select_for_update(of=("self",), no_key=True).select_related("organisation")
    connector = held.get(pk=connector.pk)
    Grant.objects.select_for_update(no_key=True).get(pk=token.grant_id)
    now_it_is = RefreshToken.objects.select_related("grant__granted_by").get(pk=token.pk)
    now_it_is.grant.connector = connector
    if reason := explain_refusal(now_it_is, at):
        raise RefreshTokenRefused(reason)
    first = RefreshToken.objects.filter(pk=token.pk, first_used_at__isnull=True).update(
        first_used_at=at, first_used_from=address or None, last_used_at=at, last_used_from=address or None
    )
    if first:
        record(
            EventType.TOKEN_FIRST_USED,
            by=ConnectorActor(connector),
            subject=token,
            **token.grant.audit_scope,
            after={
                **token.grant.audit_facts,
                "public_part": token.public_part,
                "address": address or "",
            },
        )


@sensitive_variables()
def _get_successor(token: RefreshToken, grant: Grant, now: dt.datetime) -> str:
    """The token that follows this one: the same whenever it is asked for, so that a lost answer loses nothing."""
    if not refresh_tokens.can_have_successor(token, grant, now):
        return ""
    row = getattr(token, "successor", None) or refresh_tokens.get_or_create_successor(
        token=token, by=ConnectorActor(grant.connector), at=now
    )
    if row is None or row.revoked_at is not None:
        return ""
    try:
        return refresh_tokens.get_successor_text(row, predecessor=token)
    except crypto.UnknownKey:
        logger.warning("tokens.successor_lost", refresh_token_id=token.pk, pepper_id=row.pepper_id)
        return ""


@dataclass(frozen=True, slots=True)
class ConnectorActor:
    """A program, as the one who acts, in the audit trail."""

    connector: Connector

    def audit_actor(self) -> tuple[str, str, str]:
        """Kind, id and name (`accounts.audit.record.Actor`)."""
        return "connector", str(self.connector.pk), self.connector.name
