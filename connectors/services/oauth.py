"""Sign-in of a program's users by OAuth: code, PKCE, one use, a minute (wire protocol §4; RFC 6749, RFC 7636).

oauthlib speaks the protocol, and asks `Validator` what it cannot know. What a code gives is a user token like any other
(`services.user_tokens`). Every client is confidential: a token request always proves the connector's secret.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.db import transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from oauthlib.common import Request
from oauthlib.oauth2 import (
    AccessDeniedError,
    AuthorizationCodeGrant,
    AuthorizationEndpoint,
    BearerToken,
    InvalidGrantError,
    InvalidRequestError,
    RefreshTokenGrant,
    RequestValidator,
    TokenEndpoint,
    UnauthorizedClientError,
    UnsupportedResponseTypeError,
)
from oauthlib.oauth2.rfc6749.errors import UnsupportedCodeChallengeMethodError

from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import Person, User
from accounts.policies import require_no_credential_hold
from connectors import policies
from connectors.models import AuthorizationCode, Connector, ConnectorState, Grant, RefreshToken
from connectors.permissions import list_scopes, parse_scopes
from connectors.services import connectors, grants, refresh_tokens, token_exchange, usage, user_tokens
from connectors.services.token_exchange import ConnectorActor, Exchange
from kaizala_console.api.errors import RefreshTokenRefused, WrongConnectorCredentials
from kaizala_console.lib import clock, crypto, ids, web_address
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

CODE_SECONDS: Final = 60
KEPT: Final = dt.timedelta(days=1)  # how long a replay is noticed
PATH: Final = "api/oauth/token"
LONGEST_STATE: Final = 2000
CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # 32 bytes in base 64 (RFC 7636 §4.2)
VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
PARAMETERS: Final = frozenset(
    {"client_id", "code_challenge", "code_challenge_method", "redirect_uri", "response_type", "scope", "state"}
)


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a program asks of a person, checked as it stands now."""

    connector: Connector
    scopes: list[str]
    redirect_url: str
    state: str | None


# The browser ---------------------------------------------------------------------------------------------------------


def to_query(parameters: Iterable[tuple[str, str]]) -> str:
    """The parameters of an authorization request, as the other functions take them. Names may come in any case."""
    named = [(name.lower(), value) for name, value in parameters]
    known = [(name, _tidy_query(name, value)) for name, value in named if name in PARAMETERS]
    if not any(name == "response_type" for name, _value in known):
        known.append(("response_type", "code"))  # which Kaizala's documentation does not mention
    return urlencode([(name, value) for name, value in known if value])


def read_request(query: str) -> AuthorizationRequest:
    """Check what a program asks.

    Raises FatalClientError, and the browser must be sent nowhere; another OAuth2Error is for the program
    (`error.in_uri(error.redirect_uri)`).
    """
    scopes, found = server.validate_authorization_request(f"/?{query}")
    return AuthorizationRequest(found["request"].client, scopes, found["redirect_uri"], found["state"])


@sensitive_variables("request_key")
@transaction.atomic
def approve(*, query: str, person: Person, by: User, request_key: str, as_shown: Collection[str] | None = None) -> str:
    """ "Allow": the address to send the browser to, with a code or an error for the program.

    The same request (`request_key`, which only this browser has) gets the same code again. Raises NotFound for a
    connector of another organisation and for a number that the account does not hold; Conflict when the code of this
    request was used, or is too old, or more is asked for than `as_shown`, the scopes that the person saw; RuleBroken
    for an account that has to wait; OAuth2Error as `read_request`.
    """
    given = {"user": by, "person": person, "request_key": request_key, "as_shown": as_shown}
    headers, _body, _status = server.create_authorization_response(f"/?{query}", credentials=given)
    return str(headers["Location"])


def decline(asked: AuthorizationRequest) -> str:
    """ "Don't allow": the address to send the browser to."""
    declined = AccessDeniedError(description="The person declined.", state=asked.state)
    return str(declined.in_uri(asked.redirect_url))


# The program ---------------------------------------------------------------------------------------------------------


@sensitive_variables()
@transaction.atomic
def answer_token_request(parameters: Mapping[str, str], *, address: str | None) -> tuple[int, dict[str, Any]]:
    """Trade a code or a refresh token: the status and the fields of the answer, an error's too (RFC 6749 §5).

    A code that comes a second time ends what it made the first time. Raises PermanentRedirect, Throttled, and what
    `user_tokens.let_act` raises; the code is not used up then.
    """
    body = {name: tidy for name, value in parameters.items() if (tidy := _tidy_query(name, value))}
    _headers, answer, status = server.create_token_response(f"/{PATH}", body=body, credentials={"address": address})
    return status, json.loads(answer)


class Validator(RequestValidator):
    """What oauthlib asks us. A method may raise an OAuth2Error, to say more than "no"."""

    def validate_client_id(self, client_id: str, request: Request, *_args: Any, **_more: Any) -> bool:
        key = ids.parse_guid(client_id)
        present = Connector.objects.present().select_related("organisation", "owner")
        request.client = present.filter(pk=key).first() if key else None
        return request.client is not None

    def validate_redirect_uri(
        self, client_id: str, redirect_uri: str, request: Request, *_args: Any, **_more: Any
    ) -> bool:
        """Equal to a registered one, to the letter."""
        return redirect_uri in [_tidy_query("redirect_uri", url) for url in request.client.redirect_urls]

    def get_default_redirect_uri(self, client_id: str, request: Request, *_args: Any, **_more: Any) -> None:
        """It must be sent, here and to the token endpoint (RFC 6749 §4.1.3)."""

    def validate_response_type(self, *_args: Any, **_more: Any) -> bool:
        return True  # `_check_beforehand` has

    def is_pkce_required(self, client_id: str, request: Request) -> bool:
        return bool(request.client.pkce_required)

    def get_default_scopes(self, client_id: str, request: Request, *_args: Any, **_more: Any) -> list[str]:
        return list_scopes(request.client.permissions)

    def validate_scopes(
        self, client_id: str, scopes: list[str], client: Connector, request: Request, *_args: Any, **_more: Any
    ) -> bool:
        return frozenset(list_scopes(client.permissions)).issuperset(scopes)

    @sensitive_variables("code")
    def save_authorization_code(
        self, client_id: str, code: dict[str, str], request: Request, *_args: Any, **_more: Any
    ) -> None:
        connector, user, person = request.client, request.user, request.person
        if not policies.can_see(user, connector) or not policies.holds(user, person):
            raise NotFound
        require_no_credential_hold(user)
        has_one = Grant.objects.present().filter(connector=connector, target=user_tokens.get_target(person)).exists()
        if not has_one or connector.state is ConnectorState.SUSPENDED:
            _require_grantable(connector, request)
        connectors.require_shown(connector, request.scopes, request.as_shown)
        now = clock.now()
        row, _made = AuthorizationCode.objects.get_or_create(
            digest=_digest(code["code"]),
            defaults={
                "connector": connector,
                "user": user,
                "person": person,
                "scope": " ".join(request.scopes),
                "redirect_url": request.redirect_uri,
                "challenge": request.code_challenge or "",
                "made_at": now,
                "expires_at": now + dt.timedelta(seconds=CODE_SECONDS),
            },
        )
        if row.used_at is not None or row.expires_at <= now:
            raise Conflict(_("This was already answered. Start again from the program."), code="answered")

    @sensitive_variables()
    def authenticate_client(self, request: Request, *_args: Any, **_more: Any) -> bool:
        try:
            request.client = token_exchange.authenticate_client(
                connector_id=request.client_id or "", secret=request.client_secret or "", at=clock.now()
            )
        except WrongConnectorCredentials:
            return False
        request.client_id = request.client.client_id
        return True

    def validate_grant_type(self, *_args: Any, **_more: Any) -> bool:
        return True  # each of our two is for everybody

    @sensitive_variables("code")
    def validate_code(
        self, client_id: str, code: str, client: Connector, request: Request, *_args: Any, **_more: Any
    ) -> bool:
        token_exchange.require_here(client, PATH)
        # Before the code is used up: who is told to come again later brings it once more.
        usage.check_exchange_rate_limit(client)
        now = clock.now()
        # Locks go connector → code → grant; two that bring the same code take turns.
        Connector.objects.get_locked(client.pk)
        rows = AuthorizationCode.objects.select_for_update(of=("self",), no_key=True).select_related("user", "person")
        row = rows.filter(digest=_digest(code), connector=client).first()
        if row is None:
            raise InvalidGrantError("The code is unknown: none like it was given to this connector in the last day.")
        if row.used_at is not None:
            _end_what_it_made(row, client, now)
            raise InvalidGrantError(
                "The code was used before. What it gave then is revoked: have the person sign in again."
            )
        if row.expires_at <= now:
            raise InvalidGrantError(
                f"The code has expired: it lives {CODE_SECONDS} seconds. Have the person sign in again."
            )
        if client.pkce_required and not row.challenge:
            raise InvalidGrantError("The code was asked for without PKCE, which this connector requires by now.")
        # A verifier without a challenge: somebody took the challenge away.
        if request.code_verifier and not (row.challenge and VERIFIER.fullmatch(request.code_verifier)):
            raise InvalidGrantError(
                "The code_verifier does not belong to the code_challenge that the code was asked for with."
            )
        if not policies.holds(row.user, row.person):
            raise InvalidGrantError("The person's number has changed hands. Have the person sign in again.")
        request.authorization, request.scopes = row, row.scope.split()
        return True

    def get_code_challenge(self, code: str, request: Request) -> str | None:
        return request.authorization.challenge or None

    def get_code_challenge_method(self, code: str, request: Request) -> str:
        return "S256"

    def confirm_redirect_uri(
        self, client_id: str, code: str, redirect_uri: str, client: Connector, request: Request, *_a: Any, **_more: Any
    ) -> bool:
        if redirect_uri != request.authorization.redirect_url:
            raise InvalidGrantError("The redirect_uri is not the one that the code was asked for with.")
        return True

    def invalidate_authorization_code(
        self, client_id: str, code: str, request: Request, *_args: Any, **_more: Any
    ) -> None:
        row = request.authorization
        row.used_at, row.refresh_token = clock.now(), request.made
        row.save(update_fields=["used_at", "refresh_token"])

    @sensitive_variables("refresh_token")
    def validate_refresh_token(
        self, refresh_token: str, client: Connector, request: Request, *_args: Any, **_more: Any
    ) -> bool:
        try:
            request.made = token_exchange.require_token(
                connector=client, refresh_token=refresh_token, at=clock.now(), path=PATH
            )
        except RefreshTokenRefused as refused:
            raise InvalidGrantError(str(refused.message)) from None
        return True

    def get_original_scopes(self, refresh_token: str, request: Request, *_args: Any, **_more: Any) -> list[str]:
        held: list[str] = request.made.grant.held_scopes()
        return held

    def save_bearer_token(self, token: dict[str, Any], request: Request, *_args: Any, **_more: Any) -> None:
        """`TokenMaker` has saved it."""


class TokenMaker(BearerToken):
    """Makes the tokens, and the answer that has them under the protocol's names and under those of RFC 6749 §5.1."""

    @sensitive_variables()
    def create_token(self, request: Request, refresh_token: bool = False, **_more: Any) -> dict[str, Any]:
        address = request.extra_credentials["address"]
        if request.grant_type == "refresh_token":
            narrowed_to = request.scopes if request.scope else None
            exchange = token_exchange.mint(request.made, address=address, at=clock.now(), narrowed_to=narrowed_to)
            return _to_answer(exchange, exchange.successor or request.refresh_token, exchange.successor)
        row = request.authorization
        made = user_tokens.let_act(
            connector=request.client,
            person=row.person,
            user=row.user,
            scopes=request.scopes,
            by=row.user,
            tag=EventType.USER_TOKEN_BY_OAUTH,
            address=address,
        )
        request.made = made.row
        return _to_answer(token_exchange.mint(made.row, address=address, at=clock.now()), made.text, made.text)


class CodeGrant(AuthorizationCodeGrant):
    """A code that is the same whenever the same request is approved: a double click loses nothing."""

    @sensitive_variables()
    def create_authorization_code(self, request: Request) -> dict[str, str]:
        code = crypto.hmac_tag("oauth-code", request.request_key, str(request.user.pk), str(request.person.pk))
        text = urlsafe_b64encode(code).rstrip(b"=").decode()
        return {"code": text, "state": request.state} if request.state else {"code": text}


class Server(AuthorizationEndpoint, TokenEndpoint):
    """The two endpoints, with the two grants that there are."""

    def __init__(self) -> None:
        validator = Validator()
        code = CodeGrant(validator, pre_auth=[_check_beforehand])
        grant_types = {"authorization_code": code, "refresh_token": RefreshTokenGrant(validator)}
        maker = TokenMaker(validator)
        AuthorizationEndpoint.__init__(self, "code", maker, {"code": code})
        TokenEndpoint.__init__(self, "authorization_code", maker, grant_types)


def _check_beforehand(request: Request) -> dict[str, str]:
    """What oauthlib is laxer about than we are."""
    if request.response_type != "code":
        raise UnsupportedResponseTypeError("Use response_type=code.", request=request)
    if request.state and len(request.state) > LONGEST_STATE:
        request.state = None
        raise InvalidRequestError(f"state has more than {LONGEST_STATE} characters.", request=request)
    if request.code_challenge and request.code_challenge_method != "S256":
        raise UnsupportedCodeChallengeMethodError("code_challenge_method must be S256.", request=request)
    if request.code_challenge and not CHALLENGE.fullmatch(request.code_challenge):
        raise InvalidRequestError("code_challenge is not the base64url of a SHA-256.", request=request)
    return {}


server: Final = Server()


# The owner -----------------------------------------------------------------------------------------------------------


@transaction.atomic
def require_pkce(*, connector: Connector, required: bool, by: User) -> Connector:
    """Whether sign-in through this connector needs PKCE. For owners: NotFound for others. The same again is nothing."""
    connector = Connector.objects.get_locked(connector.pk)
    policies.require_owner(by, connector)
    if connector.pkce_required is required:
        return connector
    connector.pkce_required = required
    connector.save(update_fields=["pkce_required"])
    record(
        EventType.CONNECTOR_CHANGED,
        by=by,
        subject=connector,
        before={"pkce_required": not required},
        after={"pkce_required": required},
    )
    return connector


def delete_expired() -> int:
    """Delete codes whose day is over; the number of them."""
    return AuthorizationCode.objects.old(clock.now() - KEPT).delete()[0]


# Pieces --------------------------------------------------------------------------------------------------------------


def _tidy_query(name: str, value: str) -> str:
    """A parameter in the one form that is compared, stored and sent."""
    if name == "scope":
        return " ".join(parse_scopes(value))
    if name == "redirect_uri":
        try:
            return web_address.to_ascii(value)
        except ValueError:
            return value  # equal to none
    return value


def _require_grantable(connector: Connector, request: Request) -> None:
    try:
        grants.require_grantable(connector)
    except RuleBroken:
        raise UnauthorizedClientError("This connector is deactivated or suspended.", request=request) from None


def _end_what_it_made(row: AuthorizationCode, connector: Connector, now: dt.datetime) -> None:
    token = row.refresh_token
    if token is None:
        return
    grant = _lock_grant(token)
    ended = refresh_tokens.revoke_chain(token, at=now)
    if ended:
        record(
            EventType.USER_TOKEN_REPLAYED,
            by=ConnectorActor(connector),
            subject=grant,
            after={**grant.audit_facts, "tokens_ended": ended},
        )


def _lock_grant(token: RefreshToken) -> Grant:
    """The grant of a token, held until the end of the transaction, ended or not."""
    locked = Grant.objects.select_for_update(of=("self",), no_key=True).select_related("connector__organisation")
    return locked.get(pk=token.grant_id)


@sensitive_variables()
def _to_answer(exchange: Exchange, refresh_token: str, new: str) -> dict[str, Any]:
    left = exchange.expires_at - clock.now()
    return {
        "accessToken": exchange.access_token,
        "endpointUrl": exchange.endpoint_url,
        "accessTokenExpiry": clock.epoch_ms(exchange.expires_at),
        "refreshToken": new,
        "scope": " ".join(exchange.scopes),
        "access_token": exchange.access_token,
        "token_type": "Bearer",
        "expires_in": round(left.total_seconds()),
        "refresh_token": refresh_token,
    }


@sensitive_variables("code")
def _digest(code: str) -> str:
    return crypto.hmac_tag("oauth-code-digest", code).hex()
