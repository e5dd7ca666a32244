"""When a delivery is tried again (wire protocol §6: six tries, exponential, within two days). Pure."""

from __future__ import annotations

import datetime as dt
from random import Random, SystemRandom
from typing import Final

TRIES: Final = 6
SPAN: Final = dt.timedelta(days=2)
# 90 seconds, 9 minutes, 54 minutes, 5.4 hours, 32.4 hours: 39 hours in all, and 47 when chance adds a fifth each time.
FIRST: Final = dt.timedelta(seconds=90)
FACTOR: Final = 6
SPREAD: Final = 0.2
LATER: Final = 0.05  # at the most, of what a receiver asks for: it does not want all of them back at one moment either
LAST_CALL: Final = dt.timedelta(minutes=5)  # before the two days are over
_dice: Final = SystemRandom()


def pause_after(tries: int, dice: Random = _dice) -> dt.timedelta | None:
    """How long to wait after so many failed tries; None when there is no other try."""
    if tries >= TRIES:
        return None
    return spread(FIRST * FACTOR ** (max(tries, 1) - 1), dice)


def pause_until_next(
    tries: int, first_tried_at: dt.datetime, at: dt.datetime, asked: dt.timedelta | None = None, dice: Random = _dice
) -> dt.timedelta | None:
    """`pause_after`, or what the receiver `asked` for when that is longer, within two days; None when they are over."""
    pause = pause_after(tries, dice)
    if pause is None:
        return None
    if asked is not None and asked > pause:
        pause = asked * dice.uniform(1, 1 + LATER)
    left = last_attempt_at(first_tried_at) - at
    return min(pause, left) if left > dt.timedelta() else None


def last_attempt_at(first_tried_at: dt.datetime) -> dt.datetime:
    """When a delivery is tried for the last time at the latest."""
    return first_tried_at + SPAN - LAST_CALL


def spread(pause: dt.timedelta, dice: Random = _dice) -> dt.timedelta:
    """A pause a little longer or shorter, so that not all come back at one moment."""
    return pause * dice.uniform(1 - SPREAD, 1 + SPREAD)


def is_spent(tries: int, first_tried_at: dt.datetime | None, at: dt.datetime) -> bool:
    """Whether a delivery has had its tries, or its two days, at `at`."""
    return tries >= TRIES or (first_tried_at is not None and at - first_tried_at >= SPAN)
