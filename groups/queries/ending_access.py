"""Which access to the groups of an organisation ends soon: what its admins may move on in time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import IsNull

from accounts.models import User
from connectors.models import RefreshToken
from groups import access
from kaizala_console.lib import bounded, clock
from kaizala_console.lib.pagination import Page, paginate

# The first notices are sent so long before.
SOON: Final = dt.timedelta(days=90)


def ending_soon(user: User) -> QuerySet[RefreshToken]:
    """The refresh tokens of the organisation's groups that this person administers, with nothing in use that follows
    them. A token never outlives its grant, so its end is that of the access.

    Those of a few groups, which are named, are sorted; of very many, a page is met soon on a walk through all tokens
    by their end. One statement more.
    """
    now = clock.now()
    groups = access.administered_by(user).filter(organisation_id=user.organisation_id)
    few = list(groups.order_by().values_list("pk", flat=True)[: bounded.MOST + 1])
    if len(few) > bounded.MOST:
        # Asked for each token by itself: of an EXISTS, PostgreSQL reads all groups first and sorts all of their tokens;
        # and of a comparison it expects that hardly any match.
        its_own = groups.filter(pk=OuterRef("grant__group_grant__group_id")).order_by().values("pk")
        within = Q(IsNull(Subquery(its_own[:1]), False))
    else:
        within = Q(grant__group_grant__group__in=few)
    # An end date cuts a token and its successor, and that is one access: the one that works now stands for it.
    stands_for_itself = (
        Q(predecessor__isnull=True)
        | Q(first_used_at__isnull=False)
        | Q(predecessor__revoked_at__isnull=False)
        | Q(predecessor__reported_at__isnull=False)
        | Q(predecessor__expires_at__lte=now)
    )
    return (
        RefreshToken.objects.live(now)
        .unfollowed()
        .filter(
            stands_for_itself,
            Q(grant__ends_at__isnull=True) | Q(grant__ends_at__gt=now),
            within,
            expires_at__lte=now + SOON,
            grant__revoked_at__isnull=True,
            grant__suspended_at__isnull=True,
        )
        .select_related("connector", "grant__group_grant__group")
    )


def ending_page(user: User, *, cursor: str | None = None, size: int = 50) -> Page[RefreshToken]:
    """So many of `ending_soon`, the next in front. Raises `BadCursor`."""
    return paginate(ending_soon(user), ("expires_at", "id"), cursor, size)


def soon_of(live_tokens: Sequence[RefreshToken]) -> RefreshToken | None:
    """As `ending_soon`, for the live tokens of one grant, the newest first: the one in use, when it ends soon."""
    in_use = next((token for token in live_tokens if token.first_used_at), None) or next(reversed(live_tokens), None)
    return in_use if in_use is not None and in_use.expires_at <= clock.now() + SOON else None
