"""When somebody last proved to Office365 who they are: before a phone number is changed, that is a short while ago.

A session lasts for hours, and Office365 may answer for a browser without asking anybody. What we ask it for (`prompt`,
`max_age`) passes through the browser, which can leave it out. So only `auth_time` of the signed id token counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from accounts.models import User
from kaizala_console.lib import clock

SESSION_KEY = "signed_in_at"
# What makes Office365 ask for the password (and its own second factor) again: OpenID Connect Core §3.1.2.1.
ASK_ANEW: Final = {"prompt": "login", "max_age": "0"}


def note(session: SessionBase, user: User, *, claims: Mapping[str, Any]) -> None:
    """Notes in the session when `user` proved who they are: `auth_time`, seconds since the epoch."""
    at = _auth_time(claims, clock.now())
    session[SESSION_KEY] = {"user": user.pk, "at": at.timestamp() if at else None}


def is_unknown(request: HttpRequest) -> bool:
    """Whether Office365 let the signed-in account in without saying when it asked for the password."""
    noted: Any = request.session.get(SESSION_KEY)
    return bool(noted) and noted.get("user") == request.user.pk and noted["at"] is None


def is_recent(request: HttpRequest) -> bool:
    """Whether the signed-in account did so within the last `SIGN_IN_AGAIN_SECONDS`."""
    at = _noted(request.session, request.user)
    return at is not None and dt.timedelta(0) <= clock.now() - at < dt.timedelta(seconds=settings.SIGN_IN_AGAIN_SECONDS)


def _noted(session: SessionBase, user: Any) -> dt.datetime | None:
    noted: Any = session.get(SESSION_KEY)
    if not noted or noted.get("user") != user.pk or noted["at"] is None:
        return None
    return dt.datetime.fromtimestamp(noted["at"], dt.UTC)


def _auth_time(claims: Mapping[str, Any], now: dt.datetime) -> dt.datetime | None:
    """Never later than now: the provider's clock may be ahead of ours."""
    claimed = claims.get("auth_time")
    if not isinstance(claimed, int) or isinstance(claimed, bool) or not 0 < claimed < 2**40:
        return None
    return min(dt.datetime.fromtimestamp(claimed, dt.UTC), now)
