"""A moment in words: one way for pages and for sentences."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.utils import formats, timezone

_UTC: Final = frozenset({"UTC", "Etc/UTC", "Etc/GMT", "GMT", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu"})


def is_zone(name: str) -> bool:
    """Whether it is the name of a time zone, like Asia/Kolkata."""
    return name in _known()


def zone_called(name: str) -> dt.tzinfo:
    """The time zone; the console's own for a name that is none."""
    if not is_zone(name):
        name = settings.TIME_ZONE
    return dt.UTC if name in _UTC else ZoneInfo(name)


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


def exact(at: dt.datetime) -> str:
    """To the minute, in the reader's zone and language, with the zone's name: "17 Dec 2026, 14:05 IST"."""
    local = timezone.localtime(at)
    return f"{formats.date_format(local, 'j M Y, H:i')} {_zone(local)}"


def utc(at: dt.datetime) -> str:
    """To the minute, for programs' logs, the same everywhere: "2026-12-17 08:35 UTC"."""
    return at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _zone(local: dt.datetime) -> str:
    """ "IST"; of the many zones that have no such name, how far they are: "GMT+4" and not "+04"."""
    name = local.tzname() or ""
    if not name.startswith(("+", "-")):
        return name
    hours, minutes = divmod(int(name[1:].ljust(4, "0")), 100)
    return f"GMT{name[0]}{hours}" + (f":{minutes:02}" if minutes else "")
