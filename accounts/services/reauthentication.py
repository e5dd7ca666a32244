"""Step-up: is it still the same person? A PIN to the primary phone, or a code of the authenticator app."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts import policies, queries
from accounts.audit.events import EventType
from accounts.audit.record import Actor, record
from accounts.models import PinDevice, User
from accounts.services import pins, totp
from kaizala_console.lib import clock
from kaizala_console.lib.errors import RuleBroken

SESSION_KEY = "confirmed"


def uses_totp(user: User) -> bool:
    """Whether the account confirms with an authenticator app. Then no PIN does: it would be the weaker way in."""
    return queries.totp_device(user) is not None


def send_pin(*, user: User, by: Actor) -> PinDevice:
    """Sends a PIN to the primary phone. RuleBroken when there is none, or an authenticator app; else as `pins.send`."""
    if uses_totp(user):
        raise RuleBroken(_("Enter the code from your authenticator app."), code="use_totp", field="pin")
    person = queries.primary_person(user)
    if person is None:
        raise RuleBroken(_("Add a phone number first to get a PIN."), code="no_phone")
    return pins.send(user=user, number=person.number, purpose=PinDevice.Purpose.CONFIRM, by=by)


@sensitive_variables("pin")
def confirm(*, user: User, pin: str) -> dt.datetime:
    """Checks a code of the authenticator app, or the PIN that was sent last; returns the moment.

    The door then notes it in the session (`remember`). RuleBroken and TooSoon say what was wrong: as `totp.check`,
    as `pins.accept`, or code `pin_missing` when no PIN was asked for.
    """
    device = queries.totp_device(user)
    if device is not None:
        totp.check(user=user, device=device, code=pin, by=user)
        return clock.now()
    newest = PinDevice.objects.filter(user=user, purpose=PinDevice.Purpose.CONFIRM, sent_at__isnull=False)
    device_id = newest.order_by("-id").values_list("pk", flat=True).first()
    if device_id is None:
        raise RuleBroken(_("Ask for a PIN first."), code="pin_missing", field="pin")
    sent = policies.own_pin(user, device_id, PinDevice.Purpose.CONFIRM)
    if not queries.held_people(user).filter(number=sent.number).exists():
        raise RuleBroken(
            _("This number is no longer on your account. Request a new PIN."), code="pin_expired", field="pin"
        )

    def confirmed() -> dt.datetime:
        record(EventType.CONFIRMED, by=user, subject=user, organisation=user.organisation, after={"by": "pin"})
        return clock.now()

    return pins.accept(user=user, device=sent, pin=pin, by=user, then=confirmed)


def remember_confirmation(session: SessionBase, user: User) -> None:
    """Notes in the session that `user` confirmed just now."""
    session[SESSION_KEY] = {"user": user.pk, "at": clock.now().timestamp()}


def forget_confirmation(session: SessionBase) -> None:
    """Whoever sits in this session confirms anew: what they confirmed with counts no more."""
    session.pop(SESSION_KEY, None)


def is_confirmed(request: HttpRequest) -> bool:
    """Whether the signed-in account confirmed in this session within the last `STEP_UP_SECONDS`."""
    return _is_recent(_noted_at(request, SESSION_KEY), settings.STEP_UP_SECONDS)


def _noted_at(request: HttpRequest, key: str) -> dt.datetime | None:
    noted: Any = request.session.get(key)
    if not noted or noted.get("user") != request.user.pk:
        return None
    return dt.datetime.fromtimestamp(noted["at"], dt.UTC) if noted["at"] else None


def _is_recent(at: dt.datetime | None, seconds: int) -> bool:
    return at is not None and dt.timedelta(0) <= clock.now() - at < dt.timedelta(seconds=seconds)


# ----------------------------------------------------------------------------------------------------
# When somebody last proved to Office365 who they are: before a phone number is changed, that is a short while ago.
#
# A session lasts for hours, and Office365 may answer for a browser without asking anybody. What we ask for (`prompt`,
# `max_age`) passes through the browser, which can leave it out. So only `auth_time` of the signed id token counts.


LOGIN_SESSION_KEY = "signed_in_at"
# What makes Office365 ask for the password (and its own second factor) again: OpenID Connect Core §3.1.2.1.
ASK_ANEW: Final = {"prompt": "login", "max_age": "0"}


def note_login(session: SessionBase, user: User, *, claims: Mapping[str, Any]) -> None:
    """Notes in the session when `user` proved who they are: `auth_time`, seconds since the epoch."""
    at = _auth_time(claims, clock.now())
    session[LOGIN_SESSION_KEY] = {"user": user.pk, "at": at.timestamp() if at else None}


def is_login_time_unknown(request: HttpRequest) -> bool:
    """Whether Office365 let the signed-in account in without saying when it asked for the password."""
    noted: Any = request.session.get(LOGIN_SESSION_KEY)
    return bool(noted) and noted.get("user") == request.user.pk and noted["at"] is None


def has_recent_login(request: HttpRequest) -> bool:
    """Whether the signed-in account did so within the last `SIGN_IN_AGAIN_SECONDS`."""
    return _is_recent(_noted_at(request, LOGIN_SESSION_KEY), settings.SIGN_IN_AGAIN_SECONDS)


def _auth_time(claims: Mapping[str, Any], now: dt.datetime) -> dt.datetime | None:
    """Never later than now: the provider's clock may be ahead of ours."""
    claimed = claims.get("auth_time")
    if not isinstance(claimed, int) or isinstance(claimed, bool) or not 0 < claimed < 2**40:
        return None
    return min(dt.datetime.fromtimestamp(claimed, dt.UTC), now)
