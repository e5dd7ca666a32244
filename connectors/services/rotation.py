"""The worker's half of rotation: near the end of a refresh token its successor is made and handed over in good time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import islice

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.views.decorators.debug import sensitive_variables

from accounts.audit.record import SYSTEM
from accounts.models import User
from connectors.models import Grant, Handoff, RefreshToken
from connectors.services import grants, refresh_tokens
from kaizala_console.lib import clock, crypto
from kaizala_console.lib.errors import Conflict

logger = structlog.get_logger(__name__)

ROTATED_AT_ONCE = 500


def rotate_due() -> int:
    """Hand over a successor for every token that nears its end and has none in use; the number of them.

    Each in a transaction of its own: one that fails keeps no other, and a worker that dies loses at most the one at
    hand, which the next run finds again. What failed is raised at the end, as a group.
    """
    rotated, problems = 0, []
    for token_id in islice(_due(clock.now()), ROTATED_AT_ONCE):
        try:
            rotated += rotate(token_id=token_id)
        except Exception as problem:  # noqa: BLE001 (raised below, once the others had their turn)
            problems.append(problem)
    if problems:
        raise ExceptionGroup("refresh tokens that could not be rotated", problems)
    return rotated


@sensitive_variables("text")
@transaction.atomic
def rotate(*, token_id: int) -> bool:
    """Make the token's successor if the Token Service has not done so yet, seal it and tell the developer; True when
    this call did.

    Nothing happens when it waits or was handed over already, is in use, or when the token or its grant ended meanwhile.
    """
    now = clock.now()
    token = RefreshToken.objects.select_related("grant__connector__organisation").get(pk=token_id)
    try:
        grant = grants.lock(token.grant_id)
    except Conflict:
        return False
    successor = refresh_tokens.made(token=token, by=SYSTEM, at=now)
    if successor is None or not successor.is_live(now) or successor.first_used_at or successor.handoffs.exists():
        return False
    if grant.handoffs.waiting().exists():  # the one before still waits: first things first
        return False
    try:
        text = refresh_tokens.text_of(successor, predecessor=token)
    except crypto.UnknownKey:
        logger.warning("rotation.successor_lost", refresh_token_id=token.pk, pepper_id=successor.pepper_id)
        return False
    refresh_tokens.seal(text, token=successor, grant=grant, by=None, at=now)
    return True


@sensitive_variables("text")
def hand_over_again(*, handoff: Handoff, grant: Grant, by: User) -> Handoff | None:
    """A new handoff of the successor that this one held and nobody opened; None when it held no such token.

    For the service that holds the grant's lock.
    """
    now = clock.now()
    token = RefreshToken.objects.select_related("predecessor").get(pk=handoff.refresh_token_id)
    opened = token.handoffs.filter(Q(claimed_at__isnull=False) | Q(revealed_at__isnull=False)).exists()
    over = grant.ends_at is not None and grant.ends_at <= now
    if token.predecessor is None or opened or not token.is_live(now) or over:
        return None  # while the grant is suspended it is handed over all the same: nothing works before it is resumed
    if grant.connector.suspended_at is not None:
        return None
    try:
        text = refresh_tokens.text_of(token, predecessor=token.predecessor)
    except crypto.UnknownKey:
        return None
    return refresh_tokens.seal(text, token=token, grant=grant, by=by, at=now)


def _due(at: dt.datetime) -> Iterator[int]:
    """The tokens that may have a successor which nobody has been handed yet, the one that ends first in front.

    After REFRESH_TOKEN_DAYS was made shorter, a token of a longer life is found a little later than at its 90 %.
    """
    for token in _candidates(at).iterator(chunk_size=500):
        if refresh_tokens.may_have_one(token, token.grant, at):
            yield token.pk


def _candidates(at: dt.datetime) -> QuerySet[RefreshToken]:
    share = 1 - settings.REFRESH_SUCCESSOR_FROM
    last_part = dt.timedelta(days=settings.REFRESH_TOKEN_DAYS) * share + dt.timedelta(days=1)
    waiting = Handoff.objects.waiting().filter(grant_id=OuterRef("grant_id"))
    handed_over = Handoff.objects.filter(refresh_token__predecessor_id=OuterRef("pk"))
    return (
        RefreshToken.objects.live(at)
        .filter(
            Q(grant__ends_at__isnull=True) | Q(grant__ends_at__gt=F("expires_at")),
            Q(successor__isnull=True)
            | Q(
                successor__revoked_at__isnull=True,
                successor__reported_at__isnull=True,
                successor__first_used_at__isnull=True,
            ),
            ~Exists(waiting),
            ~Exists(handed_over),
            expires_at__lte=at + last_part,
            grant__revoked_at__isnull=True,
            grant__suspended_at__isnull=True,
            grant__connector__deleted_at__isnull=True,
            grant__connector__suspended_at__isnull=True,
        )
        .select_related("grant")
        .order_by("expires_at", "pk")
    )
