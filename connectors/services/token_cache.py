"""Keeping an access token warm for a grant that asks for it: entrusted, fetched ahead of its end, given, stopped.

The worker holds nothing that a program would not: it trades the credentials that the developer entrusted at the Token
Service, over HTTP. They, and what comes of them, are sealed at rest.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from http import HTTPStatus
from random import SystemRandom
from typing import Final
from uuid import UUID

import requests
from celery import signature
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, SystemActor, record
from accounts.models import User
from accounts.services import notifications
from connectors import policies, token_format
from connectors.models import CachedToken, ConnectorSecret, Grant, RefreshToken
from connectors.services import grants, token_exchange
from connectors.token_format import CredentialKind
from kaizala_console.lib import clock, crypto, ids, outbox
from kaizala_console.lib.background import after_commit
from kaizala_console.lib.circuit_breaker import CircuitBreaker
from kaizala_console.lib.errors import NotFound, RuleBroken
from kaizala_console.lib.logging import redact

TOKEN_SERVICE_TIMEOUT = (5, 15)  # seconds: to connect, and between two bytes
_UNREADABLE_ANSWER = "The Token Service did not answer in the form of the protocol."


@dataclass(frozen=True, slots=True)
class FetchedToken:
    """What the Token Service gave. `successor` is empty but near the end of the refresh token's life."""

    access_token: str = field(repr=False)
    expires_at: dt.datetime
    scope: str
    successor: str = field(repr=False)


class CredentialsRefused(Exception):
    """The credentials are not accepted; trying again with them is of no use. The text is the service's own."""


class TokenServiceUnavailable(Exception):
    """No token this time, and nothing against the credentials: `retry_after` is in seconds, when the service named it.

    `is_down` tells an outage from a service that is there and has no time.
    """

    def __init__(self, reason: str, *, retry_after: int | None = None, is_down: bool = False) -> None:
        super().__init__(reason)
        self.retry_after, self.is_down = retry_after, is_down


@sensitive_variables()
def request_token(*, connector_id: str, secret: str, refresh_token: str) -> FetchedToken:
    """Trade the refresh token for an access token. Raises Refused and NoAnswer, neither with a credential in it."""
    headers = {"applicationId": connector_id, "applicationSecret": secret, "refreshToken": refresh_token}
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy of the environment gets to see credentials
            session.verify = settings.CA_BUNDLE or True
            answer = session.get(
                f"{settings.TOKEN_SERVICE_URL}/v1/accessToken",
                headers=headers,
                timeout=TOKEN_SERVICE_TIMEOUT,
                allow_redirects=False,
            )
    except requests.RequestException as problem:
        raise TokenServiceUnavailable(
            f"The Token Service cannot be reached ({type(problem).__name__}).", is_down=True
        ) from None
    return _read_token(answer)


@sensitive_variables()
def _read_token(answer: requests.Response) -> FetchedToken:
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        raise CredentialsRefused(_read_message(answer))
    if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        after = answer.headers.get("Retry-After", "")
        raise TokenServiceUnavailable(
            "The Token Service asks to wait.", retry_after=int(after) if after.isdecimal() else None
        )
    if answer.status_code != HTTPStatus.OK:
        is_down = answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        raise TokenServiceUnavailable(f"The Token Service answered with status {answer.status_code}.", is_down=is_down)
    try:
        body = answer.json()
        return FetchedToken(
            access_token=str(body["accessToken"]),
            expires_at=clock.from_epoch_ms(int(body["accessTokenExpiry"])),
            scope=str(body["scope"]),
            successor=str(body["refreshToken"]),
        )
    except (ValueError, TypeError, KeyError):
        raise TokenServiceUnavailable(_UNREADABLE_ANSWER) from None


def _read_message(answer: requests.Response) -> str:
    """The service's own words: they never repeat what was sent (wire protocol §3)."""
    try:
        return str(answer.json()["message"])[:300]
    except (ValueError, TypeError, KeyError):
        return _UNREADABLE_ANSWER


FETCH: Final = "connectors.tasks.fetch_cached_token"  # by name: this layer does not import the tasks above it
LEASE: Final = dt.timedelta(minutes=2)  # longer than a fetch may take
SOONEST, LATEST = dt.timedelta(seconds=30), dt.timedelta(hours=1)  # between two tries that failed
RENEWED_AT: Final = (0.75, 0.85)  # of an access token's life; spread, so that not all come at one moment
CIRCUIT: Final = CircuitBreaker("token-service")
_dice = SystemRandom()


@sensitive_variables()
@transaction.atomic
def enable(*, grant: Grant, by: User, secret: str, refresh_token: str) -> CachedToken:
    """Entrust the credentials of a grant; the worker fetches the first token after the commit.

    Raises NotFound for who does not own the connector, Conflict when the grant was removed, RuleBroken, naming the
    field, for a secret or a refresh token that is not this connector's and this grant's, or does not work now.
    """
    policies.require_owner(by, grant.connector)
    grant = grants.lock(grant.pk)
    _require_working(grant, secret, refresh_token)
    cached, _is_new = CachedToken.objects.update_or_create(
        grant=grant,
        defaults={
            "asked_by": by,
            "asked_at": clock.now(),
            "sealed_secret": _seal(grant, "secret", secret.strip()),
            "sealed_refresh_token": _seal(grant, "refresh", refresh_token.strip()),
            "sealed_access_token": None,
            "fetched_at": None,
            "expires_at": None,
            "scope": "",
            **outbox.schedule(clock.now()),
            "failures": 0,
            "last_error": "",
            "refused_at": None,
        },
    )
    _record(EventType.CACHED_TOKEN_KEPT, grant, by)
    after_commit(signature(FETCH), cached_token_id=cached.pk)
    return cached


@transaction.atomic
def disable(*, grant: Grant, by: User) -> bool:
    """Wipe what was entrusted and fetched; False when there was nothing. Raises NotFound for who is not an owner."""
    policies.require_owner(by, grant.connector)
    stopped, _tables = CachedToken.objects.filter(grant=grant).delete()
    if stopped:
        _record(EventType.CACHED_TOKEN_STOPPED, grant, by)
    return bool(stopped)


@sensitive_variables()
def get_token(*, connector_id: str, secret: str, grant_id: str) -> tuple[CachedToken, str]:
    """The access token at hand for a program that proves itself by ID and secret, and its row.

    Raises WrongConnectorCredentials; NotFound when the connector keeps none warm for such a grant, has none ready, or
    has several and named none. Whether the token is accepted is decided where it is used, as for any other.
    """
    now = clock.now()
    connector = token_exchange.authenticate_client(connector_id=connector_id, secret=secret, at=now)
    mine = CachedToken.objects.filter(grant__connector=connector, grant__in=Grant.objects.live(now).of_active_users())
    if grant_id.strip():
        key = ids.parse_guid(grant_id)
        mine = mine.filter(grant_id=key) if key else mine.none()
    found = list(mine.select_related("grant")[:2])
    if len(found) > 1:
        raise NotFound("Several access tokens are kept warm for this connector: name one in the header grantId.")
    if not found:
        raise NotFound("No access token is kept warm for this connector and grant.")
    cached = found[0]
    token = _open(cached.grant, "access", cached.sealed_access_token) if cached.is_ready(now) else None
    if token is None:
        raise NotFound("The access token that is kept warm is not ready: fetch one with GET /v1/accessToken meanwhile.")
    return cached, token


def sweep() -> int:
    """Wakes a worker for every token that is due, whatever became of the first message; the number of them."""
    waiting = CachedToken.objects.filter(next_attempt_at__isnull=False)
    return outbox.sweep(waiting, now=clock.now(), wake=_wake)


@sensitive_variables()
def fetch(*, cached_token_id: int) -> bool:
    """Fetch the token if it is due and no other worker has it; True when there is a new one.

    The worker that moves `next_attempt_at` on has the row until then. No transaction is open during the request.
    """
    cached = _claim(cached_token_id)
    if cached is None:
        return False
    grant, now = cached.grant, clock.now()
    if grant.revoked_at is not None or (grant.ends_at is not None and grant.ends_at <= now):
        _filter_unchanged(cached).delete()  # both sides were told of the end itself
        return False
    if grant.suspended_at is not None or grant.connector.suspended_at is not None or grant.is_of_deactivated_user:
        # It would be refused, and that says nothing about the credentials.
        _retry_later(cached, LATEST, reason="The access is suspended.", counts=False)
        return False
    secret = _open(grant, "secret", cached.sealed_secret)
    refresh_token = _open(grant, "refresh", cached.sealed_refresh_token)
    if secret is None or refresh_token is None:
        _end_refused(cached, "What was entrusted cannot be opened any more: the console's key was changed.")
        return False
    if not CIRCUIT.allows():
        _retry_later(cached, _spread(dt.timedelta(seconds=CIRCUIT.seconds)), reason="", counts=False)
        return False
    try:
        fetched = request_token(connector_id=str(grant.connector_id), secret=secret, refresh_token=refresh_token)
    except TokenServiceUnavailable as problem:
        (CIRCUIT.failed if problem.is_down else CIRCUIT.succeeded)()
        _retry_later(cached, _pause(cached.failures, problem.retry_after), reason=str(problem), counts=True)
        return False
    except CredentialsRefused as refusal:
        CIRCUIT.succeeded()
        _end_refused(cached, str(refusal))
        return False
    CIRCUIT.succeeded()
    return _store_token(cached, fetched)


def _wake(cached: CachedToken) -> None:
    after_commit(signature(FETCH), cached_token_id=cached.pk)


def _claim(cached_token_id: int) -> CachedToken | None:
    if outbox.claim(CachedToken.objects.filter(pk=cached_token_id), now=clock.now(), lease=LEASE) is None:
        return None
    return CachedToken.objects.select_related(
        "grant__connector__organisation", "grant__connector__owner", "grant__granted_by"
    ).get(pk=cached_token_id)


@sensitive_variables()
@transaction.atomic
def _store_token(cached: CachedToken, fetched: FetchedToken) -> bool:
    """Seal what came, unless the developer stopped it, or entrusted other credentials."""
    now, grant = clock.now(), cached.grant
    life = fetched.expires_at - now
    changes = {
        "sealed_access_token": _seal(grant, "access", fetched.access_token),
        "fetched_at": now,
        "expires_at": fetched.expires_at,
        "scope": fetched.scope[:1000],
        **outbox.schedule(now, max(SOONEST, life * _dice.uniform(*RENEWED_AT))),
        "failures": 0,
        "last_error": "",
    }
    if fetched.successor:
        changes["sealed_refresh_token"] = _seal(grant, "refresh", fetched.successor)
    return bool(_filter_unchanged(cached).update(**changes))


def _retry_later(cached: CachedToken, pause: dt.timedelta, *, reason: str, counts: bool) -> None:
    _filter_unchanged(cached).update(
        **outbox.schedule(clock.now(), pause),
        failures=F("failures") + (1 if counts else 0),
        last_error=redact(reason)[:300] if reason else cached.last_error,
    )


@transaction.atomic
def _end_refused(cached: CachedToken, reason: str) -> None:
    """Wipe what was entrusted and notify the owners once; they can entrust credentials again."""
    now = clock.now()
    stopped = _filter_unchanged(cached).update(
        refused_at=now,
        next_attempt_at=None,
        sealed_secret=None,
        sealed_refresh_token=None,
        sealed_access_token=None,
        last_error=redact(reason)[:300],
    )
    if not stopped:
        return
    grant = cached.grant
    _record(EventType.CACHED_TOKEN_REFUSED, grant, SYSTEM)
    notifications.queue_each(
        grant.connector.list_active_owners(),
        template="connectors/cached_token_refused",
        key=f"warm-refused:{cached.pk}:{now.isoformat()}",
        context={
            **grant.connector.mail_facts,
            "target_name": grant.target_name,
            "grant_id": str(grant.pk),
            "reason": reason,
        },
    )


def _filter_unchanged(cached: CachedToken) -> QuerySet[CachedToken]:
    """The row, while it is about the credentials that this worker took from it."""
    return CachedToken.objects.filter(pk=cached.pk, asked_at=cached.asked_at, refused_at__isnull=True)


def _pause(failures: int, retry_after: int | None) -> dt.timedelta:
    """Doubled with each failure, up to an hour, and spread; never sooner than the service asked."""
    doubled = min(SOONEST * 2 ** min(failures, 12), LATEST)
    return max(_spread(doubled), dt.timedelta(seconds=min(retry_after or 0, 86_400)))


def _spread(pause: dt.timedelta) -> dt.timedelta:
    return pause * _dice.uniform(0.5, 1.5)


@sensitive_variables()
def _require_working(grant: Grant, secret: str, refresh_token: str) -> None:
    now = clock.now()
    parsed = token_format.parse(CredentialKind.SECRET, secret)
    row = parsed and ConnectorSecret.objects.live(now).filter(public_part=parsed.public_part).first()
    if not parsed or not row or row.connector_id != grant.connector_id or not parsed.matches(row.pepper_id, row.digest):
        raise RuleBroken(_("This is not a live secret of this connector."), code="wrong_secret", field="secret")
    parsed = token_format.parse(CredentialKind.REFRESH, refresh_token)
    token = parsed and RefreshToken.objects.filter(public_part=parsed.public_part, grant=grant).first()
    if not parsed or not token or not parsed.matches(token.pepper_id, token.digest):
        raise RuleBroken(
            _("This is not a refresh token of this connector for “%(target)s”.") % {"target": grant.target_name},
            code="wrong_refresh_token",
            field="refresh_token",
        )
    token.grant = grant
    reason = token_exchange.explain_refusal(token, now)
    if reason:
        raise RuleBroken(reason, code="refresh_token_refused", field="refresh_token")


def _record(tag: EventType, grant: Grant, by: User | SystemActor) -> None:
    record(
        tag,
        by=by,
        subject=grant,
        after={
            **grant.audit_facts,
        },
    )


@sensitive_variables("text")
def _seal(grant: Grant, what: str, text: str) -> bytes:
    return crypto.seal(text.encode(), context=_context(grant.pk, what))


@sensitive_variables()
def _open(grant: Grant, what: str, sealed: bytes | memoryview | None) -> str | None:
    if sealed is None:
        return None
    try:
        return crypto.open_sealed(bytes(sealed), context=_context(grant.pk, what)).decode()
    except crypto.WrongKey:
        return None


def _context(grant_id: UUID, what: str) -> bytes:
    return b"connectors.CachedToken:" + what.encode() + b":" + grant_id.bytes
