"""The console as a client of the Token Service: it reads what the protocol says, and tells an outage from a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from connectors.services import token_cache
from connectors.services.token_cache import CredentialsRefused, TokenServiceUnavailable
from connectors.tests.answering_server import Answering, answering

GOOD = {"accessToken": "a", "endpointUrl": "x", "accessTokenExpiry": 1518481686294, "refreshToken": "", "scope": "s"}


@pytest.fixture
def service(settings: Settings) -> Iterator[Answering]:
    with answering() as (what, address):
        settings.TOKEN_SERVICE_URL = address
        yield what


def fetch() -> token_cache.FetchedToken:
    return token_cache.request_token(connector_id="c1", secret="kzcs_x", refresh_token="kzrt_y")


def test_it_sends_the_three_headers_and_reads_the_answer(service: Answering) -> None:
    service.says(200, GOOD | {"refreshToken": "kzrt_next"})
    fetched = fetch()
    assert (fetched.access_token, fetched.scope, fetched.successor) == ("a", "s", "kzrt_next")
    assert fetched.expires_at.isoformat() == "2018-02-13T00:28:06.294000+00:00"
    (asked,) = service.asked
    assert asked["path"] == "/v1/accessToken"
    assert (asked["applicationId"], asked["applicationSecret"], asked["refreshToken"]) == ("c1", "kzcs_x", "kzrt_y")


def test_a_401_is_a_refusal_in_the_services_own_words(service: Answering) -> None:
    service.says(401, {"message": "Refresh token expired on Monday."})
    with pytest.raises(CredentialsRefused, match="expired on Monday"):
        fetch()


@pytest.mark.parametrize(
    ("status", "body", "is_down"),
    [(500, "", True), (503, "<html>", True), (302, "", False), (308, "", False), (404, "{}", False), (200, "[]", False),
     (200, "nonsense", False), (200, {**GOOD, "accessTokenExpiry": "soon"}, False), (200, {"accessToken": "a"}, False)],
)  # fmt: skip
def test_everything_else_says_nothing_about_the_credentials(
    service: Answering, status: int, body: Any, is_down: bool
) -> None:
    service.says(status, body, Location="https://elsewhere.example/v1/accessToken")
    with pytest.raises(TokenServiceUnavailable) as caught:
        fetch()
    assert caught.value.is_down is is_down
    assert len(service.asked) == 1  # a redirect would carry the credentials elsewhere
    assert "kzcs_x" not in repr(caught.value)


def test_it_waits_as_long_as_it_is_asked_to(service: Answering) -> None:
    service.says(429, {}, Retry_After="17")
    with pytest.raises(TokenServiceUnavailable) as caught:
        fetch()
    assert (caught.value.retry_after, caught.value.is_down) == (17, False)


def test_a_service_that_is_not_there_is_down(settings: Settings) -> None:
    with answering() as (_what, address):
        settings.TOKEN_SERVICE_URL = address
    with pytest.raises(TokenServiceUnavailable, match="cannot be reached") as caught:
        fetch()
    assert caught.value.is_down
    assert "kzcs_x" not in repr(caught.value)


def test_no_proxy_of_the_environment_is_asked(service: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    service.says(200, GOOD)
    assert fetch().access_token == "a"
