"""When somebody last proved to Office365 who they are: before a phone number is changed, that is a short while ago.

A session lasts for hours, and Office365 itself may answer for a browser without asking anybody. So a sign-in within a
session counts only when Office365 was told to ask anew, or says itself when it did.
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


def note(session: SessionBase, user: User, *, claims: Mapping[str, Any], asked_anew: bool) -> None:
    """Notes in the session of `user` when they proved who they are.

    That is what the id token says (`auth_time`, seconds since the epoch); else now, for the first sign-in of a session
    and for one that was `asked_anew`. Any other leaves what was noted.
    """
    now = clock.now()
    at = _auth_time(claims, now)
    if at is None and (asked_anew or _noted(session, user) is None):
        at = now
    if at is not None:
        session[SESSION_KEY] = {"user": user.pk, "at": at.timestamp()}


def is_recent(request: HttpRequest) -> bool:
    """Whether the signed-in account did so within the last `SIGN_IN_AGAIN_SECONDS`."""
    at = _noted(request.session, request.user)
    return at is not None and dt.timedelta(0) <= clock.now() - at < dt.timedelta(seconds=settings.SIGN_IN_AGAIN_SECONDS)


def _noted(session: SessionBase, user: Any) -> dt.datetime | None:
    noted: Any = session.get(SESSION_KEY)
    if not noted or noted.get("user") != user.pk:
        return None
    return dt.datetime.fromtimestamp(noted["at"], dt.UTC)


def _auth_time(claims: Mapping[str, Any], now: dt.datetime) -> dt.datetime | None:
    """Never later than now: the provider's clock may be ahead of ours."""
    claimed = claims.get("auth_time")
    if not isinstance(claimed, int) or isinstance(claimed, bool) or not 0 < claimed < 2**40:
        return None
    return min(dt.datetime.fromtimestamp(claimed, dt.UTC), now)
