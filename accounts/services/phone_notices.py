"""Who hears of a changed phone number: its account by mail, and by SMS the numbers that could prove who it is before.

Whoever takes over an account adds a number of their own and removes the others. Mail alone would go to a mailbox that
they may read as well.
"""

from __future__ import annotations

import datetime as dt

from accounts import sms
from accounts.models import VerifiedPhone
from accounts.services import notifications
from kaizala_console.lib import clock, phone_numbers

LAST_DIGITS = 3


def added(phone: VerifiedPhone, *, locked_until: dt.datetime | None) -> None:
    """A number was verified: a mail, and an SMS to every other number that the account holds."""
    until = locked_until.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC") if locked_until else ""
    _mail(phone, "phone_added", locked_until=until, is_primary=phone.is_primary)
    for other in phone.user.verified_phones.held().exclude(pk=phone.pk).select_related("person"):
        _sms(other, "phone_added", about=phone)


def removed(phone: VerifiedPhone, *, primary: VerifiedPhone | None) -> None:
    """A number was given back: a mail, and an SMS to it and to the number that was the primary one."""
    _mail(phone, "phone_removed")
    told = {phone.pk: phone}
    if primary is not None:
        told.setdefault(primary.pk, primary)
    for one in told.values():
        _sms(one, "phone_removed", about=phone)


def made_primary(phone: VerifiedPhone, *, before: VerifiedPhone | None) -> None:
    """Another number is the primary one: a mail, and an SMS to the one before; each once a day for a number."""
    today = str(clock.now().date())
    _mail(phone, "phone_made_primary", again=f":{today}")
    if before is not None:
        _sms(before, "phone_made_primary", about=phone, again=f":{today}")


def _mail(phone: VerifiedPhone, what: str, *, again: str = "", **facts: str | bool) -> None:
    notifications.queue(
        user=phone.user,
        template=f"accounts/{what}",
        key=f"phone:{phone.pk}:{what}{again}",
        context={"number": phone_numbers.mask(phone.person.number), **facts},
    )


def _sms(to: VerifiedPhone, what: str, *, about: VerifiedPhone, again: str = "") -> None:
    """Nothing is queued when no gateway can send it: then the mail has to do."""
    if sms.text_sender() is None:
        return
    notifications.queue(
        user=about.user,
        number=to.person.number,
        template=f"accounts/{what}",
        key=f"sms:{to.pk}:phone:{about.pk}:{what}{again}",
        # A bullet, as in a masked number, would make the SMS three times as long.
        context={"ending": about.person.number[-LAST_DIGITS:]},
    )
