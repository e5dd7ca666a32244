"""GET /v1/accessToken/warm: the access token that the console keeps ready for a program (an addition of ours)."""

from __future__ import annotations

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from connectors.services import token_cache
from connectors.token_service.access_token import AccessTokenAnswer
from kaizala_console.api.endpoint import Call, operation
from kaizala_console.api.errors import UnknownResource
from kaizala_console.api.headers import header
from kaizala_console.lib import clock


@operation(
    summary="Take the access token that is kept warm",
    credentials=("applicationId", "applicationSecret"),
    headers={"grantId": "Which one, when several are kept for the connector."},
    response=AccessTokenAnswer,
    refuses=(UnknownResource,),
)
@sensitive_variables()
def warm_token(call: Call) -> dict[str, str | int]:
    """Headers `applicationId`, `applicationSecret`, and `grantId` when several are kept for the connector."""
    request = call.request
    cached, token = token_cache.give(
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
