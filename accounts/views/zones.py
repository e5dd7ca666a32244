"""In which time zone a reader lives: their device says it in a cookie (static/js/moments.js). ADR 0067."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale
from babel.dates import get_timezone_name
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

COOKIE: Final = "zone"
_UTC: Final = frozenset({"UTC", "Etc/UTC", "Etc/GMT", "GMT", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu"})


def zone_of(request: HttpRequest) -> dt.tzinfo:
    """The reader's zone; the console's own until a device has said which, and for a name that is none.

    Pages are written in it, and days that are typed are days of it: whoever forges the cookie sees their own pages in
    another zone.
    """
    name = unquote(request.COOKIES.get(COOKIE, ""))
    if name not in _known():
        name = settings.TIME_ZONE
    return dt.UTC if name in _UTC else ZoneInfo(name)


def name_of(zone: dt.tzinfo) -> str:
    """As people call it, in their language: a device may say "Asia/Calcutta" for "India Time"."""
    name = str(zone)
    if name == "UTC" or name.startswith("Etc/"):  # for these there are no words
        return name
    locale = Locale.parse(get_language() or "en", sep="-")
    return get_timezone_name(zone, zone_variant="generic", locale=locale)


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(available_timezones())
