"""POST /api/oauth/token: a code for a user token (wire protocol §4; RFC 6749 §4.1.3, §5).

The answer has the fields of `GET /v1/accessToken`, and the same under the names that OAuth libraries read.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated
from urllib.parse import unquote_plus

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from pydantic import Field, WithJsonSchema

from connectors.services import oauth
from connectors.token_service.access_token import AccessTokenAnswer
from kaizala_console.api.endpoint import Call, operation
from kaizala_console.api.errors import ApiError, WrongConnectorCredentials
from kaizala_console.api.fields import Body, named
from kaizala_console.api.headers import header
from kaizala_console.lib.client_address import client_address
from kaizala_console.lib.errors import ConsoleError

_GRANT_TYPES = {
    "type": "string",
    "enum": ["authorization_code", "refresh_token"],
    "description": "A code is traded without it.",
}


class TokenRequest(Body):
    """Client ID and secret may come by HTTP Basic instead, as libraries send them by default."""

    grant_type: Annotated[str, WithJsonSchema(_GRANT_TYPES)] = named("grant_type", "grantType", default="")
    client_id: str = named("client_id", "clientId", default="")
    client_secret: str = named("client_secret", "clientSecret", default="")
    code: str = ""
    code_verifier: str = named("code_verifier", "codeVerifier", default="")
    redirect_uri: str = named("redirect_uri", "redirectUri", default="")
    refresh_token: str = named("refresh_token", "refreshToken", default="")
    scope: Annotated[str, Field(description="When refreshing: fewer scopes, separated by spaces.")] = ""


class TokenAnswer(AccessTokenAnswer):
    """With the names of RFC 6749 §5.1 besides; `refreshToken` is the user token itself."""

    scope: str = Field(description="Scopes, separated by spaces; by commas when no `grant_type` was sent.")
    # Both spellings are in it, so these are told apart by their Python names.
    oauth_access_token: str = Field(alias="access_token")
    token_type: str = Field(alias="token_type")
    expires_in: int = Field(alias="expires_in", description="Seconds.")
    oauth_refresh_token: str = Field(alias="refresh_token")


class OAuthRefused(ApiError):
    """Refused as RFC 6749 §5.2 says: `error` names the reason, besides the three fields that all errors have."""

    status = 400
    error_code = "InvalidParameters"
    error_category_key = "ValidationException"
    default_message = "The request is not what was expected."

    def __init__(self, error: str, message: str = "") -> None:
        super().__init__(message or _MESSAGES.get(error, ""))
        self.error = error

    def body(self) -> dict[str, str]:
        return {**super().body(), "error": self.error, "error_description": _printable(str(self.message))}


class ClientRefused(OAuthRefused):
    """Client ID or secret is wrong; never which."""

    status = WrongConnectorCredentials.status
    error_code = WrongConnectorCredentials.error_code
    error_category_key = WrongConnectorCredentials.error_category_key
    default_message = WrongConnectorCredentials.default_message

    def __init__(self) -> None:
        super().__init__("invalid_client")
        self.headers = {"WWW-Authenticate": "Basic"}


# Of what oauthlib gives no words for.
_MESSAGES = {
    "invalid_scope": "scope: a refresh may ask for fewer scopes than the token has, never for others.",
    "unsupported_grant_type": "grant_type: expected authorization_code or refresh_token.",
}


@operation(
    summary="Trade a sign-in code for a user token",
    body=TokenRequest,
    form=True,
    response=TokenAnswer,
    refuses=(OAuthRefused, ClientRefused),
)
@sensitive_variables()
def token(call: Call) -> dict[str, str | int]:
    """A code lives 60 seconds and works once. `grant_type=refresh_token` trades as `GET /v1/accessToken` does."""
    body: TokenRequest = call.body
    sent = {name: getattr(body, name) for name in TokenRequest.model_fields}
    client_id, client_secret = _client(call.request, body)
    sent |= {"client_id": client_id, "client_secret": client_secret, "code": body.code.strip()}
    sent["grant_type"] = body.grant_type or "authorization_code"
    try:
        status, answer = oauth.answer_token_request(sent, address=client_address(call.request))
    except WrongConnectorCredentials:
        raise ClientRefused from None
    except ApiError:
        raise
    except ConsoleError as refused:
        raise OAuthRefused("invalid_grant", str(refused.message)) from None
    if status == ClientRefused.status:
        raise ClientRefused
    if "error" in answer:
        raise OAuthRefused(answer["error"], answer.get("error_description", ""))
    if not body.grant_type:  # as Kaizala's documentation has it, where scopes are separated by commas
        answer["scope"] = answer["scope"].replace(" ", ",")
    return answer


def _printable(text: str) -> str:
    """In the characters that an error_description may have (RFC 6749 §5.2)."""
    for quote in '“”‘’"':
        text = text.replace(quote, "'")
    return re.sub(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]", "?", text)


@sensitive_variables()
def _client(request: HttpRequest, body: TokenRequest) -> tuple[str, str]:
    """ID and secret, from the body or by HTTP Basic, form-encoded first (RFC 6749 §2.3.1)."""
    scheme, _space, rest = header(request, "Authorization").partition(" ")
    if scheme.lower() != "basic":
        return body.client_id, body.client_secret
    try:
        name, _colon, secret = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise OAuthRefused("invalid_request", "The Authorization header is no HTTP Basic.") from None
    return unquote_plus(name), unquote_plus(secret)
