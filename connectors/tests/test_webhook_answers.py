"""What is kept of a receiver's answer, and what a receiver's wish to be left alone is worth. No network."""

from __future__ import annotations

import datetime as dt
from random import Random

import pytest
from requests.structures import CaseInsensitiveDict

from connectors import token_format
from connectors.webhooks import delivery, schedule
from connectors.webhooks.delivery import KeptResponse

pytestmark = pytest.mark.once

NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)
TOKEN = "their-token-J7Q2K9"


def kept(body: bytes, *, is_whole: bool = True, **headers: str) -> KeptResponse:
    named = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()})
    return delivery.keep_response(named, body, is_whole=is_whole, secrets=[TOKEN])


# The body ------------------------------------------------------------------------------------------------------


def test_a_short_text_is_kept_whole() -> None:
    assert kept("धन्यवाद ☔".encode()) == KeptResponse({}, "text", "धन्यवाद ☔")


def test_of_a_long_text_the_first_two_thousand_characters_are_kept() -> None:
    found = kept("ध".encode() * 2001)
    assert (found.body, found.text) == ("cut", "ध" * 2000)
    assert kept("ध".encode() * 2000) == KeptResponse({}, "text", "ध" * 2000)


def test_a_text_that_broke_off_says_so_and_a_character_cut_in_two_is_left_out() -> None:
    assert kept("Rain ☔".encode()[:-1], is_whole=False) == KeptResponse({}, "cut", "Rain ")


@pytest.mark.parametrize(
    "body", [b"\x89PNG\r\n\x1a\n\0\0", b"\xff\xfe\xfd", b"text with a \0 in it", b"\x01\x02\x03\x04 abc"]
)
def test_what_is_no_text_is_not_kept(body: bytes) -> None:
    assert kept(body, Content_Type="text/plain; charset=utf-8") == KeptResponse(
        {"Content-Type": "text/plain; charset=utf-8"}, "binary"
    )


def test_what_came_compressed_although_nobody_asked_for_it_is_not_unpacked() -> None:
    assert kept(b"plain it may be", Content_Encoding="gzip").body == "binary"
    assert kept(b"plain", Content_Encoding="identity").body == "text"


def test_a_name_of_an_encoding_that_is_dangerous_is_not_followed() -> None:
    assert kept(b"\xff" * 2000, Content_Type="text/plain; charset=punycode").body == "binary"


def test_nothing_in_a_text_acts_upon_a_screen() -> None:
    text = "a\x1b[31mred\x07\x7f\x85\u202eevil\u2066\u200b\ufeff\U000e0041\u2028b\r\nc\rd\te"
    shown = kept(text.encode() + b"." * 100).text
    assert shown.startswith("a␛[31mred␇␡��evil�����b\nc\nd\te")
    assert not set(shown) & {"\x1b", "\x07", "\x7f", "\x85", "\u202e", "\u2066", "\u2028", "\r"}


def test_our_own_credentials_and_their_token_are_taken_out() -> None:
    secret = token_format.generate(token_format.CredentialKind.SECRET).token
    found = kept(f"<b>{TOKEN}</b> {secret}".encode(), Location=f"https://x.example/?t={TOKEN}", Server="nginx")
    assert found.text == "<b>…</b> …"
    assert found.headers == {"Location": "https://x.example/?t=…", "Server": "nginx"}


def test_a_token_that_the_bound_would_cut_in_two_leaves_no_half() -> None:
    body = ("x" * 1990 + TOKEN).encode()
    assert kept(body).text == "x" * 1990 + "…"


def test_a_token_too_short_to_be_one_is_left_in_the_text() -> None:
    assert delivery.keep_response({}, b"a cat", is_whole=True, secrets=["a", ""]).text == "a cat"


# Headers -------------------------------------------------------------------------------------------------------


def test_only_headers_that_help_are_kept_bounded_and_harmless() -> None:
    found = kept(b"", content_type="text/html", Set_Cookie="session=1", X_Other="y", Server="a\x1b\tb" + "c" * 1000)
    assert sorted(found.headers) == ["Content-Type", "Server"]
    assert found.headers["Server"].startswith("a␛\tbccc")
    assert len(found.headers["Server"]) == delivery.MOST_HEADER_CHARACTERS


def test_chance_finds_no_body_that_cannot_be_kept() -> None:
    dice = Random(7)  # noqa: S311 - a chance that can be repeated, not a secret
    for _ in range(300):
        found = kept(dice.randbytes(dice.randrange(200)), is_whole=dice.random() < 0.5)
        assert found.body in {"", "empty", "text", "cut", "binary"}
        assert not found.text or found.body in {"text", "cut"}
        found.text.encode()


# Retry-After ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "value", "seconds"),
    [
        (429, "120", 120),
        (503, " 3600 ", 3600),
        (503, "Thu, 26 Nov 2026 12:30:00 GMT", 1800),
        (503, "Thursday, 26-Nov-26 12:30:00 GMT", 1800),
        (503, "Thu Nov 26 12:30:00 2026", 1800),
        (503, "172800", 172800),
    ],
)
def test_a_receiver_says_when_it_wants_to_be_asked_again(status: int, value: str, seconds: int) -> None:
    assert delivery.get_retry_after(status, CaseInsensitiveDict({"retry-after": value}), NOW) == dt.timedelta(
        seconds=seconds
    )


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "-5",
        "1.5",
        "soon",
        "120, 60",
        "172801",
        "1764158400",
        "9" * 400,
        "१२०",
        "Wed, 25 Nov 2026 12:30:00 GMT",
        "Fri, 31 Feb 2027 12:30:00 GMT",
        "Fri, 01 Jan 9999 00:00:00 GMT",
        "2026-11-26T12:30:00Z",
    ],
)
def test_what_says_nothing_of_use_is_ignored(value: str) -> None:
    assert delivery.get_retry_after(503, {"Retry-After": value}, NOW) is None


@pytest.mark.parametrize("status", [200, 301, 404, 500, 502])
def test_only_429_and_503_ask_to_wait(status: int) -> None:
    assert delivery.get_retry_after(status, {"Retry-After": "120"}, NOW) is None


def test_a_clock_that_is_a_year_off_asks_for_what_it_means() -> None:
    headers = {"Date": "Mon, 01 Nov 2027 00:00:00 GMT", "Retry-After": "Mon, 01 Nov 2027 00:10:00 GMT"}
    assert delivery.get_retry_after(503, headers, NOW) == dt.timedelta(minutes=10)


# What becomes of the wish --------------------------------------------------------------------------------------


def pause(tries: int, asked: dt.timedelta | None, *, since: dt.timedelta = dt.timedelta()) -> dt.timedelta | None:
    return schedule.get_pause_until_next(tries, NOW - since, NOW, asked, Random(1))  # noqa: S311 - as above


def test_it_is_followed_when_it_is_later_than_ours() -> None:
    hour = dt.timedelta(hours=1)
    asked = pause(1, hour)
    assert asked is not None
    assert hour <= asked <= hour * 1.05
    assert pause(1, dt.timedelta(seconds=1)) == pause(1, None)


def test_it_never_leads_beyond_the_two_days_nor_to_a_seventh_try() -> None:
    last = schedule.SPAN - schedule.LAST_CALL
    assert pause(1, schedule.SPAN) == last
    assert pause(2, schedule.SPAN, since=dt.timedelta(hours=40)) == last - dt.timedelta(hours=40)
    assert pause(2, None, since=last) is None
    assert pause(schedule.TRIES, dt.timedelta(hours=1)) is None


def test_no_body_and_one_that_did_not_come_are_not_the_same() -> None:
    assert kept(b"") == KeptResponse({}, "empty")
    assert kept(b"", is_whole=False) == KeptResponse({}, "")


def test_old_western_pages_are_read_when_they_say_so() -> None:
    page = "Größe".encode("windows-1252")
    assert kept(page).body == "binary"
    assert kept(page, Content_Type="text/html; charset=ISO-8859-1").text == "Größe"


def test_joined_letters_of_hindi_and_families_of_emoji_stay_as_they_are() -> None:
    text = "क्\u200dष न\u200cम 👩\u200d👧"
    assert kept(text.encode()).text == text
