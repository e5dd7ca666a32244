"""GET /v1/accessToken: a refresh token for an access token (wire protocol §4)."""

from __future__ import annotations

from django.views.decorators.debug import sensitive_variables
from pydantic import BaseModel, Field

from connectors.services import tokens
from kaizala_console.lib import clock
from kaizala_console.lib.client_address import client_address
from kaizala_console.wire.endpoint import Call, operation
from kaizala_console.wire.headers import header


class AccessTokenAnswer(BaseModel):
    """Field names and forms are the protocol's."""

    accessToken: str = Field(description="Opaque; valid 24 hours.")  # noqa: N815
    endpointUrl: str = Field(description="Where the Platform Service is, without a closing slash.")  # noqa: N815
    accessTokenExpiry: int = Field(description="Epoch milliseconds.")  # noqa: N815
    refreshToken: str = Field(description="A successor near the end of the refresh token's life, else empty.")  # noqa: N815
    scope: str = Field(description="Comma-separated scopes.")


@operation(summary="Trade a refresh token for an access token", response=AccessTokenAnswer)
@sensitive_variables()
def exchange(call: Call) -> dict[str, str | int]:
    """Headers `applicationId`, `applicationSecret` and `refreshToken`, in any case."""
    request = call.request
    result = tokens.exchange(
        connector_id=header(request, "applicationId"),
        secret=header(request, "applicationSecret"),
        refresh_token=header(request, "refreshToken"),
        address=client_address(request),
    )
    return {
        "accessToken": result.access_token,
        "endpointUrl": result.endpoint_url,
        "accessTokenExpiry": clock.epoch_ms(result.expires_at),
        "refreshToken": result.successor,
        "scope": ",".join(result.scopes),
    }
