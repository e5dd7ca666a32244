"""What ends together: the tokens of grants, and the handoffs that still hold one of them sealed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from uuid import UUID

from django.db.models import F

from connectors.models import AccessRequest, ClaimAnswer, Connector, Handoff, RefreshToken, WarmToken
from connectors.services import one_time_secrets
from connectors.webhooks import handoff_events


def end_tokens(grant_ids: Collection[UUID], *, at: dt.datetime) -> int:
    """End every refresh token of these grants, and wipe what of them waits or stands on a screen; the tokens ended.

    For services that hold the grants' locks. The statement that ends a handoff is the one that wipes it.
    """
    ended = RefreshToken.objects.filter(grant_id__in=grant_ids, revoked_at__isnull=True).update(revoked_at=at)
    withdraw_handoffs(grant_ids, at=at)
    # What is kept warm with these tokens is over as well; the worker comes by at once, and wipes what was entrusted.
    WarmToken.objects.filter(grant_id__in=grant_ids, refused_at__isnull=True).update(
        sealed_access_token=None, next_attempt_at=at
    )
    return ended


def end_access_tokens(connector: Connector, *, at: dt.datetime) -> None:
    """End every access token of a connector; refresh tokens and secrets go on.

    For services that hold the connector's lock. Counted on, so that a token which an exchange makes at this very moment
    is refused too.
    """
    Connector.objects.filter(pk=connector.pk).update(token_generation=F("token_generation") + 1)
    WarmToken.objects.filter(grant__connector=connector, refused_at__isnull=True).update(
        sealed_access_token=None, next_attempt_at=at
    )


def withdraw_handoffs(grant_ids: Collection[UUID], *, at: dt.datetime) -> int:
    """Wipe what of these grants waits sealed or stands on a screen; the handoffs withdrawn."""
    handoffs = Handoff.objects.filter(grant_id__in=grant_ids)
    withdrawn = handoffs.waiting().update(withdrawn_at=at, sealed=None)
    if withdrawn:
        handoff_events.ended(handoffs.filter(withdrawn_at=at), handoff_events.WITHDRAWN)
    ClaimAnswer.objects.filter(handoff__grant_id__in=grant_ids).delete()
    one_time_secrets.forget("handoff", [str(pk) for pk in handoffs.values_list("pk", flat=True)])
    return withdrawn


def end_requests_for_more(grant_ids: Collection[UUID], *, at: dt.datetime) -> int:
    """What was asked for grants that end now has nobody to be given to any more; the number of such requests.

    For services that hold the grants' locks. The audit row is that of the grant's end.
    """
    asked = AccessRequest.objects.waiting().filter(grant_id__in=grant_ids, kind=AccessRequest.Kind.MORE)
    return asked.update(withdrawn_at=at)
