"""Identifiers, moments, and names that people type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122, UUID

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from kaizala_console.lib import clock, ids
from kaizala_console.lib.typed_names import is_same_name

GUID = UUID("df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62")


def test_a_new_id_is_a_version_7_uuid_of_this_moment() -> None:
    with time_machine.travel(datetime(2026, 11, 24, tzinfo=UTC), tick=False):
        new = ids.new_id()
    assert new.version == 7
    assert new.variant == RFC_4122
    assert new.int >> 80 == int(datetime(2026, 11, 24, tzinfo=UTC).timestamp() * 1000)


def test_ids_sort_in_the_order_of_their_moments_within_a_millisecond() -> None:
    made = []
    for microsecond in range(0, 1000, 50):
        with time_machine.travel(datetime(2026, 11, 24, 0, 0, 0, microsecond, tzinfo=UTC), tick=False):
            made.append(ids.new_id())
    assert made == sorted(made)


@pytest.mark.parametrize(
    "text",
    [
        "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62",
        "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62@1",
        "DF91CB37-97BF-4CCD-A8C2-B2A3BA5EAC62@1",
        "{df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62}",
        "{df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62}@2",
        "df91cb3797bf4ccda8c2b2a3ba5eac62",
        "  df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62\n",
        GUID,
    ],
)
def test_a_guid_is_read_in_every_spelling_that_programs_use(text: object) -> None:
    assert ids.parse_guid(text) == GUID


@pytest.mark.parametrize(
    "text",
    [
        "",
        "df91cb37",
        "{df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62",
        "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62}",
        "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62@12",
        "df91cb37-97bf4ccda8c2-b2a3ba5eac62",
        "urn:uuid:df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62",
        "\N{FULLWIDTH DIGIT ONE}f91cb37-97bf-4ccd-a8c2-b2a3ba5eac62",
        "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62\0",
        None,
        17,
    ],
)
def test_anything_else_is_none(text: object) -> None:
    assert ids.parse_guid(text) is None


FIRST = datetime(1, 1, 2)  # noqa: DTZ001 (of any zone: half a day earlier is before the calendar in UTC)


@given(st.datetimes(FIRST, timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])))
def test_a_moment_survives_the_way_there_and_back_but_for_microseconds(moment: datetime) -> None:
    there_and_back = clock.from_epoch_ms(clock.epoch_ms(moment))
    assert timedelta(0) <= moment - there_and_back < timedelta(milliseconds=1)


@pytest.mark.parametrize("milliseconds", [10**15, -(10**15), 10**30, -(10**30)])
def test_a_number_beyond_the_calendar_is_a_value_error(milliseconds: int) -> None:
    with pytest.raises(ValueError, match="range"):
        clock.from_epoch_ms(milliseconds)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Depot North", "Depot  North"),
        ("depot north", "Depot\u00a0North"),
        ("Cafe\u0301 Pune", "Caf\u00e9 Pune"),
        ("Caf\u00e9 Pune", "Cafe\u0301 Pune"),
        ("\u0958\u093e\u0928\u0942\u0928", "\u0915\u093c\u093e\u0928\u0942\u0928"),
        ("Meera\u2019s shifts", "Meera's shifts"),
        ("Meera's shifts", "Meera\u2019s shifts"),
        ("\u201cNight\u201d shift", '"Night" shift'),
        ("North \u2014 South", "North -- South"),
        ("North - South", "North \u2013 South"),
        ("Wait...", "Wait\u2026"),
        ("\u0645\u0646\u0633\u0642", "\u200f\u0645\u0646\u0633\u0642"),
        ("Stars \u2b50", "Stars \u2b50\ufe0f"),
        ("Shift Planner", "Shift\u200b Planner"),
        ("STRASSE", "Stra\u00dfe"),
        ("\u200b", "\u200b"),
    ],
)
def test_what_looks_the_same_is_the_same_name(typed: str, name: str) -> None:
    assert is_same_name(typed, name)


@pytest.mark.parametrize(
    ("typed", "name"),
    [("", "Depot"), ("Depot", "Depot 2"), ("Depot North", "DepotNorth"), ("Cafe", "Caf\u00e9"), ("\u200b", "\u200c")],
)
def test_another_name_is_another_name(typed: str, name: str) -> None:
    assert not is_same_name(typed, name)
