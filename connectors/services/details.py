"""What a connector may be called and say about itself: one place for the rules, used to create and to change."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext as _

from connectors.models import Connector
from connectors.permissions import Permission
from kaizala_console.lib.errors import Conflict, RuleBroken

LONGEST_NAME = 80
LONGEST_DESCRIPTION = 500
LONGEST_URL = 200
MOST_REDIRECT_URLS = 10
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_web_address = URLValidator(schemes=["http", "https"])


@dataclass(frozen=True, slots=True)
class Details:
    """The fields of a connector that its owners choose, checked and tidied."""

    name: str
    description: str
    home_page: str
    redirect_urls: list[str]
    permissions: frozenset[Permission]


def checked(
    *,
    name: str,
    description: str = "",
    home_page: str = "",
    redirect_urls: Iterable[str] = (),
    permissions: Iterable[str],
) -> Details:
    """Tidy and check everything. Raises RuleBroken that names the field and says what was expected."""
    return Details(
        name=checked_name(name, missing=_("Give the connector a name.")),
        description=_checked_description(description),
        home_page=_checked_home_page(home_page.strip()),
        redirect_urls=_checked_redirect_urls(redirect_urls),
        permissions=checked_permissions(permissions),
    )


def require_shown(connector: Connector, as_shown: Collection[Permission] | None) -> None:
    """Raise Conflict when the connector asks for more than a person saw who lets it act. None: nobody saw a list."""
    if as_shown is not None and not connector.permissions <= frozenset(as_shown):
        raise Conflict(
            _("“%(connector)s” asks for something else by now. Look at it once more.") % {"connector": connector.name},
            code="permissions_grown",
        )


def checked_permissions(permissions: Iterable[str]) -> frozenset[Permission]:
    """At least one of the nine permissions. Raises RuleBroken."""
    try:
        chosen = frozenset(Permission(permission) for permission in permissions)
    except ValueError:
        raise RuleBroken(
            _("This is not a permission of a connector."), code="permission_unknown", field="permissions"
        ) from None
    if not chosen:
        raise RuleBroken(
            _("Choose at least one permission: without any, the connector could do nothing."),
            code="permission_missing",
            field="permissions",
        )
    return chosen


def name_taken(name: str) -> RuleBroken:
    """The answer to a second connector of the same owner under one name."""
    return RuleBroken(
        _("You have a connector named “%(name)s” already. Choose another name.") % {"name": name},
        code="name_taken",
        field="name",
    )


def checked_name(name: str, *, missing: str) -> str:
    """What a connector or a bot is called, tidied. Raises RuleBroken, with the words of `missing` for no name."""
    tidy = " ".join(printable(name).split())
    if not tidy:
        raise RuleBroken(missing, code="name_missing", field="name")
    if len(tidy) > LONGEST_NAME:
        raise RuleBroken(
            _("The name has %(count)d characters: %(most)d are the most.") % {"count": len(tidy), "most": LONGEST_NAME},
            code="name_too_long",
            field="name",
        )
    return tidy


def _checked_description(description: str) -> str:
    tidy = printable(description, keep="\n").strip()
    if len(tidy) > LONGEST_DESCRIPTION:
        raise RuleBroken(
            _("The description has %(count)d characters: %(most)d are the most.")
            % {"count": len(tidy), "most": LONGEST_DESCRIPTION},
            code="description_too_long",
            field="description",
        )
    return tidy


def _checked_home_page(home_page: str) -> str:
    if home_page and not _is_web_address(home_page):
        raise RuleBroken(
            _("The home page must be a web address like https://example.com, of at most 200 characters."),
            code="home_page",
            field="home_page",
        )
    return home_page


def _checked_redirect_urls(redirect_urls: Iterable[str]) -> list[str]:
    tidy = list(dict.fromkeys(url.strip() for url in redirect_urls if url.strip()))
    if len(tidy) > MOST_REDIRECT_URLS:
        raise RuleBroken(
            _("Give at most %(most)d redirect URLs.") % {"most": MOST_REDIRECT_URLS},
            code="redirect_urls",
            field="redirect_urls",
        )
    for url in tidy:
        if not _is_redirect_url(url):
            raise RuleBroken(
                _("“%(url)s” cannot be a redirect URL: give a whole https address without # and what follows it.")
                % {"url": url[:LONGEST_URL]},
                code="redirect_url",
                field="redirect_urls",
            )
    return tidy


def _is_redirect_url(url: str) -> bool:
    """Absolute, no fragment (RFC 6749 §3.1.2), and https; http for the developer's own machine (RFC 8252 §7.3)."""
    if not _is_web_address(url, loopback=True):
        return False
    parts = urlsplit(url)
    if parts.fragment or "#" in url or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or parts.hostname in LOOPBACK


def _is_web_address(url: str, *, loopback: bool = False) -> bool:
    if len(url) > LONGEST_URL:
        return False
    try:
        _web_address(url)
    except ValidationError:
        return loopback and _is_loopback(url)
    return True


def _is_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _port = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.hostname in LOOPBACK and url.isprintable() and " " not in url


def printable(text: str, *, keep: str = "") -> str:
    """Without control characters (PostgreSQL stores no NUL) and marks that turn the direction of what follows."""
    text = text.replace("\r\n", "\n").replace("\t", " ")
    return "".join(
        character
        if character in keep or (unicodedata.category(character) not in {"Cc", "Cs"} and character not in _TURNING)
        else " "
        for character in text
    )
