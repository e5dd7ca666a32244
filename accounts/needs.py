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
    from accounts.models import User


class Urgency(IntEnum):
    """Nothing works until it is done; something ends soon; it can wait."""

    BLOCKING = 0
    SOON = 1
    NORMAL = 2


@dataclass(frozen=True)
class Need:
    """One card on Home.

    `key` says what kind it is (`handoffs`), also for the menu's badge; `act` labels the button that leads to `href`.
    """

    key: str
    title: str | Promise
    text: str | Promise
    href: str
    act: str | Promise
    urgency: Urgency = Urgency.NORMAL
    count: int = 1


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


def counts_of(needs: Iterable[Need]) -> dict[str, int]:
    """How many things of each kind wait: the badges of the menu."""
    counts: dict[str, int] = {}
    for need in needs:
        counts[need.key] = counts.get(need.key, 0) + need.count
    return counts
