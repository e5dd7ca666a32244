"""A moment in words: one way for pages and for sentences."""

from __future__ import annotations

import datetime as dt

from django.utils import formats, timezone


def exact(at: dt.datetime) -> str:
    """To the minute, in the reader's zone and language, with the zone's name: "17 Dec 2026, 14:05 IST"."""
    local = timezone.localtime(at)
    return f"{formats.date_format(local, 'j M Y, H:i')} {_zone(local)}"


def _zone(local: dt.datetime) -> str:
    """ "IST"; of the many zones that have no such name, how far they are: "GMT+4" and not "+04"."""
    name = local.tzname() or ""
    if not name.startswith(("+", "-")):
        return name
    hours, minutes = divmod(int(name[1:].ljust(4, "0")), 100)
    return f"GMT{name[0]}{hours}" + (f":{minutes:02}" if minutes else "")
