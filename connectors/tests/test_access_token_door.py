"""GET /v1/accessToken as a program sees it: headers in any case, the answer to the letter, every refusal."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Organisation, User
from connectors.services import grants
from connectors.tests.factories import Program
from kaizala_console.lib import clock

pytestmark = pytest.mark.usefixtures("way")
PATH = "/v1/accessToken"


def get(headers: dict[str, str], path: str = PATH, **extra: Any) -> Any:
    return Client().get(path, headers=headers, **extra)


def error(response: Any, status: int, code: str, category: str = "AuthException") -> str:
    """The message, of an error body that has the three fields and no other."""
    assert response.status_code == status
    assert response["Content-Type"] == "application/json; charset=utf-8"
    body = response.json()
    assert set(body) == {"message", "errorCode", "errorCategoryKey"}
    assert (body["errorCode"], body["errorCategoryKey"]) == (code, category)
    message: str = body["message"]
    return message


def test_the_answer_has_exactly_the_five_fields(program: Program, travel: Callable[..., dt.datetime]) -> None:
    now = travel()
    response = get(program.headers())
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response["Cache-Control"] == "no-store"
    body = json.loads(response.content)
    assert set(body) == {"accessToken", "endpointUrl", "accessTokenExpiry", "refreshToken", "scope"}
    assert body["accessTokenExpiry"] == clock.epoch_ms(now + dt.timedelta(hours=24))
    assert body["refreshToken"] == ""
    assert body["scope"].split(",")[0] == "groupinfo.read"
    assert " " not in body["scope"]
    assert not body["endpointUrl"].endswith("/")
    assert body["accessToken"].startswith("kzat_")
    travel(days=328, minutes=1)
    assert get(program.headers()).json()["refreshToken"].startswith("kzrt_")


@pytest.mark.parametrize("spelling", [str.upper, str.lower, str.title])
@pytest.mark.parametrize(
    "path", ["/v1/accessToken/", "//v1//accessToken", "/v1/ACCESSTOKEN", "/V1/accesstoken", "/accessToken"]
)
def test_paths_and_header_names_may_be_spelled_as_old_programs_do(
    program: Program, path: str, spelling: Callable[[str], str]
) -> None:
    headers = {spelling(name): f" {value} " for name, value in program.headers().items()}
    assert get(headers, path).status_code == 200


@pytest.mark.parametrize("missing", ["applicationId", "applicationSecret"])
def test_without_id_or_secret_the_protocols_very_words_are_the_answer(program: Program, missing: str) -> None:
    headers = program.headers()
    del headers[missing]
    said = error(get(headers), 401, "Unauthenticated")
    assert said == "Dont have correct applicationId and secret in header!"
    assert error(get(program.headers(**{missing: "wrong"})), 401, "Unauthenticated") == said
    assert error(get({}), 401, "Unauthenticated") == said


def test_a_refused_refresh_token_is_told_why_in_plain_words(program: Program, group_admin: User) -> None:
    def said(**other: str) -> str:
        return error(get(program.headers(**other)), 401, "InvalidToken")

    headers = program.headers()
    del headers["refreshToken"]
    assert error(get(headers), 401, "InvalidToken") == "Refresh token unknown: the header refreshToken is missing."
    assert said(refreshToken=program.refresh_token + "x").startswith("Refresh token unknown: ")
    grants.revoke(grant=program.grant, by=group_admin)
    assert said().startswith("Refresh token revoked: the connector's access was removed on ")
    assert program.refresh_token not in said()


def test_other_methods_are_refused_with_what_is_allowed(program: Program) -> None:
    response = Client().post(PATH, headers=program.headers())
    error(response, 405, "MethodNotAllowed", "ValidationException")
    assert "GET" in response["Allow"]


def test_an_organisation_that_has_moved_sends_its_programs_on(program: Program) -> None:
    Organisation.objects.update(moved_to="https://new.example/")
    response = get(program.headers())
    assert response.status_code == 308
    assert response["Location"] == "https://new.example/v1/accessToken"
    assert error(get(program.headers(applicationSecret="x")), 401, "Unauthenticated")


@pytest.mark.parametrize("way", ["ordinary"], indirect=True)
def test_the_address_of_the_first_use_is_the_programs(program: Program) -> None:
    get(program.headers(), REMOTE_ADDR="198.51.100.9")
    token = program.grant.refresh_tokens.get()
    assert token.first_used_from == "198.51.100.9"


def test_strange_bytes_in_headers_are_refused_like_anything_wrong(program: Program) -> None:
    for value in ("\xff\xfe", "% 00", "'; DROP TABLE", "💥".encode().decode("latin-1")):
        for name in program.headers():
            assert get(program.headers(**{name: value})).status_code == 401
