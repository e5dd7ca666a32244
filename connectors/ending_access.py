"""Which access to an organisation's groups ends soon is known to the app above (groups). It plugs the answer in here.

The usage page of the organisation asks for it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from accounts.models import User
from connectors.models import Connector


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of what a connector may do in a place that people call `place`, and the page where that is decided."""

    connector: Connector
    place: str
    ends_at: dt.datetime
    href: str


@dataclass(frozen=True, slots=True)
class Endings:
    """The next ones; and where all of them are listed, when there are more."""

    rows: list[Ending] = field(default_factory=list)
    more_href: str = ""


# What this person may know of, so many rows at the most.
Provider = Callable[[User, int], Endings]
_providers: list[Provider] = []


def register(provider: Provider) -> None:
    """Plug the answer in; the app above calls it when it is ready."""
    if provider not in _providers:
        _providers.append(provider)


def next_of(user: User, most: int) -> Endings:
    """What ends soon in the organisation of this person, the next in front."""
    return next((found for provider in _providers if (found := provider(user, most)).rows), Endings())
