"""POST /v1/generatePin and POST /v1/loginWithPinAndApplicationId: a user token by PIN (wire protocol §4)."""

from __future__ import annotations

from django.views.decorators.debug import sensitive_variables
from pydantic import BaseModel, Field

from connectors.services import user_tokens
from kaizala_console.lib import clock
from kaizala_console.lib.client_address import client_address
from kaizala_console.wire.endpoint import Call, operation
from kaizala_console.wire.fields import Body, Pin, Text
from kaizala_console.wire.headers import header


class GeneratePin(Body):
    """Whom to send a PIN, for which connector."""

    mobile_number: Text
    application_id: Text


class LoginWithPin(Body):
    """The PIN, and the connector that it was sent for; `applicationSecret` may stand in a header as well."""

    mobile_number: Text
    application_id: Text
    application_secret: str = ""
    pin: Pin


class NoAnswer(BaseModel):
    """An empty object."""


class UserTokenAnswer(BaseModel):
    """Field names and forms are the protocol's."""

    refreshToken: str = Field(description="A user token; valid 365 days.")  # noqa: N815
    grantedScope: str = Field(description="Comma-separated scopes.")  # noqa: N815
    refreshTokenExpiry: int = Field(description="Epoch milliseconds.")  # noqa: N815


@operation(summary="Send a PIN by SMS to the user of a program", body=GeneratePin, response=NoAnswer)
def generate_pin(call: Call) -> dict[str, str]:
    """The answer is the same whether or not the number is known; no secret is needed, as old programs have it."""
    body: GeneratePin = call.body
    user_tokens.send_pin(connector_id=body.application_id, number=body.mobile_number)
    return {}


@operation(summary="Trade a PIN for a user token", body=LoginWithPin, response=UserTokenAnswer)
@sensitive_variables()
def login(call: Call) -> dict[str, str | int]:
    """Signing in again ends the token before it: a connector has one grant for a person."""
    body: LoginWithPin = call.body
    made = user_tokens.log_in(
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
    }
