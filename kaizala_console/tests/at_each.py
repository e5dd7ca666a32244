"""One world for many doors: each is tried in it as if it were the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.db import transaction


class _TakenBack(Exception):
    """What was done at one door is undone before the next."""


def at_each(names: Iterable[str], look: Callable[[str], None]) -> None:
    """Calls ``look`` with each name and undoes what it wrote. Fails with all that it found."""
    found, tried = [], 0
    for name in names:
        tried += 1
        try:
            with transaction.atomic():
                try:
                    look(name)
                except AssertionError as wrong:
                    found.append(f"{name}: {wrong}")
                raise _TakenBack
        except _TakenBack:
            pass
    assert not found, "\n\n".join(found)
    assert tried
