"""How often a PIN may be sent: a growing pause between two, and caps over 24 hours. An SMS costs money.

Counted in the SMS log, which is exact and outlives a cache. What the gateway refused or failed to send does not count.
A success ends the pause but not the caps: an SMS pump uses its PINs, too.
"""

from __future__ import annotations

import datetime as dt
import math

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import SmsMessage, User
from kaizala_console.lib import crypto, phone_numbers
from kaizala_console.lib.errors import TooSoon

logger = structlog.get_logger(__name__)

DAY = dt.timedelta(days=1)
LONGEST_PAUSE = dt.timedelta(hours=1)
_LOCK = 0x5049_4E53  # "PINS": any number, the same in every process


def serialise() -> None:
    """Lets one request at a time count and write, until its transaction ends; so no two slip under a cap together.

    On SQLite the transaction itself does that (transaction_mode IMMEDIATE).
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def require(*, user: User | None, number: str, address: str, at: dt.datetime, audience: str = "") -> None:
    """Raises TooSoon when `user`, or a program's user, has to wait before another PIN leaves for `number`.

    The pause follows from the account's own sends alone, and all caps answer the same: nobody learns here what others
    do with a number. A program's users are counted apart (`audience`): nobody can use up, through a program, what
    people need to sign in here.
    """
    lately = SmsMessage.objects.counted(at - DAY)
    if user is None:
        pause = _pause(lately.filter(audience=audience, number_tag=number_tag(number)), at)
    else:
        pause = _pause(lately.filter(user=user), at)
    if pause > 0:
        raise TooSoon(_wait(pause), retry_after=pause, code="pin_pause")
    reached = _cap_reached(lately, user, audience, number, address)
    if reached:
        logger.warning(
            "pin.cap_reached",
            cap=reached,
            prefix=phone_numbers.country_prefix(number),
            user_id=user and user.pk,
            audience=audience,
        )
        raise TooSoon(
            _("Too many PINs were asked for. Try again tomorrow, or use another number."),
            retry_after=int(DAY.total_seconds()),
            code="pin_limit",
        )


def seconds_to_wait(*, user: User, at: dt.datetime) -> int:
    """What is left of the account's pause; the account's own caps count, those that others share do not show."""
    if SmsMessage.objects.counted(at - DAY).filter(user=user).count() >= settings.PIN_PER_ACCOUNT_PER_DAY:
        return int(DAY.total_seconds())
    return _pause(SmsMessage.objects.counted(at - DAY).filter(user=user), at)


def number_tag(number: str) -> str:
    """A keyed digest by which the log finds the same number again without holding it."""
    return crypto.hmac_tag("sms-number", number).hex()


def pause_after(unused: int) -> dt.timedelta:
    """How long to wait after so many PINs in a row that were sent and not used: doubling, up to an hour."""
    if unused == 0:
        return dt.timedelta(0)
    seconds = settings.PIN_COOLDOWN_SECONDS * 2 ** min(unused - 1, 20)
    return min(dt.timedelta(seconds=seconds), LONGEST_PAUSE)


def _pause(sent: QuerySet[SmsMessage], at: dt.datetime) -> int:
    own = list(sent.order_by("-id").values_list("created_at", "used_at"))
    unused = next((index for index, (_sent_at, used_at) in enumerate(own) if used_at is not None), len(own))
    if not unused:
        return 0
    return max(0, math.ceil((own[0][0] + pause_after(unused) - at).total_seconds()))


def _cap_reached(lately: QuerySet[SmsMessage], user: User | None, audience: str, number: str, address: str) -> str:
    of_program = user is None
    lately = lately.exclude(audience="") if of_program else lately.filter(audience="")
    prefix = phone_numbers.country_prefix(number)
    caps = {
        "account": (
            lately.filter(audience=audience) if of_program else lately.filter(user=user),
            settings.PIN_PER_CONNECTOR_PER_DAY if of_program else settings.PIN_PER_ACCOUNT_PER_DAY,
        ),
        "number": (lately.filter(number_tag=number_tag(number)), settings.PIN_PER_NUMBER_PER_DAY),
        "country prefix": (lately.filter(country_prefix=prefix), settings.PIN_PER_COUNTRY_PREFIX_PER_DAY),
    }
    if address:
        # All users of a program ask from its server's one address.
        most = settings.PIN_PER_CONNECTOR_PER_DAY if of_program else settings.PIN_PER_ADDRESS_PER_DAY
        caps["address"] = (lately.filter(client_address=address), most)
    return next((kind for kind, (sent, cap) in caps.items() if sent.count() >= cap), "")


def _wait(seconds: int) -> str:
    if seconds < 100:
        return ngettext(
            "A PIN was just sent. You can ask for a new one in %(count)d second.",
            "A PIN was just sent. You can ask for a new one in %(count)d seconds.",
            seconds,
        ) % {"count": seconds}
    minutes = -(-seconds // 60)
    return ngettext(
        "Several PINs were sent. You can ask for a new one in %(count)d minute.",
        "Several PINs were sent. You can ask for a new one in %(count)d minutes.",
        minutes,
    ) % {"count": minutes}
