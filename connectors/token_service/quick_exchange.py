"""The quick way of `GET /v1/accessToken`, in front of Django: a plain success, by one prepared statement (ADR 0080).

Whatever is not a plain success is left to the ordinary way (`access_token.exchange`), untouched and uncounted: that is
the only place that knows what is answered to it. So this must accept nothing that the ordinary way refuses, and each
test of the exchange runs both ways.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, models
from django.db.models import Q, QuerySet
from django.views.decorators.debug import sensitive_variables

from connectors import permissions, token_format
from connectors.models import Grant, RefreshToken
from connectors.permissions import Permission
from connectors.services import refresh_tokens, token_exchange, usage
from connectors.token_format import CredentialKind
from kaizala_console.api import responses
from kaizala_console.lib import clock, ids
from kaizala_console.lib.client_address import read_address
from kaizala_console.lib.prepared import Parameter, Prepared

PATH: Final = f"/{token_exchange.PATH}"
_OLD_DOMAIN: Final = "kaiza.la"


class _Row(NamedTuple):
    """What decides, and what the answer is made of."""

    token_id: int
    token_pepper_id: str
    token_digest: str
    issued_at: dt.datetime
    expires_at: dt.datetime
    grant_id: UUID
    grant_ends_at: dt.datetime | None
    allowed: frozenset[Permission]
    asked: str
    connector_id: UUID
    held: frozenset[Permission]
    generation: int
    secret_id: int
    secret_pepper_id: str
    secret_digest: str
    secret_expires_at: dt.datetime | None


_SECRET: Final = "grant__connector__secrets"  # noqa: S105 (a path)
_COLUMNS: Final = (
    "pk",
    "pepper_id",
    "digest",
    "issued_at",
    "expires_at",
    "grant_id",
    "grant__ends_at",
    "grant__permissions",
    "grant__scope",
    "grant__connector_id",
    "grant__connector__permissions",
    "grant__connector__token_generation",
    f"{_SECRET}__pk",
    f"{_SECRET}__pepper_id",
    f"{_SECRET}__digest",
    f"{_SECRET}__expires_at",
)


def _select_row(refresh_token: Parameter, secret: Parameter) -> QuerySet[RefreshToken, tuple[Any, ...]]:
    """By the public parts of both; without what has ended, is suspended or reported, or has another answer."""
    of_deactivated = Q(grant__kind=Grant.Kind.USER, grant__granted_by__is_active=False)
    return (
        RefreshToken.objects.filter(
            public_part=refresh_token,
            revoked_at=None,
            reported_at=None,
            first_used_at__isnull=False,
            grant__revoked_at=None,
            grant__suspended_at=None,
            grant__connector__deleted_at=None,
            grant__connector__suspended_at=None,
            grant__connector__organisation__moved_to="",
            **{f"{_SECRET}__public_part": secret, f"{_SECRET}__revoked_at": None, f"{_SECRET}__reported_at": None},
        )
        .exclude(of_deactivated)
        .order_by()
        .values_list(*_COLUMNS)
    )


_ROW: Final = Prepared(_select_row, refresh_token=models.CharField(), secret=models.CharField())


@sensitive_variables()
def answer(environ: Mapping[str, Any]) -> bytes | None:
    """The body of a plain success, counted; None for whatever else. `environ` is a GET of `PATH` (PEP 3333)."""
    host = environ.get("HTTP_HOST", "").partition(":")[0].lower()
    if host.endswith(_OLD_DOMAIN):  # a quirk, to be noted
        return None
    connector_id = ids.parse_guid(environ.get("HTTP_APPLICATIONID", ""))
    secret = token_format.parse(CredentialKind.SECRET, environ.get("HTTP_APPLICATIONSECRET", ""))
    token = token_format.parse(CredentialKind.REFRESH, environ.get("HTTP_REFRESHTOKEN", ""))
    if connector_id is None or secret is None or token is None:
        return None
    now = clock.now()
    try:
        found = _ROW.first(refresh_token=token.public_part, secret=secret.public_part)
    except DatabaseError:  # the ordinary way opens the connection anew, or says what is the matter
        return None
    if found is None:
        return None
    row = _Row(*found)
    is_plain = (
        row.connector_id == connector_id
        and secret.matches(row.secret_pepper_id, row.secret_digest)
        and token.matches(row.token_pepper_id, row.token_digest)
        and (row.secret_expires_at is None or row.secret_expires_at > now)
        and (row.grant_ends_at is None or row.grant_ends_at > now)
        and row.expires_at > now
        and now < refresh_tokens.get_successor_start(row.issued_at, row.expires_at)
        and usage.count_exchange(connector_id) is None
    )
    return _mint(row, address=read_address(environ), at=now) if is_plain else None


@sensitive_variables()
def _mint(row: _Row, *, address: str, at: dt.datetime) -> bytes:
    expires_at = token_exchange.get_access_end(at, row.expires_at, row.grant_ends_at)
    access_token = token_format.mint_access_token(
        refresh_token_id=row.token_id, grant_id=row.grant_id, generation=row.generation, expires_at=expires_at
    )
    usage.note_secret_used(row.secret_id, at=at, address=address)
    usage.note_token_used(row.token_id, at=at, address=address)
    usage.count(row.grant_id, usage.EXCHANGE, status=200, at=at)
    scopes = permissions.hold_scopes(row.allowed, row.asked, row.held, token_format.EVERY_SCOPE)
    return responses.encode(
        {
            "accessToken": access_token,
            "endpointUrl": settings.CONSOLE_BASE_URL,
            "accessTokenExpiry": clock.epoch_ms(expires_at),
            "refreshToken": "",
            "scope": ",".join(scopes),
        }
    )
