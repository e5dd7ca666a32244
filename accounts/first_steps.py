"""The first steps of somebody who is new, told for who they are: each app above knows its own way.

An app registers a provider in its `AppConfig.ready()`: this app imports none of them. Every step is ticked by a fact in
the database, so that it does not matter by which way somebody got there, nor on which device.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.functional import Promise

from accounts.starts import Way
from kaizala_console.lib import clock

if TYPE_CHECKING:
    from accounts.models import User

# So long after the last step Home still shows that all is done.
SHOWN_DONE = dt.timedelta(days=1)


@dataclass(frozen=True)
class Step:
    """One line. `ways` are the buttons of a step that is next: mostly one; several lead to different places for it."""

    title: str | Promise
    text: str | Promise
    done: bool = False
    ways: tuple[Way, ...] = ()


@dataclass(frozen=True)
class Path:
    """The steps of one kind of person, in order; `help_page` tells more.

    `fits` says that the person has begun it: owns a connector, or runs a group. `for_all` marks the one for who has
    begun none. `finished_at` is when the last of it came true.
    """

    title: str | Promise
    steps: tuple[Step, ...]
    help_page: str
    fits: bool
    finished_at: dt.datetime | None = None
    for_all: bool = False

    @property
    def next_step(self) -> Step | None:
        """The one to do now; None when all is done."""
        return next((step for step in self.steps if not step.done), None)

    @property
    def done_count(self) -> int:
        """How many are done."""
        return sum(step.done for step in self.steps)


Provider = Callable[["User"], Path]
_providers: list[Provider] = []


def register(provider: Provider) -> Provider:
    """Adds a provider; twice the same is once. Also a decorator."""
    if provider not in _providers:
        _providers.append(provider)
    return provider


def path_of(user: User) -> Path | None:
    """The path that Home shows to somebody with a verified number: one that they have begun and not finished.

    None once all that fits is done, but for a day after the last step; and when they put it away.
    """
    if user.first_steps_put_away_at is not None:
        return None
    paths = sorted((provider(user) for provider in _providers), key=lambda path: not path.for_all)
    fitting = [path for path in paths if path.fits] or [path for path in paths if path.for_all]
    for path in fitting:
        if path.next_step is not None:
            return path
    just_done = clock.now() - SHOWN_DONE
    return next((path for path in fitting if path.finished_at is not None and path.finished_at >= just_done), None)
