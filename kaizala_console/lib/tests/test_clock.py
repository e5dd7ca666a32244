"""The one door to time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaizala_console.lib import clock

FIRST = datetime(1, 1, 2)  # noqa: DTZ001 (of any zone: half a day earlier is before the calendar in UTC)


def test_the_expiry_of_the_protocols_sample_is_read_and_written_to_the_millisecond() -> None:
    moment = clock.from_epoch_ms(1518481686294)
    assert moment == datetime(2018, 2, 13, 0, 28, 6, 294000, tzinfo=UTC)
    assert clock.epoch_ms(moment) == 1518481686294


@given(st.datetimes(FIRST, timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])))
def test_a_moment_survives_the_way_there_and_back_but_for_microseconds(moment: datetime) -> None:
    there_and_back = clock.from_epoch_ms(clock.epoch_ms(moment))
    assert timedelta(0) <= moment - there_and_back < timedelta(milliseconds=1)


@pytest.mark.parametrize("milliseconds", [10**15, -(10**15), 10**30, -(10**30)])
def test_a_number_beyond_the_calendar_is_a_value_error(milliseconds: int) -> None:
    with pytest.raises(ValueError, match="range"):
        clock.from_epoch_ms(milliseconds)
