"""What every page knows: names the console, says whether this is the sandbox, and lists the left menu."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise, SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from kaizala_console.dashboard.pending_actions import badges, pending_actions

PRODUCT_NAME = "Kaizala Console"


@dataclass(frozen=True)
class Entry:
    """One line of the left menu.

    ``views`` are the beginnings of view names that belong to it ("connectors:handoff" covers handoff and handoffs); the
    longest match of all entries wins. ``shortcut`` is the letter that goes there after a ``g``.
    """

    key: str
    label: str | Promise
    icon: str
    url_name: str
    views: tuple[str, ...]
    shortcut: str
    for_organisation_admins: bool = False


DIRECTORY = ("groups:directory", "groups:person")
ORGANISATION = (
    "accounts:organisation",
    "connectors:organisation",
    "groups:archive",
    "groups:attribute",
    "groups:ending",
    "groups:mapping",
    "groups:people",
)
MENU = (
    Entry("home", _("Home"), "home", "home", ("home",), "h"),
    Entry("connectors", _("Connectors"), "connectors", "connectors:list", ("connectors:",), "c"),
    Entry("groups", _("Groups"), "groups", "groups:list", ("groups:",), "g"),
    Entry("handoffs", _("Handoffs"), "handoffs", "handoffs", ("connectors:handoff", "handoffs"), "o"),
    Entry("directory", _("Directory"), "directory", "groups:directory", DIRECTORY, "d"),
    Entry("activity", _("Activity"), "activity", "activity", ("activity",), "a"),
    Entry("organisation", _("Organisation"), "shield", "accounts:organisation", ORGANISATION, "r", True),
    Entry(
        "settings",
        _("Settings"),
        "settings",
        "accounts:settings",
        ("accounts:settings", "accounts:session", "accounts:phone", "connectors:acting"),
        "s",
    ),
)


def active_key(view_name: str) -> str:
    """The key of the menu entry that a view belongs to, or an empty string."""
    matches = [(len(prefix), entry.key) for entry in MENU for prefix in entry.views if view_name.startswith(prefix)]
    return max(matches)[1] if matches else ""


def menu_for(request: HttpRequest) -> list[dict[str, Any]]:
    """The menu lines of this request: key, label, icon, url, active, count. An entry without a page, or not for the
    person, is left out.

    ``count`` is how many things of that kind wait for the person, 0 for none.
    """
    match = request.resolver_match
    active = active_key(match.view_name) if match else ""
    user = getattr(request, "user", None)
    waiting = badges(pending_actions(request, user)) if isinstance(user, User) else {}
    rows = []
    for entry in MENU:
        if entry.for_organisation_admins and not getattr(user, "is_organisation_admin", False):
            continue
        try:
            url = reverse(entry.url_name)
        except NoReverseMatch:
            continue
        rows.append(
            {
                "key": entry.key,
                "label": entry.label,
                "icon": entry.icon,
                "url": url,
                "shortcut": entry.shortcut,
                "active": entry.key == active,
                "count": waiting.get(entry.key, 0),
            }
        )
    return rows


def page(request: HttpRequest) -> dict[str, Any]:
    """Context processor. The menu is only worked out when a template asks for it."""
    return {
        "product_name": PRODUCT_NAME,
        "version": settings.VERSION,
        "sandbox": bool(getattr(settings, "SANDBOX", False)),
        "base_url": getattr(settings, "CONSOLE_BASE_URL", "") or request.build_absolute_uri("/").rstrip("/"),
        "menu": SimpleLazyObject(lambda: menu_for(request)),
    }
