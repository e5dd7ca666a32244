"""In which time zone the reader's days begin: their device says it in a cookie (static/js/moments.js)."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest

COOKIE: Final = "zone"
_UTC: Final = frozenset({"UTC", "Etc/UTC", "Etc/GMT", "GMT", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu"})


def zone_of(request: HttpRequest) -> dt.tzinfo:
    """The reader's zone; the console's own until a device has said which, and for a name that is none.

    It decides only where a day begins: whoever forges the cookie sees their own pages in another zone.
    """
    name = unquote(request.COOKIES.get(COOKIE, ""))
    if name not in _known():
        name = settings.TIME_ZONE
    return dt.UTC if name in _UTC else ZoneInfo(name)


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(available_timezones())
