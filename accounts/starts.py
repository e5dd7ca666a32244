"""Where a person can begin, gathered from all apps: Home offers it besides what waits.

An app above registers a provider in its `AppConfig.ready()`: this app imports none of them. What waits for somebody is
a need (`accounts.needs`); a start is there for who wants it, and nothing is wrong while nobody takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.functional import Promise

if TYPE_CHECKING:
    from accounts.models import User


@dataclass(frozen=True)
class Way:
    """A button: its words, where it leads, and an icon of the sprite."""

    act: str | Promise
    href: str
    icon: str = "arrow-end"


@dataclass(frozen=True)
class Start:
    """One card on Home, with one button or a few that lead to different places for the same thing."""

    title: str | Promise
    text: str | Promise
    ways: tuple[Way, ...]


Provider = Callable[["User"], Iterable[Start]]
_providers: list[Provider] = []


def register(provider: Provider) -> Provider:
    """Adds a provider; twice the same is once. Also a decorator."""
    if provider not in _providers:
        _providers.append(provider)
    return provider


def starts_of(user: User) -> list[Start]:
    """Everything that is offered to `user`, in the order of registration."""
    return [start for provider in _providers for start in provider(user)]
