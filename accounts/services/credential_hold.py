"""The cool-off after a phone number changed: for a time the account makes and sees no credentials.

A number proves who somebody is, so whoever gets hold of one (a recycled SIM, a stolen session that adds a number of
its own) must not inherit a developer's credentials at once. Meanwhile the notices reach the owner, and everything that
takes rights away (revoke, suspend, remove) stays possible. `policy.require_no_credential_hold` is what services ask.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import policies, queries
from accounts.audit.events import EventType
from accounts.audit.record import Actor, record
from accounts.models import Person, User, VerifiedPhone
from kaizala_console.lib import clock, moments, phone_numbers
from kaizala_console.lib.errors import Conflict, RuleBroken


def is_due(user: User, person: Person) -> bool:
    """Whether the account must cool off when it comes to hold this number, which it does not hold yet.

    Yes when it held any number before, or when another account held this one. An account's very first number, that
    nobody held, is a newcomer's.
    """
    return queries.has_held_a_number(user) or VerifiedPhone.objects.filter(person=person).exclude(user=user).exists()


def require_settled(person: Person) -> None:
    """Raises RuleBroken (code `cooling_off`) for a number that an account gave back a short while ago.

    For what acts with a number that no account holds now: whoever verifies it here cools off as well.
    """
    hours = dt.timedelta(hours=settings.COOL_OFF_HOURS)
    given_back = VerifiedPhone.objects.filter(person=person, released_at__gt=clock.now() - hours)
    last = given_back.order_by("-released_at").values_list("released_at", flat=True).first()
    if last is not None:
        raise RuleBroken(
            _("This number was given back by an account a short while ago. No program can act with it until %(until)s.")
            % {"until": moments.exact(last + hours)},
            code="cooling_off",
        )


@transaction.atomic
def start(*, user: User, number: str, by: Actor) -> dt.datetime | None:
    """Locks the account's credentials from now on; returns until when.

    None when the operator has switched the cool-off off. It never gets shorter.
    """
    now = clock.now()
    until = now + dt.timedelta(hours=settings.COOL_OFF_HOURS)
    if until <= now:
        return None
    user.credentials_locked_until = max(until, user.credentials_locked_until or until)
    user.save(update_fields=["credentials_locked_until"])
    record(
        EventType.CREDENTIALS_LOCKED,
        by=by,
        subject=user,
        organisation=user.organisation,
        after={"number": phone_numbers.mask(number), "until": user.credentials_locked_until.isoformat()},
    )
    return user.credentials_locked_until


@transaction.atomic
def lift(*, user: User, by: Actor) -> User:
    """Ends the cool-off at once, for an operator who has made sure by other means who it is.

    NotAllowed unless `by` is another operator or the console itself; Conflict when nothing is locked.
    """
    policies.require_operator(by)
    locked = User.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=user.pk)
    policies.require_somebody_else(by, locked)
    until = policies.credential_hold_end(locked)
    if until is None:
        raise Conflict(_("The credentials of this account are not locked."), code="nothing_changed")
    locked.credentials_locked_until = None
    locked.save(update_fields=["credentials_locked_until"])
    record(
        EventType.CREDENTIALS_UNLOCKED,
        by=by,
        subject=locked,
        organisation=locked.organisation,
        before={"until": until.isoformat()},
    )
    return locked
