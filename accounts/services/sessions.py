"""Where somebody is signed in, and ending it there. The rows are those of allauth's usersessions.

A row follows its session from the first page on, and is touched at most every ten minutes: the moment is kept in the
session itself, which every page has read anyway.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Case, Exists, OuterRef, When
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.audit.record import record
from accounts.audit.tags import Tag
from accounts.models import User
from kaizala_console.lib import clock, context
from kaizala_console.lib.errors import NotFound

SESSION_KEY: Final = "seen"
NO_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - the column takes no NULL; nothing is bound to it
MOST: Final = 100  # on the page that lists them
SEEN_EVERY: Final = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """One place where somebody is signed in. `address` is the last one that it came from."""

    id: int
    user_agent: str
    address: str
    began_at: dt.datetime
    last_seen_at: dt.datetime
    is_current: bool


def note_seen(request: HttpRequest, user: User) -> None:
    """Notes that this session of `user` is in use, and from where; at most every ten minutes."""
    session, now = request.session, clock.now()
    seen = session.get(SESSION_KEY)
    if seen and seen["key"] == session.session_key and now.timestamp() - seen["at"] < SEEN_EVERY.total_seconds():
        return
    session[SESSION_KEY] = {"key": session.session_key, "at": now.timestamp()}
    here = context.current()
    address = here.client_address or NO_ADDRESS
    facts = {"user": user, "ip": address, "user_agent": here.user_agent, "last_seen_at": now}
    UserSession.objects.update_or_create(session_key=session.session_key, defaults=facts)


def sessions_of(user: User, session: SessionBase) -> list[SignedIn]:
    """Where `user` is signed in, this session first, then the last used, `MOST` and one; rows of ended sessions go.

    Three statements. `UserSessionManager.purge_and_list` takes three for each.
    """
    live = Session.objects.filter(pk=OuterRef("session_key"), expire_date__gt=clock.now())
    theirs = UserSession.objects.filter(user_id=user.pk)
    theirs.filter(~Exists(live)).delete()
    this_first = Case(When(session_key=session.session_key, then=0), default=1)
    rows = theirs.order_by(this_first, "-last_seen_at", "-pk")[: MOST + 1]
    return [
        SignedIn(
            id=row.pk,
            user_agent=row.user_agent,
            address=row.ip,
            began_at=row.created_at,
            last_seen_at=row.last_seen_at,
            is_current=row.session_key == session.session_key,
        )
        for row in rows
    ]


@transaction.atomic
def end(*, user: User, session_id: int, by: User) -> None:
    """Signs `user` out there, from the next request on. NotFound when it is not one of theirs, or has ended."""
    row = UserSession.objects.filter(user_id=user.pk, pk=session_id).first()
    if row is None or by.pk != user.pk:
        raise NotFound(_("This session has ended already."))
    row.end()
    record(Tag.SESSION_ENDED, by=by, subject=user, organisation=user.organisation, after={"sessions": 1})


def end_all(*, user: User) -> None:
    """Signs `user` out everywhere; for services that write the audit row of why."""
    for row in UserSession.objects.filter(user_id=user.pk):
        row.end()


@transaction.atomic
def end_others(*, user: User, keep: SessionBase, by: User) -> int:
    """Signs `user` out everywhere but in the session `keep`; in how many places."""
    rows = list(UserSession.objects.filter(user_id=user.pk).exclude(session_key=keep.session_key))
    for row in rows:
        row.end()
    if rows:
        record(Tag.SESSION_ENDED, by=by, subject=user, organisation=user.organisation, after={"sessions": len(rows)})
    return len(rows)
