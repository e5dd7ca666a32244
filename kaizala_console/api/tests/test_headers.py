"""Credentials in headers."""

import pytest
from django.test import RequestFactory

from kaizala_console.api.errors import TokenMissing
from kaizala_console.api.headers import access_token, header


@pytest.mark.parametrize("name", ["accessToken", "ACCESSTOKEN", "Accesstoken", "accesstoken"])
def test_the_access_token_is_found_in_any_case_of_its_name(name: str) -> None:
    assert access_token(RequestFactory().get("/", headers={name: " abc "})) == "abc"


@pytest.mark.parametrize("value", ["Bearer abc", "bearer abc", "BEARER  abc "])
def test_a_bearer_token_is_accepted_too(value: str) -> None:
    assert access_token(RequestFactory().get("/", headers={"Authorization": value})) == "abc"


def test_the_protocols_own_header_goes_first() -> None:
    headers = {"Authorization": "Bearer second", "accessToken": "first"}
    assert access_token(RequestFactory().get("/", headers=headers)) == "first"


@pytest.mark.parametrize(
    "headers",
    [{}, {"accessToken": ""}, {"accessToken": "  "}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer"},
     {"Authorization": "Bearer  "}, {"Authorization": "abc"}, {"access-token": "abc"}],
)  # fmt: skip
def test_without_one_the_token_is_missing(headers: dict[str, str]) -> None:
    with pytest.raises(TokenMissing):
        access_token(RequestFactory().get("/", headers=headers))


def test_any_header_is_read_stripped_and_is_empty_when_absent() -> None:
    request = RequestFactory().get("/", headers={"applicationId": " x ", "X-Request-ID": "y"})
    assert header(request, "applicationId") == header(request, "ApplicationID") == "x"
    assert header(request, "x-request-id") == "y"
    assert header(request, "applicationSecret") == ""


@pytest.mark.parametrize("value", ["abc,abc", "abc, abc", " abc ,abc, abc "])
def test_a_header_said_twice_counts_once(value: str) -> None:
    request = RequestFactory().get("/", headers={"accessToken": value, "applicationId": value})
    assert access_token(request) == header(request, "applicationId") == "abc"


@pytest.mark.parametrize("value", ["abc, abd", "abc,", ",abc", ","])
def test_a_header_said_in_two_ways_stays_as_it_is(value: str) -> None:
    request = RequestFactory().get("/", headers={"accessToken": value, "applicationId": value})
    assert access_token(request) == header(request, "applicationId") == value
