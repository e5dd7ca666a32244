"""GET /v1/accessToken: a refresh token for an access token (wire protocol §4)."""

from __future__ import annotations

from django.conf import settings
from django.views.decorators.debug import sensitive_variables
from pydantic import Field

from connectors.services import token_cache, token_exchange, usage
from kaizala_console.api.endpoint import Call, operation
from kaizala_console.api.errors import UnknownResource
from kaizala_console.api.headers import header
from kaizala_console.api.responses import Answer, EpochMs, Scopes
from kaizala_console.lib import clock
from kaizala_console.lib.client_address import client_address


class AccessTokenAnswer(Answer):
    """Where to call, and with what."""

    access_token: str = Field(description="Opaque; valid 24 hours.")
    endpoint_url: str = Field(description="Where the Platform Service is, without a closing slash.")
    access_token_expiry: EpochMs
    refresh_token: str = Field(description="A successor near the end of the refresh token's life, else empty.")
    scope: Scopes


@operation(
    summary="Trade a refresh token for an access token",
    credentials=("applicationId", "applicationSecret", "refreshToken"),
    response=AccessTokenAnswer,
)
@sensitive_variables()
def exchange(call: Call) -> dict[str, str | int]:
    """Headers `applicationId`, `applicationSecret` and `refreshToken`, in any case."""
    request = call.request
    result = token_exchange.exchange(
        connector_id=header(request, "applicationId"),
        secret=header(request, "applicationSecret"),
        refresh_token=header(request, "refreshToken"),
        address=client_address(request),
    )
    usage.note_compatibility_quirks(call, result.connector_id, at=clock.now())
    return {
        "accessToken": result.access_token,
        "endpointUrl": result.endpoint_url,
        "accessTokenExpiry": clock.epoch_ms(result.expires_at),
        "refreshToken": result.successor,
        "scope": ",".join(result.scopes),
    }


@operation(
    summary="Get the cached access token",
    credentials=("applicationId", "applicationSecret"),
    headers={"grantId": "Which one, when several are cached for the connector."},
    response=AccessTokenAnswer,
    refuses=(UnknownResource,),
)
@sensitive_variables()
def warm_token(call: Call) -> dict[str, str | int]:
    """Headers `applicationId`, `applicationSecret`, and `grantId` when several are cached for the connector."""
    request = call.request
    cached, token = token_cache.get_token(
        connector_id=header(request, "applicationId"),
        secret=header(request, "applicationSecret"),
        grant_id=header(request, "grantId"),
    )
    return {
        "accessToken": token,
        "endpointUrl": settings.CONSOLE_BASE_URL,
        "accessTokenExpiry": clock.epoch_ms(cached.expires_at) if cached.expires_at else 0,
        "refreshToken": "",  # the console takes the successor itself
        "scope": cached.scope,
    }
