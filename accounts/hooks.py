"""Who is told that a number was verified for the first time: the wire's `isProvisioned` has turned true.

An app above registers what it keeps right by that in its `AppConfig.ready()`: this app imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

_listeners: list[Callable[[UUID], None]] = []


def register(listener: Callable[[UUID], None]) -> None:
    """Adds a listener; it is called with the person's id, inside the transaction of the verification."""
    if listener not in _listeners:
        _listeners.append(listener)


def tell(person_id: UUID) -> None:
    """Calls every listener."""
    for listener in _listeners:
        listener(person_id)
