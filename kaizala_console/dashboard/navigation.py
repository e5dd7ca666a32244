"""The ways to the console's pages: the left menu, and the pages that search finds by name.

A page that everybody of its audience has is listed here; what belongs to one connector or one group is found by its
own name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import translation
from django.utils.functional import Promise, SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from accounts import policies
from accounts.models import User
from kaizala_console.dashboard.pending_actions import badges, count_once
from kaizala_console.help import PAGES

SHORTEST: Final = 2  # one letter begins a word of nearly every page


class Audience(Enum):
    """Who has a page."""

    EVERYBODY = 1
    ORGANISATION_ADMINS = 2
    OPERATORS = 3


@dataclass(frozen=True)
class NavigationTarget:
    """A page: what it is called, where it is, and `words` by which people may look for it besides its title.

    `rest` stands behind the address: a query, or a part of the page.
    """

    title: str | Promise
    url_name: str
    icon: str
    words: str | Promise
    rest: str = ""
    lead: str | Promise = ""
    args: tuple[str, ...] = ()
    audience: Audience = Audience.EVERYBODY

    @property
    def href(self) -> str:
        return reverse(self.url_name, args=self.args) + self.rest


_ADMINS: Final = Audience.ORGANISATION_ADMINS
_SETTINGS: Final = "accounts:settings"
TARGETS: Final = (
    NavigationTarget(_("Home"), "home", "home", _("start waits for me first steps")),
    NavigationTarget(_("Activity"), "activity", "activity", _("audit log history export csv json who")),
    NavigationTarget(_("Settings"), _SETTINGS, "settings", _("profile account preferences")),
    NavigationTarget(_("Add a Phone Number"), "accounts:phone_add", "phone", _("mobile sms pin verify settings")),
    NavigationTarget(_("Phone numbers"), _SETTINGS, "phone", _("mobile primary change remove settings"), "#phones"),
    NavigationTarget(
        _("Authenticator app"),
        _SETTINGS,
        "shield",
        _("totp second factor 2fa two-factor code confirm settings"),
        "#authenticator-app",
    ),
    NavigationTarget(
        _("Sessions"),
        "accounts:sessions",
        "lock",
        _("sessions browsers sign out everywhere else logout settings"),
    ),
    NavigationTarget(_("Mails"), _SETTINGS, "inbox", _("notifications notices e-mail choice settings"), "#mails"),
    NavigationTarget(_("Language"), _SETTINGS, "settings", _("hindi english translation settings"), "#language"),
    NavigationTarget(_("Sign out"), "account_logout", "sign-out", _("logout log off leave")),
    NavigationTarget(
        _("Organisation"),
        "accounts:organisation",
        "shield",
        _("admin policies policy rules see tokens once settings"),
        audience=_ADMINS,
    ),
    NavigationTarget(
        _("The operators’ pages"),
        "operators:index",
        "settings",
        _("admin operator sms queues"),
        audience=Audience.OPERATORS,
    ),
    NavigationTarget(_("Groups"), "groups:list", "groups", _("teams chats members")),
    NavigationTarget(_("Create group"), "groups:create", "plus", _("add new make team")),
    NavigationTarget(_("Tree of groups"), "groups:list", "groups", _("sub-groups hierarchy parents"), "?view=tree"),
    NavigationTarget(
        _("Requests from developers"),
        "groups:requests",
        "inbox",
        _("approve refuse answer grant waiting permissions"),
    ),
    NavigationTarget(_("Directory"), "groups:directory", "directory", _("people users members find number")),
    NavigationTarget(
        _("Attributes of people"),
        "groups:attributes",
        "directory",
        _("fields department location directory"),
        audience=_ADMINS,
    ),
    NavigationTarget(
        _("Import people"),
        "groups:people_upload",
        "file",
        _("import export csv upload directory attributes bulk"),
        audience=_ADMINS,
    ),
    NavigationTarget(
        _("Import parent groups"),
        "groups:mapping",
        "file",
        _("import export csv upload sub-groups hierarchy bulk mapping"),
        audience=_ADMINS,
    ),
    NavigationTarget(
        _("Archive"),
        "groups:archive",
        "file",
        _("old messages tenant history import csv"),
        audience=_ADMINS,
    ),
    NavigationTarget(_("Connectors"), "connectors:list", "connectors", _("my programs apps bots integrations")),
    NavigationTarget(
        _("Add Connector"), "connectors:create", "plus", _("create register new program app client id secret")
    ),
    NavigationTarget(
        _("All Connectors"), "connectors:list", "connectors", _("organisation programs apps owners"), "?show=all"
    ),
    NavigationTarget(_("Handoffs"), "handoffs", "handoffs", _("claim refresh token inbox open receive sealed")),
    NavigationTarget(
        _("Earlier handoffs"), "handoffs", "handoffs", _("claimed refused expired history"), "?show=earlier"
    ),
    NavigationTarget(
        _("Inspect a token"),
        "connectors:inspector",
        "search",
        _("why refused 401 403 debug check access refresh secret scopes"),
    ),
    NavigationTarget(
        _("API explorer"), "connectors:explorer", "code", _("user token consent revoke end allow apps authorized")
    ),
    NavigationTarget(
        _("Connectors acting for you"), "connectors:acting", "person", _("user token consent revoke end allow apps")
    ),
    NavigationTarget(
        _("Report a leaked credential"),
        "connectors:leak_report",
        "warning",
        _("leak secret token exposed lost stolen"),
    ),
    NavigationTarget(
        _("Usage of the organisation"),
        "connectors:organisation_usage",
        "activity",
        _("calls charts statistics errors throttled rate limit"),
        audience=_ADMINS,
    ),
    NavigationTarget(_("Help"), "help", "info", _("docs documentation manual guide support")),
    *(
        NavigationTarget(
            page_context.title, "help_page", "info", page_context.words, lead=_("Help"), args=(page_context.slug,)
        )
        for page_context in PAGES.values()
    ),
)


def find_targets(user: User, text: str, *, most: int) -> list[NavigationTarget]:
    """Return the first pages in whose title or words something begins with every word of `text`, titles in front.

    A person who reads Hindi may know a page by its English name, too.
    """
    words = text.casefold().split()
    if len(text.strip()) < SHORTEST:
        return []
    by_title, others = [], []
    for target in _list_targets(user):
        if _all_begin(words, _in_both_languages(target.title)):
            by_title.append(target)
        elif _all_begin(words, f"{_in_both_languages(target.title)} {_in_both_languages(target.words)}"):
            others.append(target)
    return (by_title + others)[:most]


def _list_targets(user: User) -> Iterator[NavigationTarget]:
    has = {
        Audience.EVERYBODY: True,
        Audience.ORGANISATION_ADMINS: user.is_organisation_admin,
        Audience.OPERATORS: policies.may_operate(user),
    }
    return (target for target in TARGETS if has[target.audience])


def _all_begin(words: list[str], text: str) -> bool:
    return all(f" {word}" in f" {text}" for word in words)


def _in_both_languages(text: str | Promise) -> str:
    """In the reader's language, and in that of the sources."""
    here = str(text)
    with translation.override(settings.LANGUAGE_CODE):
        return f"{here} {text}".casefold()


PRODUCT_NAME = "Kaizala Console"


@dataclass(frozen=True)
class MenuEntry:
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
    MenuEntry("home", _("Home"), "home", "home", ("home",), "h"),
    MenuEntry("connectors", _("Connectors"), "connectors", "connectors:list", ("connectors:",), "c"),
    MenuEntry("groups", _("Groups"), "groups", "groups:list", ("groups:",), "g"),
    MenuEntry("handoffs", _("Handoffs"), "handoffs", "handoffs", ("connectors:handoff", "handoffs"), "o"),
    MenuEntry("directory", _("Directory"), "directory", "groups:directory", DIRECTORY, "d"),
    MenuEntry("activity", _("Activity"), "activity", "activity", ("activity",), "a"),
    MenuEntry("organisation", _("Organisation"), "shield", "accounts:organisation", ORGANISATION, "r", True),
    MenuEntry(
        "settings",
        _("Settings"),
        "settings",
        "accounts:settings",
        ("accounts:settings", "accounts:session", "accounts:phone", "connectors:acting"),
        "s",
    ),
)


def active_menu_key(view_name: str) -> str:
    """The key of the menu entry that a view belongs to, or an empty string."""
    matches = [(len(prefix), entry.key) for entry in MENU for prefix in entry.views if view_name.startswith(prefix)]
    return max(matches)[1] if matches else ""


def list_menu_entries(request: HttpRequest) -> list[dict[str, Any]]:
    """The menu lines of this request: key, label, icon, url, active, count. An entry without a page, or not for the
    person, is left out.

    ``count`` is how many things of that kind wait for the person, 0 for none.
    """
    match = request.resolver_match
    active = active_menu_key(match.view_name) if match else ""
    user = getattr(request, "user", None)
    waiting = badges(count_once(request, user)) if isinstance(user, User) else {}
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


def page_context(request: HttpRequest) -> dict[str, Any]:
    """Context processor. The menu is only worked out when a template asks for it."""
    return {
        "product_name": PRODUCT_NAME,
        "version": settings.VERSION,
        "sandbox": bool(getattr(settings, "SANDBOX", False)),
        "base_url": getattr(settings, "CONSOLE_BASE_URL", "") or request.build_absolute_uri("/").rstrip("/"),
        "menu": SimpleLazyObject(lambda: list_menu_entries(request)),
    }
