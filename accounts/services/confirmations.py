"""Step-up: is it still the same person? A PIN to the primary phone, or a code of the authenticator app."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from accounts.models import User
from kaizala_console.lib import clock

SESSION_KEY = "confirmed"


def remember(session: SessionBase, user: User) -> None:
    """Notes in the session that `user` confirmed just now."""
    session[SESSION_KEY] = {"user": user.pk, "at": clock.now().timestamp()}


def confirmed_at(request: HttpRequest) -> dt.datetime | None:
    """When the signed-in account last confirmed in this session; None if it did not."""
    noted: Any = request.session.get(SESSION_KEY)
    if not noted or noted.get("user") != request.user.pk:
        return None
    return dt.datetime.fromtimestamp(noted["at"], dt.UTC)


def is_fresh(request: HttpRequest) -> bool:
    """Whether that was within the last `STEP_UP_SECONDS`."""
    at = confirmed_at(request)
    return at is not None and dt.timedelta(0) <= clock.now() - at < dt.timedelta(seconds=settings.STEP_UP_SECONDS)
