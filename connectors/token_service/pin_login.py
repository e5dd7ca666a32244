"""POST /v1/generatePin and POST /v1/loginWithPinAndApplicationId: a user token by PIN (wire protocol §4)."""

from __future__ import annotations

from typing import Annotated

from django.conf import settings
from django.views.decorators.debug import sensitive_variables
from pydantic import Field

from connectors.services import user_tokens
from kaizala_console.api.endpoint import Call, operation
from kaizala_console.api.errors import Unauthorized, WrongConnectorCredentials
from kaizala_console.api.fields import Body, Id, PhoneNumber, Pin
from kaizala_console.api.headers import header
from kaizala_console.api.responses import Answer, EpochMs, NoAnswer, Scopes
from kaizala_console.lib import clock
from kaizala_console.lib.client_address import client_address


class GeneratePin(Body):
    """Who gets a PIN, for which connector; `applicationSecret` may also be sent as a header."""

    mobile_number: Annotated[PhoneNumber, Field(pattern=r"\S")]
    application_id: Annotated[Id, Field(pattern=r"\S")]
    application_secret: str = ""


class LoginWithPin(Body):
    """The PIN, and the connector that it was sent for; `applicationSecret` may also be sent as a header."""

    mobile_number: Annotated[PhoneNumber, Field(pattern=r"\S")]
    application_id: Annotated[Id, Field(pattern=r"\S")]
    application_secret: str = ""
    pin: Pin


class UserTokenAnswer(Answer):
    """A refresh token of the kind that reaches all groups of one person."""

    refresh_token: str = Field(description="A user token; valid 365 days.")
    granted_scope: Scopes
    refresh_token_expiry: EpochMs
    endpoint_url: str = Field(
        description="Where to trade the refresh token. It ends in a slash, unlike that of an access token: programs of "
        "those years put `v1/accessToken` right behind it."
    )


@operation(
    summary="Send a PIN by SMS to the user of a program",
    headers={"applicationSecret": "Instead of the field in the body."},
    body=GeneratePin,
    response=NoAnswer,
    refuses=(WrongConnectorCredentials,),
)
@sensitive_variables()
def generate_pin(call: Call) -> dict[str, str]:
    """The answer is the same whether or not the number is known. Few PINs are sent without the secret."""
    body: GeneratePin = call.body
    user_tokens.send_pin(
        connector_id=body.application_id,
        secret=body.application_secret.strip() or header(call.request, "applicationSecret"),
        number=body.mobile_number,
    )
    return {}


@operation(
    summary="Trade a PIN for a user token",
    headers={"applicationSecret": "Instead of the field in the body."},
    body=LoginWithPin,
    response=UserTokenAnswer,
    refuses=(WrongConnectorCredentials, Unauthorized),
)
@sensitive_variables()
def login(call: Call) -> dict[str, str | int]:
    """Signing in again ends the token before it: a connector has one grant for a person."""
    body: LoginWithPin = call.body
    made = user_tokens.exchange_pin(
        connector_id=body.application_id,
        secret=body.application_secret.strip() or header(call.request, "applicationSecret"),
        number=body.mobile_number,
        pin=body.pin,
        address=client_address(call.request),
    )
    return {
        "refreshToken": made.text,
        "grantedScope": ",".join(made.scopes),
        "refreshTokenExpiry": clock.epoch_ms(made.row.expires_at),
        "endpointUrl": f"{settings.CONSOLE_BASE_URL}/",
    }
