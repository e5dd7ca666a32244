"""What waits for a person, gathered from all apps: Home shows it, and the menu counts it.

An app above registers a provider in its `AppConfig.ready()`: this app imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from django.utils.functional import Promise

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User

_KEPT = "console_needs"


class Urgency(IntEnum):
    """Nothing works until it is done; something ends soon; it can wait."""

    BLOCKING = 0
    SOON = 1
    NORMAL = 2


@dataclass(frozen=True)
class Need:
    """One card on Home.

    `key` says what kind it is (`handoffs`), also for the menu's badge; `act` labels the button that leads to `href`.
    `is_asked` when somebody waits for an answer: such a card stands in the inbox as well (portal.md, Handoff).
    """

    key: str
    title: str | Promise
    text: str | Promise
    href: str
    act: str | Promise
    urgency: Urgency = Urgency.NORMAL
    count: int = 1
    is_asked: bool = False


Provider = Callable[["User"], Iterable[Need]]
_providers: list[Provider] = []


def register(provider: Provider) -> Provider:
    """Adds a provider; twice the same is once. Also a decorator."""
    if provider not in _providers:
        _providers.append(provider)
    return provider


def needs_of(user: User) -> list[Need]:
    """Everything that waits for `user`, the most urgent first, else in the order of registration."""
    found = [need for provider in _providers for need in provider(user)]
    return sorted(found, key=lambda need: need.urgency)


def needs_at(request: HttpRequest, user: User) -> list[Need]:
    """The same, looked for once a request: a page that shows them and its menu ask one after the other."""
    kept: list[Need] | None = request.__dict__.get(_KEPT)
    if kept is None:
        kept = request.__dict__[_KEPT] = needs_of(user)
    return kept


def counts_of(needs: Iterable[Need]) -> dict[str, int]:
    """How many things of each kind wait: the badges of the menu."""
    counts: dict[str, int] = {}
    for need in needs:
        counts[need.key] = counts.get(need.key, 0) + need.count
    return counts
