"""The cast of this app's tests: a group with its people, the developer's connector, and a program in the group."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Organisation, Person, User
from accounts.tests.factories import make_person
from connectors.models import AccessRequest, Connector
from connectors.permissions import PERMISSIONS, Permission
from connectors.services import access_requests
from connectors.services.grants import Granted
from groups import access
from groups.models import Group
from groups.services import connectors
from groups.tests import factories
from groups.tests.factories import Program

Browser = Callable[..., Client]


@pytest.fixture
def who(request: pytest.FixtureRequest) -> User:
    """Somebody of the cast: `@pytest.mark.parametrize("who", ["member", "stranger"], indirect=True)`."""
    user: User = request.getfixturevalue(request.param)
    return user


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


@pytest.fixture
def members(connector: Connector, group: Group, member: User) -> Program:
    """The developer's program with a token of the member."""
    return factories.let_act_for(connector, member)


@pytest.fixture
def ask(connector: Connector, developer: User) -> Callable[..., AccessRequest]:
    """`ask(group)`: the developer asks to post messages and to read members; by link unless a group is named."""

    def ask(group: Group | None = None, **options: Any) -> AccessRequest:
        wanted = {
            "permissions": [Permission.TEXT_MESSAGE, Permission.GROUP_MEMBER_LIST],
            "once": access_requests.new_once(),
            "target": access.get_target(group) if group else "",
            "reason": "Tells shifts.",
        }
        return access_requests.ask(connector=connector, by=developer, **{**wanted, **options})

    return ask


@pytest.fixture
def granted(group: Group, connector: Connector, group_admin: User) -> Granted:
    """The connector in the group, its token sealed and waiting."""
    return connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin)


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    """The browser of the group's admin, who has just confirmed."""
    return browser_of(group_admin)


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


@pytest.fixture
def many(developer: User) -> list[Connector]:
    """120 connectors of the developer, "Planner 000" to "Planner 119"."""
    return Connector.objects.bulk_create(
        Connector(
            organisation=developer.organisation,
            owner=developer,
            name=f"Planner {number:03}",
            permissions=frozenset({Permission.TEXT_MESSAGE}),
        )
        for number in range(120)
    )
