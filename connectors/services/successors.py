"""The token that follows a refresh token near its end: derived from what is stored, never stored itself.

The Token Service and the worker make the same one, whichever comes first, and can say it again (ADR 0007).
"""

from __future__ import annotations

import datetime as dt
import math

from django.conf import settings
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.audit.record import Actor, record
from accounts.audit.tags import Tag
from connectors import token_format
from connectors.models import Grant, RefreshToken
from connectors.services import issuing, trail

WHOLE_DAYS_FROM = 10


def successor_from(token: RefreshToken) -> dt.datetime:
    """From when on there is a successor: 90 % of the token's life, in whole days (328 of 365)."""
    life = token.expires_at - token.issued_at
    part = life * settings.REFRESH_SUCCESSOR_FROM
    if life >= dt.timedelta(days=WHOLE_DAYS_FROM):
        part = dt.timedelta(days=math.floor(part / dt.timedelta(days=1)))
    return token.issued_at + part


def may_have_one(token: RefreshToken, grant: Grant, at: dt.datetime) -> bool:
    """Near the end of the token's life, unless the grant ends with it: then there is nothing to go on to."""
    return at >= successor_from(token) and (grant.ends_at is None or grant.ends_at > token.expires_at)


@sensitive_variables("credential")
@transaction.atomic
def made(*, token: RefreshToken, by: Actor, at: dt.datetime) -> RefreshToken | None:
    """The row of the token's successor, written down if nobody did so before. None when there can be none (any more).

    Under the grant's lock, so that "regenerate" and "remove" cannot slip in between: else the old token would bring
    forth a live one after its own end. `token.grant.connector` must be loaded.
    """
    grant = Grant.objects.select_for_update(no_key=True).get(pk=token.grant_id)
    if grant.revoked_at is not None or not may_have_one(token, grant, at):
        return None
    if not RefreshToken.objects.live(at).filter(pk=token.pk).exists():
        return None
    existing = RefreshToken.objects.filter(predecessor=token).first()
    if existing is not None:
        return existing
    credential = token_format.successor_of(token.digest)
    successor = RefreshToken.objects.create(
        grant=grant,
        connector_id=grant.connector_id,
        public_part=credential.public_part,
        pepper_id=credential.pepper_id,
        digest=credential.digest,
        predecessor=token,
        issued_at=at,
        expires_at=issuing.end_of_token(grant, at),
    )
    record(
        Tag.TOKEN_SUCCEEDED,
        by=by,
        subject=successor,
        **trail.of_grant(token.grant),
        before={"public_part": token.public_part},
        after={
            "connector": token.grant.connector.name,
            "target": token.grant.target_name,
            "public_part": successor.public_part,
            "ends_at": successor.expires_at.isoformat(),
        },
    )
    return successor


@sensitive_variables("credential")
def text_of(successor: RefreshToken, *, predecessor: RefreshToken) -> str:
    """The successor itself. Raises `crypto.UnknownKey` when the pepper that it was derived with has left the ring."""
    credential = token_format.successor_of(predecessor.digest, key_id=successor.pepper_id)
    return credential.token
