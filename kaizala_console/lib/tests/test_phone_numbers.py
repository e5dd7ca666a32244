"""Telephone numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaizala_console.lib import phone_numbers
from kaizala_console.lib.errors import RuleBroken


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("+919876543210", None, "+919876543210"),
        (" +91 98765-43210 ", None, "+919876543210"),
        ("98765 43210", "IN", "+919876543210"),
        ("098765 43210", "IN", "+919876543210"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("+1 415 555 2671", "IN", "+14155552671"),
        ("\N{FULLWIDTH PLUS SIGN}91 98765 43210", None, "+919876543210"),
        ("+911099999999", None, "+911099999999"),  # of Kaizala's own samples: possible, though nobody has it
    ],
)
def test_a_number_is_read_as_people_write_it(text: str, region: str | None, expected: str) -> None:
    assert phone_numbers.parse(text, region) == expected


@pytest.mark.parametrize("number", ["+911099999999", "+91000000000"])  # of Microsoft's own pages
def test_a_number_that_no_operator_gave_out_is_good_for_the_wire_but_gets_no_sms(number: str) -> None:
    assert phone_numbers.parse(phone_numbers.parse(number)) == number
    with pytest.raises(RuleBroken, match="not in use"):
        phone_numbers.parse(number, must_be_valid=True)
    assert phone_numbers.parse("+919876543210", must_be_valid=True) == "+919876543210"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("   ", "Please enter a phone number"),
        (919876543210, "Please enter a phone number"),
        ("98765 43210", "country code"),
        ("+999 12345678", "country code"),
        ("+91 98765", "too few"),
        ("+1 415 555 26711", "too many"),
        ("+9", "country code|not a phone number"),
        ("+91 98765 432109876", "too many"),
        ("+" + "9" * 300, "too long"),
        ("call me", "not a phone number"),
        ("+91 98765 43210 ext. 7", "without an extension"),
        ("+1 555 2671", "area code"),
    ],
)
def test_what_is_no_number_gets_a_sentence_that_helps(text: object, says: str) -> None:
    with pytest.raises(RuleBroken, match=says) as caught:
        phone_numbers.parse(text)
    assert caught.value.code == "phone_number"
    assert "43210987" not in str(caught.value)


@given(st.text(max_size=80))
def test_no_text_raises_anything_but_a_broken_rule(text: str) -> None:
    try:
        number = phone_numbers.parse(text, "IN")
    except RuleBroken:
        return
    assert number.startswith("+")
    assert number.removeprefix("+").isdigit()
    assert phone_numbers.parse(number) == number


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+919876543210", "+91 ••••• ••210"),
        ("+911099999999", "+91 •••••••999"),
        ("+14155552671", "+1 •••-•••-•671"),
    ],
)
def test_a_masked_number_shows_its_country_and_three_digits(number: str, masked: str) -> None:
    assert phone_numbers.mask(number) == masked


@pytest.mark.parametrize("text", ["", "not a number", "+1", "12345"])
def test_masking_what_is_no_number_shows_at_most_three_digits(text: str) -> None:
    assert sum(character.isdigit() for character in phone_numbers.mask(text)) <= 3


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+919876543210", "+91 98765 43210"),
        ("unknown", "unknown"),
        ("+91000000000", "+91 000000000"),
        ("+91012345678", "+91 012345678"),
        ("+390612345678", "+39 06 1234 5678"),
    ],
)
def test_a_displayed_number_keeps_all_its_digits(number: str, shown: str) -> None:
    """The library takes a first zero for the trunk prefix of the country, and leaves it out."""
    assert phone_numbers.display(number) == shown


def test_the_country_of_a_number_is_known_by_prefix_and_region() -> None:
    assert phone_numbers.country_prefix("+919876543210") == "91"
    assert phone_numbers.country_prefix("+14165550100") == "1"
    assert phone_numbers.region("+919876543210") == "IN"
    assert phone_numbers.region("+911099999999") == "IN"
    assert phone_numbers.region("+14165550100") == "CA"
    assert phone_numbers.region("nonsense") == ""
    with pytest.raises(RuleBroken):
        phone_numbers.country_prefix("nonsense")


def test_the_picker_lists_every_country_once_in_the_order_of_the_readers_language() -> None:
    english = phone_numbers.countries("en")
    assert phone_numbers.Country("IN", "India", 91) in english
    assert len({country.region for country in english}) == len(english) > 200
    names = [country.name for country in english]
    assert names.index("Afghanistan") < names.index("Åland Islands") < names.index("Albania")
    assert phone_numbers.Country("IN", "भारत", 91) in phone_numbers.countries("hi")
    assert phone_numbers.Country("DE", "Deutschland", 49) in phone_numbers.countries("de-at")
    assert phone_numbers.countries("xx-unknown") == english
