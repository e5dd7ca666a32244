"""Where somebody is signed in, and ending it there.

What the list shows stands in the session itself, noted at most every ten minutes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import Case, When
from django.utils.translation import gettext as _

from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import User
from accounts.models.session import Session, SessionStore, row_key
from kaizala_console.lib import clock, request_context
from kaizala_console.lib.errors import NotFound

SESSION_KEY: Final = "seen"
MOST: Final = 100  # on the page that lists them
SEEN_EVERY: Final = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """One place where somebody is signed in. `address` is the last one that it came from."""

    id: str
    user_agent: str
    address: str
    began_at: dt.datetime
    last_seen_at: dt.datetime
    is_current: bool


def note_sign_in(session: SessionBase) -> None:
    """Notes that this session begins now; whoever signs in again begins one."""
    session.pop(SESSION_KEY, None)
    note_seen(session)


def note_seen(session: SessionBase) -> None:
    """Notes that this session is in use, and from where; at most every ten minutes."""
    now = clock.now().timestamp()
    seen = session.get(SESSION_KEY, {})
    if now - seen.get("at", 0) < SEEN_EVERY.total_seconds():
        return
    here = request_context.current()
    session[SESSION_KEY] = {
        "began": seen.get("began", now),
        "at": now,
        "address": here.client_address,
        "user_agent": here.user_agent,
    }


def list_sessions(user: User, session: SessionBase) -> list[SignedIn]:
    """Returns where `user` is signed in, this session first, then the last used; at most `MOST` and one."""
    this = row_key(session.session_key)
    this_first = Case(When(pk=this, then=0), default=1)
    live = Session.objects.filter(user=user, expire_date__gt=clock.now())
    rows = live.order_by(this_first, "-expire_date", "pk")[: MOST + 1]
    noted = [(row.pk, row.get_decoded().get(SESSION_KEY)) for row in rows]
    return [
        SignedIn(
            id=key,
            user_agent=seen["user_agent"],
            address=seen["address"],
            began_at=dt.datetime.fromtimestamp(seen["began"], dt.UTC),
            last_seen_at=dt.datetime.fromtimestamp(seen["at"], dt.UTC),
            is_current=key == this,
        )
        for key, seen in noted
        if seen  # else it was signed with another SECRET_KEY, and opens nothing
    ]


@transaction.atomic
def end(*, user: User, session_id: str, by: User) -> None:
    """Signs `user` out there, from the next request on. NotFound when it is not one of theirs, or has ended."""
    live = Session.objects.filter(user=user, pk=session_id, expire_date__gt=clock.now())
    if by.pk != user.pk or not live.delete()[0]:
        raise NotFound(_("This session has already ended."))
    record(EventType.SESSION_ENDED, by=by, subject=user, organisation=user.organisation, after={"sessions": 1})


def end_all(*, user: User) -> None:
    """Signs `user` out everywhere; for services that write the audit row of why."""
    Session.objects.filter(user=user).delete()


@transaction.atomic
def end_others(*, user: User, keep: SessionBase, by: User) -> int:
    """Signs `user` out everywhere but in the session `keep`; in how many places."""
    live = Session.objects.filter(user=user, expire_date__gt=clock.now())
    ended, _each = live.exclude(pk=row_key(keep.session_key)).delete()
    if ended:
        record(EventType.SESSION_ENDED, by=by, subject=user, organisation=user.organisation, after={"sessions": ended})
    return ended


def forget_old() -> None:
    SessionStore.clear_expired()
