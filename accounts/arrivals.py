"""What may arrive while somebody looks at Home, gathered from all apps: the page then says so by itself.

An app above registers a provider in its `AppConfig.ready()`: this app imports none of them. A provider's `look` is
asked every few seconds, and costs one statement; `tell` finds the words for the one thing that is new.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.functional import Promise

if TYPE_CHECKING:
    from accounts.models import User

Sign = tuple[str, Hashable]


@dataclass(frozen=True)
class Arrival:
    """One line about what is new, with a button that leads there."""

    words: str | Promise
    href: str
    act: str | Promise


@dataclass(frozen=True)
class Provider:
    """`look` lists what there is for an account, in one statement; `tell` describes one of it, None when it is over."""

    look: Callable[[User], Iterable[Hashable]]
    tell: Callable[[User, Hashable], Arrival | None]


_providers: dict[str, Provider] = {}


def register(name: str, provider: Provider) -> None:
    """Adds a provider under the name of its app; the same name again replaces it."""
    _providers[name] = provider


def signs_of(user: User) -> list[Sign]:
    """All that there is for `user` now, the latest of each app in front."""
    return [(name, thing) for name, provider in _providers.items() for thing in provider.look(user)]


def tell(user: User, sign: Sign) -> Arrival | None:
    """What to say about one of `signs_of`; None when there is nothing to say any more."""
    name, thing = sign
    return _providers[name].tell(user, thing)
