"""Having a worker look at the queue of deliveries. The rows are the queue: a message that is lost costs seconds."""

from __future__ import annotations

from typing import Final

from celery import signature
from django.core.cache import cache
from django.db import transaction

from kaizala_console.lib.background import after_commit

DELIVER: Final = "connectors.tasks.deliver_webhooks"  # by name: this layer does not import the tasks above it
NOTIFIED_KEY: Final = "webhooks:woken"  # stands from a wake until a worker is about to look
_WAKE_SECONDS: Final = 60
_HELP_KEY: Final = "webhooks:called"
_CALL_SECONDS: Final = 2


def notify_worker() -> None:
    """Have a worker look at the queue after the commit. Many wakes before it looks are one message."""
    transaction.on_commit(_notify, robust=True)


def _notify() -> None:
    if cache.add(NOTIFIED_KEY, 1, timeout=_WAKE_SECONDS):
        after_commit(signature(DELIVER))


def notify_another_worker() -> None:
    """Have another worker look as well, if there is one: the caller's turn may not have places enough.

    Whoever has this message and a turn of its own leaves it at that, so it is repeated while it is needed.
    """
    if cache.add(_HELP_KEY, 1, timeout=_CALL_SECONDS):
        after_commit(signature(DELIVER))
