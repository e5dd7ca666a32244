"""Makes the connectors that tests are about. Rights that a test needs are made by the services themselves."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts import queries
from accounts.models import Person, User
from connectors.models import Connector, ConnectorSecret, Grant, Handoff, RefreshToken
from connectors.permissions import Permission
from connectors.services import grants, refresh_tokens, secrets, token_exchange, usage
from connectors.services.grants import Granted
from connectors.services.token_exchange import Exchange
from connectors.token_service import quick_exchange
from kaizala_console.lib import clock, ids

_names = count(1)
COMMON = frozenset({Permission.GROUP_INFORMATION, Permission.GROUP_MEMBER_LIST, Permission.TEXT_MESSAGE})


@dataclass(frozen=True)
class Program:
    """A program that holds everything it needs: what a developer has after the four steps."""

    connector: Connector
    secret: str
    grant: Grant
    handoff: Handoff
    refresh_token: str

    def headers(self, **other: str) -> dict[str, str]:
        """The three headers of `GET /v1/accessToken`; another value for one of them by its wire name."""
        return {
            "applicationId": str(self.connector.pk),
            "applicationSecret": self.secret,
            "refreshToken": self.refresh_token,
            **other,
        }


def make_connector(owner: User, name: str = "", **fields: Any) -> Connector:
    """A connector without secrets, with the commonest three permissions."""
    return Connector.objects.create(
        organisation=owner.organisation,
        owner=owner,
        name=name or f"Shift Planner {next(_names)}",
        **{"permissions": COMMON, **fields},
    )


@transaction.atomic
def make_secret(connector: Connector, slot: int = 1) -> tuple[ConnectorSecret, str]:
    """A secret in a slot, and its text."""
    return secrets.issue(connector=connector, slot=slot, by=connector.owner, at=clock.now())


def person_of(user: User) -> Person:
    """The person of the account's primary phone."""
    person = queries.primary_person(user)
    assert person is not None
    return person


def let_in(connector: Connector, by: User, *, target: str = "", **options: Any) -> Granted:
    """`by` grants the connector access to a group (which this app knows by an opaque key only)."""
    return grants.grant(
        connector=connector,
        kind=Grant.Kind.GROUP,
        target=target or f"group:{ids.new_id()}",
        target_name=options.pop("target_name", "Night shift"),
        person=options.pop("person", None) or person_of(by),
        by=by,
        **options,
    )


def make_program(connector: Connector, admin: User, **options: Any) -> Program:
    """The whole set-up: a secret, a grant, and the refresh token out of its handoff (which still waits)."""
    slot = 1 if not connector.secrets.filter(slot=1, revoked_at__isnull=True).exists() else 2
    _secret, text = make_secret(connector, slot)
    granted = let_in(connector, admin, **options)
    return Program(connector, text, granted.grant, granted.handoff, refresh_tokens.unseal(granted.handoff))


def exchange(program: Program, refresh_token: str = "") -> Exchange:
    """What the Token Service answers to the program, for the token of its handoff or another one."""
    return token_exchange.exchange(
        connector_id=str(program.connector.pk),
        secret=program.secret,
        refresh_token=refresh_token or program.refresh_token,
        address=None,
    )


_exchange_ordinarily = token_exchange.exchange


def exchange_quickly(*, connector_id: str, secret: str, refresh_token: str, address: str | None) -> Exchange:
    """As a web process exchanges: by the quick way, and by the ordinary one when that hands on."""
    headers = {"APPLICATIONID": connector_id, "APPLICATIONSECRET": secret, "REFRESHTOKEN": refresh_token}
    environ = {f"HTTP_{name}": value for name, value in headers.items()} | {"REMOTE_ADDR": address or ""}
    body = quick_exchange.answer(environ)
    if body is None:
        return _exchange_ordinarily(
            connector_id=connector_id, secret=secret, refresh_token=refresh_token, address=address
        )
    said = json.loads(body)
    return Exchange(
        access_token=said["accessToken"],
        expires_at=clock.from_epoch_ms(said["accessTokenExpiry"]),
        scopes=tuple(said["scope"].split(",")),
        successor=said["refreshToken"],
        endpoint_url=said["endpointUrl"],
        connector_id=UUID(connector_id.strip()),
    )


@transaction.atomic
def used(grant: Grant, at: dt.datetime | None = None) -> dt.datetime:
    """A program has used the newest token of the grant, for the first time or again."""
    at = at or clock.now()
    token = RefreshToken.objects.filter(grant=grant).latest("issued_at", "pk")
    token.first_used_at, token.last_used_at = token.first_used_at or at, at
    token.save(update_fields=["first_used_at", "last_used_at"])
    return at


def make_use(grant: Grant, operation: str, *, at: dt.datetime, calls: int, scope: str = "", **outcome: int) -> None:
    """Calls under a grant in the hour of this moment, as the process that counted them writes them."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    usage._write({usage.Hour(grant.pk, hour, operation, scope): usage.Counted(calls, **outcome)})
