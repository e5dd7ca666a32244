"""Shapes of bodies and query strings."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from kaizala_console.api.errors import InvalidParameters
from kaizala_console.api.fields import ApiEnum, Body, Count, EpochMs, Pin, Text
from kaizala_console.api.tests.sample_urls import Listing, Property, PropertyType, SendMessage
from kaizala_console.lib import clock


class GroupType(ApiEnum):
    GROUP = "Group"
    CONNECT_GROUP = "ConnectGroup"


class Everything(Body):
    text: Text = "x"
    count: Count = 0
    flag: bool = False
    number: float = 0.0
    kind: GroupType = GroupType.GROUP
    moment: EpochMs = datetime(1970, 1, 1, tzinfo=UTC)
    pin: Pin = "0"


def refusal(value: Any, shape: type[Body] = Everything) -> str:
    with pytest.raises(InvalidParameters) as caught:
        shape.parse(value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["groupName", "GroupName", "groupname", "name", "NAME"])
def test_every_declared_name_matches_in_any_case(name: str) -> None:
    assert SendMessage.parse({"message": "Hello", name: "Team"}).group_name == "Team"


@pytest.mark.parametrize(
    ("body", "message", "group_name"),
    [
        ({"message": "a", "Message": "b"}, "b", ""),
        ({"message": "a", "Message": None}, "a", ""),
        ({"message": "a", "name": "x", "groupName": "y"}, "a", "y"),
        ({"message": "a", "groupName": "y", "name": "x"}, "a", "x"),
        ({"message": "a", "unknown": {"a": []}, "": 1, "group_name": "the name in Python"}, "a", ""),
    ],
)
def test_of_several_names_for_one_thing_the_last_that_says_something_wins(
    body: dict[str, Any], message: str, group_name: str
) -> None:
    read = SendMessage.parse(body)
    assert (read.message, read.group_name) == (message, group_name)


def test_objects_inside_are_read_the_same_way() -> None:
    body = SendMessage.parse(
        {"message": "x", "properties": [{"NAME": "a", "TYPE": "numeric"}, {"Name": "b", "type": 2}]}
    )
    assert [(p.name, p.type) for p in body.properties] == [("a", PropertyType.NUMERIC), ("b", PropertyType.LOCATION)]


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("flag", "True", True),
        ("flag", "false", False),
        ("flag", 1, True),
        ("count", "17", 17),
        ("count", 17.0, 17),
        ("text", 17, "17"),
        ("text", 1.5, "1.5"),
        ("kind", "connectgroup", GroupType.CONNECT_GROUP),
        ("kind", " GROUP ", GroupType.GROUP),
        ("moment", 1518481686294, clock.from_epoch_ms(1518481686294)),
        ("moment", 1518481686294.7568, clock.from_epoch_ms(1518481686294)),  # time.time() * 1000
        ("moment", "1518481686294.7568", clock.from_epoch_ms(1518481686294)),
        ("moment", "1.7642304e+12", clock.from_epoch_ms(1764230400000)),
        ("moment", "1.7642304E12", clock.from_epoch_ms(1764230400000)),
        ("moment", "6.240531727775436e-05", clock.from_epoch_ms(0)),
        ("moment", "0.1234567890123456789", clock.from_epoch_ms(0)),
        ("moment", 6.24e-05, clock.from_epoch_ms(0)),
        ("moment", "-62135596800000", clock.from_epoch_ms(-62135596800000)),
        ("pin", "012345", "012345"),
        ("pin", 12345, "012345"),
        ("pin", " 123456 ", "123456"),
    ],
)
def test_a_value_is_read_in_every_spelling_that_programs_use(name: str, value: Any, read: Any) -> None:
    assert getattr(Everything.parse({name: value}), name) == read


@pytest.mark.parametrize("name", ["text", "count", "flag", "kind", "moment", "pin"])
def test_null_is_not_given(name: str) -> None:
    assert Everything.parse({name: None}) == Everything.parse(None) == Everything()


def test_numbered_enumerations_match_by_number_too() -> None:
    text, numeric, location = PropertyType
    by: Any = PropertyType  # called with a number, which the type of an enumeration of text does not foresee
    assert [by(value) for value in (0, "1", 2, "TEXT", "numeric")] == [text, numeric, location, text, numeric]


@pytest.mark.parametrize("value", [-1, 3, "3", 1.5, True, "\N{ARABIC-INDIC DIGIT ONE}x", "99999999999", [], {}])
def test_a_number_that_stands_for_nothing_is_refused(value: Any) -> None:
    assert "type: expected one of 'Text', 'Numeric' or 'Location'" in refusal({"name": "x", "type": value}, Property)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"message": ""}, "message must not be empty."),
        ({"message": " \n"}, "message must not be empty."),
        ({"message": "x" * 4001}, "message: expected at most 4000 characters."),
        ({}, "message is missing."),
        ({"message": ["x"]}, "message: expected text."),
        ({"message": True}, "message: expected text."),
        ({"message": "x", "sendToAllSubscribers": "perhaps"}, "sendToAllSubscribers: expected true or false."),
        ({"message": "x", "subscribers": "+91"}, "subscribers: expected a list."),
        ({"message": "x", "subscribers": ["a", []]}, "subscribers[1]: expected text."),
        ({"message": "x", "subscribers": ["a", None]}, "subscribers[1]: expected text."),
        ({"message": "x", "subscribers": list("abcd")}, "subscribers: expected at most 3 entries."),
        ({"message": "x", "properties": [{}]}, "properties[0].name is missing."),
        ({"message": "x", "properties": ["a"]}, "properties[0]: expected an object."),
        ({"message": "x", "name": 1, "validity": "soon"}, "validity: expected milliseconds since 1970."),
        ({"message": "x", "validity": 10**18}, "validity: expected milliseconds since 1970."),
        ({"message": "x", "validity": True}, "validity: expected milliseconds since 1970."),
        *(
            ({"message": "x", "validity": wrong}, "validity: expected milliseconds since 1970.")
            for wrong in ("1e999", "1e15", "-1e14", "nan", "inf", "1e", "1.5.5", "1e5e5", "0x10", "1" * 41)
        ),
        ({"message": "x", "pin": "12 34"}, "pin: expected the digits of a PIN."),
        ({"message": "x", "pin": -1}, "pin: expected the digits of a PIN."),
    ],
)
def test_a_refusal_names_the_field_as_the_protocol_spells_it_and_what_was_expected(body: Any, says: str) -> None:
    assert refusal(body, SendMessage) == says


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"count": -1}, "count: expected at least 0."),
        ({"count": 2**31}, "count: expected at most 2147483647."),
        ({"count": 2**63 - 1}, "count: expected at most 2147483647."),
        ({"count": 1.5}, "count: expected a whole number."),
        ({"count": "many"}, "count: expected a whole number."),
        ({"count": "9" * 5000}, "count: expected a smaller number."),
        ({"number": "x"}, "number: expected a number."),
        ({"kind": "club"}, "kind: expected one of 'Group' or 'ConnectGroup'."),
    ],
)
def test_numbers_and_choices_are_bounded(body: Any, says: str) -> None:
    assert refusal(body) == says


def test_a_refusal_never_repeats_what_was_sent() -> None:
    secret = "J7Q2K9ZX1B"
    for name in ("text", "count", "flag", "number", "kind", "moment", "pin"):
        for value in (secret, [secret], {secret: secret}):
            said = outcome(Everything, {name: value})
            assert not isinstance(said, InvalidParameters) or secret not in f"{said} {said!r} {said.__cause__!r}"


def outcome(shape: type[Body], value: Any) -> Body | InvalidParameters:
    try:
        return shape.parse(value)
    except InvalidParameters as problem:
        return problem


@given(st.dictionaries(st.sampled_from(["text", "count", "flag", "number", "kind", "moment", "pin", "name"]),
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
                 lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)))  # fmt: skip
def test_no_value_raises_anything_else(body: dict[str, Any]) -> None:
    for shape in (Everything, SendMessage, Property):
        said = outcome(shape, body)
        assert not isinstance(said, InvalidParameters) or said.field


@pytest.mark.parametrize(
    ("query", "show", "count"),
    [
        ("", False, 30),
        ("showDetails=true&count=5", True, 5),
        ("ShowDetail=True&COUNT=5", True, 5),
        ("showdetails=1", True, 30),
        ("showDetails=&count=", False, 30),
        ("count=4&count=5&unknown=x", False, 5),
        ("showDetails=false", False, 30),
    ],
)
def test_a_query_string_is_read_as_leniently(query: str, show: bool, count: int) -> None:
    listing = Listing.parse(QueryDict(query))
    assert (listing.show_details, listing.count) == (show, count)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("count=51", "count: expected at most 50."),
        ("count=x", "count: expected a whole number."),
        ("showDetail=x", "showDetails: expected true or false."),
        ("cursor=%00", "A parameter holds a NUL character, which is not allowed in text."),
    ],
)
def test_a_query_string_that_does_not_fit_is_refused(query: str, says: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        Listing.parse(QueryDict(query))
    assert str(caught.value) == says
