"""Sign-in of a program's users by OAuth: code, PKCE, one use, a minute (wire protocol §4; RFC 6749, RFC 7636).

What the code makes is a user token like any other (`services.user_tokens`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.record import record
from accounts.audit.tags import Tag
from accounts.models import Person, User
from accounts.policies import require_no_credential_hold
from connectors import policies
from connectors.models import AuthorizationCode, Connector, ConnectorState, Grant, Handoff, RefreshToken
from connectors.permissions import Permission
from connectors.redirects import PermanentRedirect
from connectors.services import connectors, grants, throttling, token_exchange, trail, user_tokens
from connectors.services.token_exchange import ConnectorActor, Exchange
from connectors.webhooks import handoffs as handoff_events
from kaizala_console.lib import clock, crypto, ids
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

CODE_SECONDS: Final = 60
KEPT: Final = dt.timedelta(days=1)  # how long a replay is noticed
PATH: Final = "api/oauth/token"
CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # 32 bytes in base 64 (RFC 7636 §4.2)
VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)


class CodeRefused(RuleBroken):
    """The code gives no token: the message says why, for a program's log."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A refresh token for the program, and the first access token for it."""

    token: user_tokens.UserToken
    exchange: Exchange


def client(*, client_id: str, redirect_url: str) -> Connector:
    """The connector that asks, when the browser may be sent back to this address: equal to a registered one, exactly.

    Raises RuleBroken, with words for whoever sits at the browser; it must then be sent nowhere.
    """
    key = ids.parse_guid(client_id)
    found = key and Connector.objects.present().select_related("organisation", "owner").filter(pk=key).first()
    if not found:
        raise RuleBroken(_("No such connector is known here (client_id)."), code="client_unknown")
    if redirect_url not in found.redirect_urls:
        raise RuleBroken(
            _("The program asked to send you to an address that its developer has not registered (redirect_uri)."),
            code="redirect_unknown",
        )
    return found


@sensitive_variables("request_key", "code")
@transaction.atomic
def approve(
    *,
    connector: Connector,
    person: Person,
    by: User,
    request_key: str,
    redirect_url: str,
    challenge: str = "",
    as_shown: Collection[Permission] | None = None,
) -> str:
    """ "Allow": the code for the program. The same request (`request_key`, which only this browser has) gets it again.

    Raises NotFound for a connector of another organisation and for a number that the account does not hold; RuleBroken
    for a connector that takes no new grants; Conflict when the code of this request was used, or is too old, or the
    connector asks for more than `as_shown`, what the person saw.
    """
    connector = Connector.objects.get(pk=connector.pk)
    if not policies.can_see(by, connector) or connector.deleted_at or not policies.holds(by, person):
        raise NotFound
    require_no_credential_hold(by)
    has_one = Grant.objects.present().filter(connector=connector, target=user_tokens.target_of(person)).exists()
    if not has_one or connector.state is ConnectorState.SUSPENDED:
        grants.require_grantable(connector)
    connectors.require_shown(connector, as_shown)
    now = clock.now()
    code = _base64(crypto.hmac_tag("oauth-code", request_key, str(by.pk), str(person.pk)))
    row, _made = AuthorizationCode.objects.get_or_create(
        digest=_digest(code),
        defaults={
            "connector": connector,
            "user": by,
            "person": person,
            "permissions": connector.permissions,
            "redirect_url": redirect_url,
            "challenge": challenge,
            "made_at": now,
            "expires_at": now + dt.timedelta(seconds=CODE_SECONDS),
        },
    )
    if row.used_at is not None or row.expires_at <= now:
        raise Conflict(_("This was answered already. Start again from the program."), code="answered")
    return code


@sensitive_variables("client_secret", "code", "verifier", "outcome")
def redeem(
    *, client_id: str, client_secret: str, code: str, verifier: str, redirect_url: str, address: str | None
) -> SignedIn:
    """Trade a code for a user token. A code that comes a second time ends what it made the first time.

    Raises WrongConnectorCredentials, CodeRefused, PermanentRedirect, Throttled, and what `user_tokens.let_act` raises.
    """
    connector = token_exchange.authenticate_client(connector_id=client_id, secret=client_secret, at=clock.now())
    if connector.organisation.moved_to:
        raise PermanentRedirect(connector.organisation.moved_to, PATH)
    # Before the code is used up: who is told to come again later brings it once more.
    throttling.admit_exchange(connector)
    outcome = _redeemed(connector, code, verifier, redirect_url, address)
    if isinstance(outcome, CodeRefused):
        raise outcome  # after the commit: what a replay ends stays ended
    exchange = token_exchange.exchange(
        connector_id=client_id, secret=client_secret, refresh_token=outcome.text, address=address, admitted=True
    )
    return SignedIn(outcome, exchange)


@sensitive_variables("code", "verifier")
@transaction.atomic
def _redeemed(
    connector: Connector, code: str, verifier: str, redirect_url: str, address: str | None
) -> user_tokens.UserToken | CodeRefused:
    now = clock.now()
    # Locks go connector → code → grant; two that bring the same code take turns.
    Connector.objects.select_for_update(no_key=True).get(pk=connector.pk)
    rows = AuthorizationCode.objects.select_for_update(of=("self",), no_key=True).select_related("user", "person")
    row = rows.filter(digest=_digest(code), connector=connector).first()
    if row is None:
        return CodeRefused("The code is unknown: none like it was given to this connector within the last day.")
    if row.used_at is not None:
        _end_what_it_made(row, connector, now)
        return CodeRefused("The code was used before. What it gave then is revoked: have the person sign in again.")
    if row.expires_at <= now:
        return CodeRefused(f"The code has expired: it lives {CODE_SECONDS} seconds. Have the person sign in again.")
    if redirect_url and redirect_url != row.redirect_url:
        return CodeRefused("The redirect_uri is not the one that the code was asked for with.")
    if connector.pkce_required and not row.challenge:
        return CodeRefused("The code was asked for without PKCE, which this connector requires by now.")
    if not _proves(verifier, row.challenge):
        return CodeRefused("The code_verifier does not belong to the code_challenge that the code was asked for with.")
    if not policies.holds(row.user, row.person):
        return CodeRefused("The person's number has changed hands. Have the person sign in again.")
    made = user_tokens.let_act(
        connector=connector,
        person=row.person,
        user=row.user,
        permissions=row.permissions,
        by=row.user,
        tag=Tag.USER_TOKEN_BY_OAUTH,
        address=address,
    )
    row.used_at, row.refresh_token = now, made.row
    row.save(update_fields=["used_at", "refresh_token"])
    return made


@transaction.atomic
def require_pkce(*, connector: Connector, required: bool, by: User) -> Connector:
    """Whether sign-in through this connector needs PKCE. For owners: NotFound for others. The same again is nothing."""
    connector = Connector.objects.select_for_update(no_key=True).get(pk=connector.pk)
    policies.require_owner(by, connector)
    if connector.pkce_required is required:
        return connector
    connector.pkce_required = required
    connector.save(update_fields=["pkce_required"])
    record(
        Tag.CONNECTOR_CHANGED,
        by=by,
        subject=connector,
        **trail.of_connector(connector),
        before={"pkce_required": not required},
        after={"pkce_required": required},
    )
    return connector


def forget_old() -> int:
    """Delete codes whose day is over; the number of them."""
    return AuthorizationCode.objects.old(clock.now() - KEPT).delete()[0]


def _end_what_it_made(row: AuthorizationCode, connector: Connector, now: dt.datetime) -> None:
    token = row.refresh_token
    if token is None:
        return
    grant = _locked_grant_of(token)
    chain = [token.pk]
    while (following := RefreshToken.objects.filter(predecessor_id=chain[-1]).first()) is not None:
        chain.append(following.pk)
    ended = RefreshToken.objects.filter(pk__in=chain, revoked_at__isnull=True).update(revoked_at=now)
    handoffs = Handoff.objects.filter(refresh_token__in=chain)
    if handoffs.waiting().update(withdrawn_at=now, sealed=None):
        handoff_events.ended(handoffs.filter(withdrawn_at=now), handoff_events.WITHDRAWN)
    if ended:
        record(
            Tag.USER_TOKEN_REPLAYED,
            by=ConnectorActor(connector),
            subject=grant,
            **trail.of_grant(grant),
            after={"connector": connector.name, "target": grant.target_name, "tokens_ended": ended},
        )


def _locked_grant_of(token: RefreshToken) -> Grant:
    """The grant of a token, held until the end of the transaction, ended or not."""
    locked = Grant.objects.select_for_update(of=("self",), no_key=True).select_related("connector__organisation")
    return locked.get(pk=token.grant_id)


@sensitive_variables("verifier")
def _proves(verifier: str, challenge: str) -> bool:
    """S256 (RFC 7636 §4.6). A verifier without a challenge is refused as well: somebody took the challenge away."""
    if not challenge:
        return not verifier
    if not VERIFIER.fullmatch(verifier):
        return False
    return hmac.compare_digest(_base64(hashlib.sha256(verifier.encode()).digest()), challenge)


def _base64(data: bytes) -> str:
    """Base64url without padding (RFC 7636 appendix A)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@sensitive_variables("code")
def _digest(code: str) -> str:
    return crypto.hmac_tag("oauth-code-digest", code).hex()
