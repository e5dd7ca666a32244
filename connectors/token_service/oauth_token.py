"""POST /api/oauth/token: a code for a user token (wire protocol §4; RFC 6749 §4.1.3, §5).

The answer has the fields of `GET /v1/accessToken`, and the same under the names that OAuth libraries read.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, ClassVar
from urllib.parse import unquote_plus

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from pydantic import Field, WithJsonSchema

from connectors.services import oauth, token_exchange
from connectors.services.token_exchange import Exchange
from connectors.token_service.access_token import AccessTokenAnswer
from kaizala_console.api.endpoint import Call, operation
from kaizala_console.api.errors import (
    ApiError,
    InvalidParameters,
    RefreshTokenRefused,
    Unauthorized,
    WrongConnectorCredentials,
)
from kaizala_console.api.fields import Body, named
from kaizala_console.api.headers import header
from kaizala_console.lib import clock
from kaizala_console.lib.client_address import client_address
from kaizala_console.lib.errors import ConsoleError

_GRANT_TYPES = {"type": "string", "enum": ["authorization_code", "refresh_token"]}


class TokenRequest(Body):
    """Client ID and secret may come by HTTP Basic instead, as libraries send them by default."""

    grant_type: Annotated[str, WithJsonSchema(_GRANT_TYPES)] = named(
        "grant_type", "grantType", default="authorization_code"
    )
    client_id: str = named("client_id", "clientId", default="")
    client_secret: str = named("client_secret", "clientSecret", default="")
    code: str = ""
    code_verifier: str = named("code_verifier", "codeVerifier", default="")
    redirect_uri: str = named("redirect_uri", "redirectUri", default="")
    refresh_token: str = named("refresh_token", "refreshToken", default="")


class TokenAnswer(AccessTokenAnswer):
    """With the names of RFC 6749 §5.1 besides; `refreshToken` is the user token itself."""

    # Both spellings are in it, so these are told apart by their Python names.
    oauth_access_token: str = Field(alias="access_token")
    token_type: str = Field(alias="token_type")
    expires_in: int = Field(alias="expires_in", description="Seconds.")
    oauth_refresh_token: str = Field(alias="refresh_token")


class _OAuthError(ApiError):
    """Adds the fields of RFC 6749 §5.2 to an error of the table."""

    status = 400
    error_code = "InvalidParameters"
    error_category_key = "ValidationException"
    default_message = "The request is not what was expected."
    oauth_code: ClassVar[str] = "invalid_request"

    def body(self) -> dict[str, str]:
        return {**super().body(), "error": self.oauth_code, "error_description": str(self.message)}


class BadRequest(_OAuthError):
    """Something is missing."""


class BadClient(_OAuthError, WrongConnectorCredentials):
    """Client ID or secret is wrong; never which."""

    status = WrongConnectorCredentials.status
    error_code = WrongConnectorCredentials.error_code
    error_category_key = WrongConnectorCredentials.error_category_key
    default_message = WrongConnectorCredentials.default_message
    oauth_code = "invalid_client"


class BadGrantType(_OAuthError):
    """Codes and refresh tokens are all that is taken."""

    default_message = "grant_type: expected authorization_code or refresh_token."
    oauth_code = "unsupported_grant_type"


class BadCode(_OAuthError):
    """The code gives no token."""

    oauth_code = "invalid_grant"


class BadRefreshToken(_OAuthError, RefreshTokenRefused):
    """The refresh token is refused, with the status that it has everywhere here."""

    status = RefreshTokenRefused.status
    error_code = RefreshTokenRefused.error_code
    error_category_key = RefreshTokenRefused.error_category_key
    default_message = RefreshTokenRefused.default_message
    oauth_code = "invalid_grant"


class AccessDenied(_OAuthError, Unauthorized):
    """The person's account may not let this connector act (any more)."""

    status = Unauthorized.status
    error_code = Unauthorized.error_code
    error_category_key = Unauthorized.error_category_key
    default_message = Unauthorized.default_message
    oauth_code = "invalid_grant"


@operation(
    summary="Trade a sign-in code for a user token",
    body=TokenRequest,
    form=True,
    response=TokenAnswer,
    refuses=(BadRequest, BadGrantType, BadCode, BadClient, BadRefreshToken, AccessDenied),
)
@sensitive_variables()
def token(call: Call) -> dict[str, str | int]:
    """A code lives 60 seconds and works once. `grant_type=refresh_token` trades as `GET /v1/accessToken` does."""
    body: TokenRequest = call.body
    client_id, client_secret = _client(call.request, body)
    address = client_address(call.request)
    try:
        if body.grant_type == "refresh_token":
            if not body.refresh_token.strip():
                raise BadRequest("refresh_token is missing.")
            exchanged = token_exchange.exchange(
                connector_id=client_id, secret=client_secret, refresh_token=body.refresh_token, address=address
            )
            return _answer(exchanged, exchanged.successor or body.refresh_token, exchanged.successor)
        if body.grant_type != "authorization_code":
            raise BadGrantType
        if not body.code.strip():
            raise BadRequest("code is missing.")
        signed_in = oauth.redeem(
            client_id=client_id,
            client_secret=client_secret,
            code=body.code.strip(),
            verifier=body.code_verifier,
            redirect_url=body.redirect_uri,
            address=address,
        )
    except _OAuthError:
        raise
    except WrongConnectorCredentials:
        raise BadClient(headers={"WWW-Authenticate": "Basic"}) from None
    except RefreshTokenRefused as refused:
        raise BadRefreshToken(str(refused.message)) from None
    except ApiError:
        raise
    except oauth.CodeRefused as refused:
        raise BadCode(str(refused.message)) from None
    except ConsoleError as refused:
        raise AccessDenied(str(refused.message)) from None
    return _answer(signed_in.exchange, signed_in.token.text, signed_in.token.text)


@sensitive_variables()
def _answer(exchanged: Exchange, refresh_token: str, new: str) -> dict[str, str | int]:
    left = exchanged.expires_at - clock.now()
    return {
        "accessToken": exchanged.access_token,
        "endpointUrl": exchanged.endpoint_url,
        "accessTokenExpiry": clock.epoch_ms(exchanged.expires_at),
        "refreshToken": new,
        "scope": ",".join(exchanged.scopes),
        "access_token": exchanged.access_token,
        "token_type": "Bearer",
        "expires_in": round(left.total_seconds()),
        "refresh_token": refresh_token,
    }


@sensitive_variables()
def _client(request: HttpRequest, body: TokenRequest) -> tuple[str, str]:
    """ID and secret, from the body or by HTTP Basic, form-encoded first (RFC 6749 §2.3.1)."""
    scheme, _space, rest = header(request, "Authorization").partition(" ")
    if scheme.lower() != "basic":
        return body.client_id, body.client_secret
    try:
        name, _colon, secret = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidParameters("The Authorization header is no HTTP Basic.") from None
    return unquote_plus(name), unquote_plus(secret)
