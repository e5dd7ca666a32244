"""Which refresh tokens end soon without anything to follow them: what Home tells a developer."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import User
from connectors.models import Handoff, RefreshToken
from connectors.queries import connectors
from kaizala_console.lib import clock

SOON: Final = dt.timedelta(days=30)


def tokens_that_end(user: User) -> QuerySet[RefreshToken]:
    """Live tokens of own connectors that end within a month, the next in front.

    Left out are those whose successor is in use, and those for whose grant a handoff waits: that is told by itself.
    """
    now = clock.now()
    waiting = Handoff.objects.waiting().filter(grant_id=OuterRef("grant_id"), expires_at__gt=now)
    return (
        RefreshToken.objects.live(now)
        .unfollowed()
        .filter(
            ~Exists(waiting),
            connectors.of_own_connectors(user),
            expires_at__lte=now + SOON,
            grant__revoked_at__isnull=True,
        )
        .select_related("grant__connector")
        .order_by("expires_at", "pk")
    )
