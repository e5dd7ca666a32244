"""POST /v1/handoffs/claim: a program takes its refresh token itself. An addition of ours to the protocol."""

from __future__ import annotations

from uuid import UUID

from django.views.decorators.debug import sensitive_variables
from pydantic import Field

from connectors.services import handoffs
from connectors.services.handoffs import HandoffClaim
from kaizala_console.api.endpoint import Call, operation
from kaizala_console.api.errors import ApiError, InvalidParameters, UnknownResource
from kaizala_console.api.fields import Body, OptionalId, named
from kaizala_console.api.headers import header
from kaizala_console.api.responses import Answer, EpochMs, Scopes
from kaizala_console.lib import clock, ids
from kaizala_console.lib.client_address import client_address
from kaizala_console.lib.errors import Conflict, RuleBroken


class ClaimHandoff(Body):
    """Names the handoff; without a name, the one that has waited longest is meant."""

    handoff: OptionalId | None = named("handoffId", "handoff", "id", default=None)


class Target(Answer):
    """What the token reaches."""

    kind: str = Field(description="`group` or `user`.")
    id: str
    name: str


class ClaimAnswerBody(Answer):
    """Either `refreshToken` or `sealedRefreshToken` is filled in."""

    handoff_id: UUID
    refresh_token: str = Field(description="The token; empty when it is sealed to the connector's public key.")
    sealed_refresh_token: str = Field(description="A compact JWE (RFC 7516) of the token, else empty.")
    key_fingerprint: str = Field(description="Of the key that it is sealed to: RFC 7638, SHA-256; else empty.")
    refresh_token_expiry: EpochMs
    granted_scope: Scopes
    target: Target
    still_waiting: int = Field(description="How many more handoffs are waiting for this connector.")


class HandoffEnded(ApiError):
    """The handoff was there, and has been opened or ended before."""

    status = 409
    error_code = "Conflict"
    error_category_key = "ValidationException"
    default_message = "This handoff has ended."


@operation(
    summary="Claim a refresh token that waits for this connector",
    credentials=("applicationId", "applicationSecret"),
    headers={"Idempotency-Key": "Makes it safe to ask again: the same key gets the same answer."},
    body=ClaimHandoff,
    response=ClaimAnswerBody,
    refuses=(HandoffEnded, UnknownResource),
)
@sensitive_variables()
def claim(call: Call) -> dict[str, object]:
    """Headers `applicationId` and `applicationSecret`; `Idempotency-Key` makes it safe to ask again."""
    request = call.request
    wanted = ids.parse_guid(call.body.handoff) if call.body.handoff else None
    if call.body.handoff and wanted is None:
        raise InvalidParameters("handoffId: expected the id of a handoff.", field="handoffId")
    retry_key = header(request, "Idempotency-Key")
    try:
        claimed = handoffs.claim_by_program(
            connector_id=header(request, "applicationId"),
            secret=header(request, "applicationSecret"),
            handoff_id=wanted,
            retry_key=retry_key,
            address=client_address(request),
        )
    except Conflict as ended:
        raise HandoffEnded(str(ended)) from None
    except RuleBroken as broken:
        if broken.field:
            raise
        raise HandoffEnded(str(broken)) from None
    return _answer(claimed)


@sensitive_variables("claimed")
def _answer(claimed: HandoffClaim) -> dict[str, object]:
    handoff, grant = claimed.handoff, claimed.handoff.grant
    sealed = handoff.is_sealed_to_key
    return {
        "handoffId": handoff.pk,
        "refreshToken": "" if sealed else claimed.text,
        "sealedRefreshToken": claimed.text if sealed else "",
        "keyFingerprint": handoff.sealed_to if sealed else "",
        "refreshTokenExpiry": clock.epoch_ms(handoff.refresh_token.expires_at),
        "grantedScope": ",".join(grant.held_scopes()),
        "target": {"kind": grant.kind, "id": grant.target.partition(":")[2], "name": grant.target_name},
        "stillWaiting": claimed.still_waiting,
    }
