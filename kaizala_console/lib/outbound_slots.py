"""Bounds for calls to the outside that a program starts from a web request, so that a slow stranger holds few threads.

Of each owner (a connector) one call at a time in the whole installation; of each process half its threads at most.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache as cache_result

from django.conf import settings
from django.core.cache import cache
from django.utils.translation import gettext as _

from kaizala_console.lib.errors import TooSoon


@contextmanager
def outbound_slot(owner: str, *, seconds: float) -> Iterator[None]:
    """Hold the owner's slot while the block runs, `seconds` at most if the process is killed in it.

    Raises TooSoon while the owner has another call under way, or the process has no slot left.
    """
    if not _slots_of_process().acquire(blocking=False):
        raise TooSoon(_("Too many addresses are being fetched right now. Try again in a few seconds."), retry_after=2)
    try:
        key = f"outbound:{owner}"
        if not cache.add(key, 1, timeout=math.ceil(seconds)):
            raise TooSoon(
                _("Another address is being fetched for this connector. Try again when it is done."), retry_after=1
            )
        try:
            yield
        finally:
            cache.delete(key)
    finally:
        _slots_of_process().release()


@cache_result
def _slots_of_process() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(max(1, settings.CONSOLE_THREADS // 2))
