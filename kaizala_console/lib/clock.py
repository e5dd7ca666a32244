"""The one door to time.

Everything that asks "what time is it?" asks here, so that a test which travels in time travels everywhere.
Fields default to Django's `timezone.now`, which is the same.
"""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def now() -> datetime:
    """Return this moment as an aware datetime in UTC."""
    return datetime.now(UTC)


def epoch_ms(moment: datetime) -> int:
    """Return whole milliseconds since 1970 (wire protocol §4, ``accessTokenExpiry``), rounded down.

    Integer arithmetic, because floats lose the last millisecond. Raises ValueError for a naive datetime.
    """
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place on the time line: pass an aware one")
    return (moment - _EPOCH) // _MILLISECOND


def from_epoch_ms(milliseconds: int) -> datetime:
    """Return the aware UTC datetime of so many milliseconds since 1970.

    Raises ValueError when the number lies outside the years that a datetime can hold.
    """
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise ValueError("milliseconds since 1970 are out of range") from None
