"""Where what an event is about can be looked at now, gathered from all apps: the page of the event leads there.

An app above registers a provider in its `AppConfig.ready()`: this app knows neither connectors nor groups. A provider
gives only what the reader may open: an event outlives what it is about, and the reader's right to see that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.utils.functional import Promise

if TYPE_CHECKING:
    from accounts.models import AuditEvent, User


@dataclass(frozen=True)
class Lead:
    """A link: its words, and where it leads."""

    label: str | Promise
    href: str


Provider = Callable[["User", "AuditEvent"], Iterable[Lead]]
_providers: list[Provider] = []


def register(provider: Provider) -> Provider:
    """Adds a provider; twice the same is once. Also a decorator."""
    if provider not in _providers:
        _providers.append(provider)
    return provider


Namer = Callable[["User", UUID], str]
_namers: dict[str, Namer] = {}


def register_names(kind: str, namer: Namer) -> None:
    """Adds how things of a kind ("connector") are called now, for who may see them; "" for who may not."""
    _namers[kind] = namer


def name_of(user: User, kind: str, key: UUID) -> str:
    """What the reader knows this by; "" for what is not there any more, or not for them to see."""
    return _namers[kind](user, key) if kind in _namers else ""


def of_event(user: User, event: AuditEvent) -> list[Lead]:
    """All that `user` may open of what the event is about, in the order of registration."""
    return [lead for provider in _providers for lead in provider(user, event)]
