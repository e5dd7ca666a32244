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
from kaizala_console.lib.client_address import network_of
from kaizala_console.lib.errors import TooSoon

logger = structlog.get_logger(__name__)

DAY = dt.timedelta(days=1)
LONGEST_PAUSE = dt.timedelta(hours=1)
_ADDRESSES_WITHOUT_SECRET = 10  # a connector's PINs without its secret: as many as of so many addresses
_LOCK = 0x5049_4E53  # "PINS": any number, the same in every process


def serialise() -> None:
    """Lets one request at a time count and write, until its transaction ends; so no two slip under a cap together.

    On SQLite the transaction itself does that (transaction_mode IMMEDIATE).
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def require(
    *,
    user: User | None,
    number: str,
    address: str,
    at: dt.datetime,
    purpose: str,
    audience: str = "",
    with_secret: bool = True,
) -> None:
    """Raises TooSoon when `user`, or a program's user, has to wait before another PIN leaves for `number`.

    The pause follows from the account's own sends alone, and all caps answer the same: nobody learns here what others
    do with a number. A program's users are counted apart (`audience`): nobody can use up, through a program, what
    people need to sign in here; those of a program that sent no secret are counted by where they ask from (ADR 0073).
    """
    lately = SmsMessage.objects.counted(at - DAY)
    tag = number_tag(number)
    if user is not None:
        pause = _pause(_newest_first(lately.filter(user=user)), at)
        caps = _caps_of_account(lately.filter(audience=""), user, number, address, purpose)
    elif with_secret:
        sent = lately.filter(audience=audience, with_secret=True)
        pause = _pause(_newest_first(sent.filter(number_tag=tag)), at)
        caps = {
            "connector": (sent.count(), settings.PIN_PER_CONNECTOR_PER_DAY),
            "number": (sent.filter(number_tag=tag).count(), settings.PIN_PER_NUMBER_PER_DAY),
        }
    else:
        rows = _newest_first(lately.filter(audience=audience, with_secret=False))
        from_there = [row for row in rows if network_of(row.client_address or "") == network_of(address)]
        pause = _pause([row for row in from_there if row.number_tag == tag], at)
        caps = _caps_without_secret(rows, from_there, tag)
    if pause > 0:
        raise TooSoon(_wait(pause), retry_after=pause, code="pin_pause")
    reached = next((kind for kind, (count, most) in caps.items() if count >= most), "")
    if reached:
        logger.warning(
            "pin.cap_reached",
            cap=reached,
            prefix=phone_numbers.country_prefix(number),
            user_id=user and user.pk,
            audience=audience,
        )
        message = _("Too many PINs were asked for. Try again tomorrow, or use another number.")
        if not with_secret:
            message = _("Too many PINs were asked for without applicationSecret. Send it too, or try again tomorrow.")
        raise TooSoon(message, retry_after=int(DAY.total_seconds()), code="pin_limit")


def seconds_to_wait(*, user: User, at: dt.datetime) -> int:
    """What is left of the account's pause; the account's own caps count, those that others share do not show."""
    if SmsMessage.objects.counted(at - DAY).filter(user=user).count() >= settings.PIN_PER_ACCOUNT_PER_DAY:
        return int(DAY.total_seconds())
    return _pause(_newest_first(SmsMessage.objects.counted(at - DAY).filter(user=user)), at)


def number_tag(number: str) -> str:
    """A keyed digest by which the log finds the same number again without holding it."""
    return crypto.hmac_tag("sms-number", number).hex()


def pause_after(unused: int) -> dt.timedelta:
    """How long to wait after so many PINs in a row that were sent and not used: doubling, up to an hour."""
    if unused == 0:
        return dt.timedelta(0)
    seconds = settings.PIN_COOLDOWN_SECONDS * 2 ** min(unused - 1, 20)
    return min(dt.timedelta(seconds=seconds), LONGEST_PAUSE)


def _newest_first(sent: QuerySet[SmsMessage]) -> list[SmsMessage]:
    return list(sent.only("created_at", "used_at", "client_address", "number_tag").order_by("-id"))


def _pause(sent: list[SmsMessage], at: dt.datetime) -> int:
    """How long to wait after these, the newest first."""
    unused = next((index for index, row in enumerate(sent) if row.used_at is not None), len(sent))
    if not unused:
        return 0
    return max(0, math.ceil((sent[0].created_at + pause_after(unused) - at).total_seconds()))


def _caps_of_account(
    lately: QuerySet[SmsMessage], user: User, number: str, address: str, purpose: str
) -> dict[str, tuple[int, int]]:
    """What was sent, and the most. Confirmations go to the owner of a number alone, so others cannot use them up."""
    prefix = phone_numbers.country_prefix(number)
    caps = {
        "account": (lately.filter(user=user).count(), settings.PIN_PER_ACCOUNT_PER_DAY),
        "number": (
            lately.filter(number_tag=number_tag(number), purpose=purpose).count(),
            settings.PIN_PER_NUMBER_PER_DAY,
        ),
        "country prefix": (lately.filter(country_prefix=prefix).count(), settings.PIN_PER_COUNTRY_PREFIX_PER_DAY),
    }
    if address:
        caps["address"] = (lately.filter(client_address=address).count(), settings.PIN_PER_ADDRESS_PER_DAY)
    return caps


def _caps_without_secret(rows: list[SmsMessage], from_there: list[SmsMessage], tag: str) -> dict[str, tuple[int, int]]:
    """PINs that were used make room for as many more: all users of an old program ask from its server's address."""
    most = settings.PIN_WITHOUT_SECRET_PER_ADDRESS_PER_DAY
    to_number = sum(row.number_tag == tag for row in rows)
    to_number_from_there = sum(row.number_tag == tag for row in from_there)
    return {
        "address": (_unused_beyond_used(from_there), most),
        "connector": (_unused_beyond_used(rows), _ADDRESSES_WITHOUT_SECRET * most),
        "number": (to_number, settings.PIN_PER_NUMBER_PER_DAY),
        "number from one address": (to_number_from_there, max(1, settings.PIN_PER_NUMBER_PER_DAY // 2)),
    }


def _unused_beyond_used(rows: list[SmsMessage]) -> int:
    used = sum(row.used_at is not None for row in rows)
    return len(rows) - 2 * used


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
