"""In which time zone a reader lives: their device says it in a cookie (static/js/console.js). ADR 0067."""

from __future__ import annotations

import datetime as dt
from typing import Final
from urllib.parse import unquote

from babel import Locale
from babel.dates import get_timezone_name
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

from accounts.models import User
from accounts.services import users
from kaizala_console.lib import moments

COOKIE: Final = "zone"


def get_time_zone(request: HttpRequest) -> dt.tzinfo:
    """The reader's zone; the console's own until a device has said which.

    Pages are written in it, and days that are typed are days of it: whoever forges the cookie sees their own pages in
    another zone.
    """
    return moments.zone_called(_named(request))


def store_time_zone(request: HttpRequest) -> None:
    """Stores the zone that the device of a signed-in reader names: their mails are written in it."""
    name, user = _named(request), getattr(request, "user", None)  # none where a bad request got no further
    if name and settings.SESSION_COOKIE_NAME in request.COOKIES and isinstance(user, User):
        users.set_time_zone(user=user, name=name)


def display_name(zone: dt.tzinfo) -> str:
    """As people call it, in their language: a device may say "Asia/Calcutta" for "India Time"."""
    name = str(zone)
    if name == "UTC" or name.startswith("Etc/"):  # for these there are no words
        return name
    locale = Locale.parse(get_language() or "en", sep="-")
    return get_timezone_name(zone, zone_variant="generic", locale=locale)


def _named(request: HttpRequest) -> str:
    name = unquote(request.COOKIES.get(COOKIE, ""))
    return name if moments.is_zone(name) else ""
