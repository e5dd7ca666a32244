"""GET /v1/accessToken/warm: what a program without a refresh token calls."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from connectors.models import CachedToken
from connectors.services import token_cache
from connectors.tests.factories import Program

pytestmark = pytest.mark.django_db


def take(client: Client, program: Program, path: str = "/v1/accessToken/warm", **headers: str) -> Any:
    sent = {"applicationId": str(program.connector.pk), "applicationSecret": program.secret, **headers}
    return client.get(path, headers=sent)


@pytest.fixture
def cached(live_server: Any, settings: Settings, program: Program, developer: User) -> CachedToken:
    """A token of the program's grant is ready."""
    settings.TOKEN_SERVICE_URL = live_server.url
    kept = token_cache.enable(
        grant=program.grant, by=developer, secret=program.secret, refresh_token=program.refresh_token
    )
    token_cache.fetch(cached_token_id=kept.pk)
    kept.refresh_from_db()
    return kept


@pytest.mark.parametrize("path", ["/v1/accessToken/warm", "/V1/ACCESSTOKEN/Warm/", "/accessToken/warm"])
def test_it_answers_as_an_exchange_does(client: Client, program: Program, cached: CachedToken, path: str) -> None:
    answer = take(client, program, path)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"accessToken", "endpointUrl", "accessTokenExpiry", "refreshToken", "scope"}
    assert body["refreshToken"] == ""
    assert body["scope"] == cached.scope
    called = client.get("/v1/users/me", headers={"accessToken": body["accessToken"]})
    assert called.status_code != 401


def test_wrong_credentials_get_the_protocols_answer(client: Client, program: Program, cached: CachedToken) -> None:
    for headers in ({"applicationSecret": "wrong"}, {"applicationId": str(cached.grant_id)}):
        answer = take(client, program, **headers)
        assert answer.status_code == 401
        assert answer.json()["message"] == "Dont have correct applicationId and secret in header!"


def test_without_one_the_answer_is_a_404_with_the_three_fields(client: Client, program: Program) -> None:
    answer = take(client, program)
    assert answer.status_code == 404
    assert set(answer.json()) == {"message", "errorCode", "errorCategoryKey"}


def test_it_takes_no_other_method(client: Client, program: Program) -> None:
    assert client.post("/v1/accessToken/warm").status_code == 405


def test_it_costs_two_queries_and_no_write(
    client: Client, program: Program, cached: CachedToken, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):
        take(client, program)
