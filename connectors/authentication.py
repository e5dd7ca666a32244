"""Who calls with an access token, and with what right; checked on every call.

The token itself says only what cannot change. Whether it is accepted is read from its rows, in one SELECT: so what is
revoked, suspended or deleted is refused on the very next request, though access tokens have no row of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.db import models
from django.db.models import F, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import translation
from django.views.decorators.debug import sensitive_variables

from accounts.models import Organisation, Person
from accounts.models.person import name_expression
from connectors import permissions, token_format
from connectors.models import Bot, Connector, Grant, RefreshToken
from connectors.permissions import PERMISSION_OF
from connectors.services import usage
from kaizala_console.api import endpoint
from kaizala_console.api.errors import PermanentRedirect, TokenInvalid
from kaizala_console.api.headers import access_token
from kaizala_console.lib import clock
from kaizala_console.lib.prepared import Parameter, Prepared

# Whoever does ask for one of these reads it then, by a statement of its own.
_NOT_ASKED: Final = (
    *("public_part", "pepper_id", "digest", "predecessor", "issued_at", "reminded_for"),
    *("first_used_at", "first_used_from", "last_used_at", "last_used_from"),
    *(f"grant__{name}" for name in ("granted_at", "end_told_at", "reminded_for")),
    *(f"grant__connector__{name}" for name in ("description", "home_page", "logo_sha256", "redirect_urls")),
    *(f"grant__connector__{name}" for name in ("pkce_required", "created_at", "deactivated_at")),
    *(f"grant__connector__organisation__{name}" for name in ("entra_tenant_id", "created_at")),
    *(f"grant__person__{name}" for name in ("provisioned_at", "created_at")),
)


def _select_rows(pk: Parameter) -> QuerySet[RefreshToken]:
    """Narrowed to a primary key alone: what decides is compared in Python, on rows that one statement has read."""
    return (
        RefreshToken.objects.filter(pk=pk)
        .select_related("grant__person", "grant__connector__organisation")
        .defer(*_NOT_ASKED)
        .annotate(
            granter_is_active=F("grant__granted_by__is_active"),
            person_name=name_expression(OuterRef("grant__connector__organisation_id"), "grant__person_id"),
        )
    )


def _select_rows_with_bot(pk: Parameter, bot_id: Parameter) -> QuerySet[RefreshToken]:
    """As `_select_rows`, with the bot, which must be its connector's and not deleted."""
    bots = "grant__connector__bots"
    return (
        _select_rows(pk)
        .filter(**{f"{bots}__pk": bot_id, f"{bots}__removed_at": None})
        .annotate(bot_id=F(f"{bots}__pk"), bot_name=F(f"{bots}__name"), bot_picture_url=F(f"{bots}__picture_url"))
    )


_ROW = Prepared(_select_rows, pk=models.BigIntegerField())
_ROW_WITH_BOT = Prepared(_select_rows_with_bot, pk=models.BigIntegerField(), bot_id=models.UUIDField())


@dataclass(frozen=True, slots=True)
class AccessContext:
    """A connector at work: under this grant, with the role of this person.

    Scopes are the grant's (`Grant.held_scopes`); for a token that acts as a `bot`, cut down to what bots do. What the
    token *reaches* is not known here (`groups.access`).
    """

    grant: Grant
    connector: Connector
    person: Person
    organisation: Organisation
    scopes: frozenset[str]
    refresh_token_id: int
    bot: Bot | None = None

    def permission_for(self, scope: str) -> str:
        """The portal's name of the permission that a scope belongs to, in English as all of the wire."""
        permission = PERMISSION_OF.get(scope)
        if permission is None:
            return scope
        with translation.override("en"):
            return str(permissions.DESCRIPTIONS[permission].label)

    def audit_actor(self) -> tuple[str, str, str]:
        """The program is the actor (`accounts.audit.record.Actor`), and says under which bot's name it acted."""
        name = self.connector.name if self.bot is None else f"{self.bot.name} ({self.connector.name})"
        return "connector", str(self.connector.pk), name


@sensitive_variables("token")
def authenticate(request: HttpRequest) -> AccessContext:
    """Return the caller behind the request's access token, by one SELECT.

    Raises TokenMissing, TokenInvalid and PermanentRedirect (308).
    """
    caller = get_access_context(access_token(request))
    if caller.organisation.moved_to:
        raise PermanentRedirect(caller.organisation.moved_to, request.get_full_path())
    return caller


@sensitive_variables("token")
def get_access_context(token: str) -> AccessContext:
    """The caller behind an access token. Raises TokenInvalid, always with the same text: programs match it."""
    now = clock.now()
    claims = token_format.read_access_token(token)
    if claims is None or claims.expires_at <= now:
        raise TokenInvalid
    if claims.bot_id is None:
        row: Any = _ROW.first(pk=claims.refresh_token_id)
    else:
        row = _ROW_WITH_BOT.first(pk=claims.refresh_token_id, bot_id=claims.bot_id)
    if row is None:
        raise TokenInvalid
    grant, connector = row.grant, row.grant.connector
    grant.person.name = row.person_name
    accepted = (
        grant.pk == claims.grant_id
        and row.is_live(now)
        and grant.is_live(now)
        and connector.deleted_at is None
        and connector.suspended_at is None
        and connector.token_generation == claims.generation
        and not (grant.kind == Grant.Kind.USER and row.granter_is_active is False)
    )
    if not accepted:
        raise TokenInvalid
    bot = None
    if claims.bot_id is not None:
        bot = Bot(pk=row.bot_id, connector=connector, name=row.bot_name, picture_url=row.bot_picture_url)
    grant.scope_bits = claims.scope_bits
    held = grant.held_scopes()
    return AccessContext(
        grant=grant,
        connector=connector,
        person=grant.person,
        organisation=connector.organisation,
        scopes=frozenset(held if bot is None else permissions.list_bot_scopes(held)),
        refresh_token_id=row.pk,
        bot=bot,
    )


def _admit(caller: AccessContext) -> None:
    usage.check_rate_limit(caller.connector)


# How an endpoint of the Platform Service is declared: `@operation(scope="textmessage.write", …)`.
operation = partial(endpoint.operation, authenticate=authenticate, admit=_admit, observe=usage.observe)
