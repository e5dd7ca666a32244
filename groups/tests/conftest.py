"""The cast of this app's tests: a group with its people, the developer's connector, and a program in the group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Organisation, Person, User
from accounts.tests.factories import make_person
from connectors.models import Connector
from connectors.permissions import PERMISSIONS
from groups.models import Group
from groups.tests import factories
from groups.tests.factories import Program


@pytest.fixture
def newcomer(organisation: Organisation) -> Person:
    """Somebody whose number has never been verified."""
    return make_person("Lakshmi Iyer")


@pytest.fixture
def group(organisation: Organisation, group_admin: User, member: User, newcomer: Person) -> Group:
    """A group of the organisation: one admin, one member who signed in once, one who never did."""
    return factories.make_group(organisation=organisation, admins=[group_admin], members=[member, newcomer])


@pytest.fixture
def public(organisation: Organisation, group_admin: User, member: User) -> Group:
    """A managed public group of the same people, with two subscribers."""
    hotel, park = make_person("Hotel Sagar", "+919820000041"), make_person("Green Park")
    return factories.make_public_group(
        organisation=organisation, admins=[group_admin], members=[member], subscribers=[hotel, park]
    )


@pytest.fixture
def connector(developer: User) -> Connector:
    """The developer's connector, which asks for everything."""
    return factories.make_connector(developer, name="Shift Planner", permissions=PERMISSIONS)


@pytest.fixture
def program(connector: Connector, group: Group, group_admin: User) -> Program:
    """The developer's program with a token for the group."""
    return factories.make_program(connector, group, group_admin)


class Wire:
    """Calls the Platform Service as a program does; the path as the program writes it."""

    def __init__(self) -> None:
        self.client = Client(raise_request_exception=True)

    def get(self, path: str, token: str | Program | None = None, **headers: str) -> Any:
        return self.client.get(path, headers=self._headers(token, headers))

    def post(self, path: str, body: str | bytes, token: str | Program | None = None, **headers: str) -> Any:
        return self._sent("POST", path, body, token, headers)

    def put(self, path: str, body: str | bytes, token: str | Program | None = None, **headers: str) -> Any:
        return self._sent("PUT", path, body, token, headers)

    def delete(self, path: str, token: str | Program | None = None, **headers: str) -> Any:
        return self.client.delete(path, headers=self._headers(token, headers))

    def _sent(
        self, method: str, path: str, body: str | bytes, token: str | Program | None, headers: dict[str, str]
    ) -> Any:
        return self.client.generic(
            method,
            path,
            data=body,
            content_type=headers.pop("content_type", "application/json"),
            headers=self._headers(token, headers),
        )

    @staticmethod
    def _headers(token: str | Program | None, headers: dict[str, str]) -> dict[str, str]:
        if token is None:
            return headers
        return {"accessToken": token.access_token if isinstance(token, Program) else token, **headers}


@pytest.fixture
def wire(db: None) -> Wire:
    """A program's HTTP client."""
    return Wire()


@pytest.fixture
def shelf(settings: Settings, tmp_path: Path) -> Path:
    """An empty folder in which this test's media is kept."""
    folder = tmp_path / "media"
    settings.STORAGES = {
        **settings.STORAGES,
        "media": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": folder}},
    }
    settings.MEDIA_INCOMING_DIR = tmp_path
    return folder


def refused(answer: Any, status: int, code: str, category: str = "AuthException") -> str:
    """Sees that the answer is an error of the protocol's form, and returns its message."""
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert sorted(body) == ["errorCategoryKey", "errorCode", "message"]
    assert (body["errorCode"], body["errorCategoryKey"]) == (code, category)
    assert answer["Content-Type"] == "application/json; charset=utf-8"
    return body["message"]


def invalid(answer: Any) -> str:
    """Sees that the answer is 400 and says what is wrong; returns its message."""
    return refused(answer, 400, "InvalidParameters", "ValidationException")


def not_found(answer: Any) -> str:
    """Sees that the answer is 404; returns its message."""
    return refused(answer, 404, "NotFound", "NotFoundException")
