"""Pages and acts that a person may look for by name, gathered from all apps: search from anywhere leads to them.

An app above registers a provider in its `AppConfig.ready()`: this app imports none of them. A place is a page that is
there for everybody whom the provider gives it to; what belongs to one connector or one group is found by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import policies

if TYPE_CHECKING:
    from accounts.models import User

SHORTEST: Final = 2  # one letter begins a word of nearly every page


@dataclass(frozen=True)
class Place:
    """A page: what it is called, where it is, and `words` by which people may look for it besides its title."""

    title: str | Promise
    href: str
    icon: str
    lead: str | Promise = ""
    words: str | Promise = ""


Provider = Callable[["User"], Iterable[Place]]
_providers: list[Provider] = []


def register(provider: Provider) -> Provider:
    """Adds a provider; twice the same is once. Also a decorator."""
    if provider not in _providers:
        _providers.append(provider)
    return provider


def found(user: User, text: str, *, most: int) -> list[Place]:
    """The first places in whose title or words something begins with every word of `text`, titles in front.

    A person who reads Hindi may know a page by its English name, too.
    """
    words = text.casefold().split()
    if len(text.strip()) < SHORTEST:
        return []
    by_title, others = [], []
    for place in _of(user):
        if _all_begin(words, _said(place.title)):
            by_title.append(place)
        elif _all_begin(words, f"{_said(place.title)} {_said(place.words)}"):
            others.append(place)
    return (by_title + others)[:most]


def _of(user: User) -> Iterable[Place]:
    for provider in (of_everybody, *_providers):
        yield from provider(user)


def _all_begin(words: list[str], text: str) -> bool:
    return all(f" {word}" in f" {text}" for word in words)


def _said(text: str | Promise) -> str:
    """In the reader's language, and in that of the sources."""
    here = str(text)
    with translation.override(settings.LANGUAGE_CODE):
        return f"{here} {text}".casefold()


def of_everybody(user: User) -> Iterable[Place]:
    """The pages of this app."""
    at = reverse("accounts:settings")
    yield Place(_("Home"), reverse("accounts:home"), "home", words=_("start waits for me first steps"))
    yield Place(
        _("Activity"), reverse("accounts:activity"), "activity", words=_("audit log history export csv json who")
    )
    yield Place(_("Settings"), at, "settings", words=_("profile account preferences"))
    yield Place(
        _("Add a Phone Number"), reverse("accounts:phone_add"), "phone", words=_("mobile sms pin verify settings")
    )
    yield Place(_("Phone numbers"), f"{at}#phones", "phone", words=_("mobile primary change remove settings"))
    yield Place(
        _("Authenticator app"),
        f"{at}#authenticator-app",
        "shield",
        words=_("totp second factor 2fa two-factor code confirm settings"),
    )
    yield Place(
        _("Where you are signed in"),
        reverse("accounts:sessions"),
        "lock",
        words=_("sessions browsers sign out everywhere else logout settings"),
    )
    yield Place(_("Mails"), f"{at}#mails", "inbox", words=_("notifications notices e-mail choice settings"))
    yield Place(_("Language"), f"{at}#language", "settings", words=_("hindi english translation settings"))
    yield Place(_("Sign out"), reverse("account_logout"), "sign-out", words=_("logout log off leave"))
    if user.is_organisation_admin:
        yield Place(
            _("Organisation"),
            reverse("accounts:organisation"),
            "shield",
            words=_("admin policies policy rules see tokens once settings"),
        )
    if policies.may_operate(user):
        yield Place(
            _("The operators’ pages"), reverse("operators:index"), "settings", words=_("admin operator sms queues")
        )
