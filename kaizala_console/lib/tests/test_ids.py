"""Identifiers."""

from datetime import UTC, datetime
from uuid import RFC_4122, UUID

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from kaizala_console.lib import ids

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
        "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62@",
        "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62@12",
        "df91cb37-97bf4ccda8c2-b2a3ba5eac62",
        "urn:uuid:df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62",
        "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac6g",
        "\N{FULLWIDTH DIGIT ONE}f91cb37-97bf-4ccd-a8c2-b2a3ba5eac62",
        "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62\0",
        None,
        17,
        ["df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62"],
    ],
)
def test_anything_else_is_none(text: object) -> None:
    assert ids.parse_guid(text) is None


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert ids.parse_guid(text) is None or isinstance(ids.parse_guid(text), UUID)


@given(st.uuids())
def test_every_uuid_is_read_back(uuid: UUID) -> None:
    assert ids.parse_guid(str(uuid)) == uuid
