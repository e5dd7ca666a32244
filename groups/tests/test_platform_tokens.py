"""Every endpoint, with every token that must be refused; and revocation on the very next request."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from connectors.models import Connector
from connectors.permissions import Permission
from connectors.services import connectors
from connectors.services import grants as connector_grants
from groups.models import Group, Message
from groups.services import connectors as grants
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_in

ENDPOINTS = {
    "GET /v1/groups": None,
    "GET /v1/groups/{}": None,
    "GET /v1/groups/{}/members": None,
    "POST /v1/groups/{}/messages": '{"message": "Hello"}',
    "GET /v1/users/me": None,
}
INVALID = "Invalid token. Failure reason:Token validation failed due to unknown reason!"


def called(wire: Wire, endpoint: str, group: Group, token: Any) -> Any:
    method, path = endpoint.split(" ")
    path = path.format(group.pk)
    body = ENDPOINTS[endpoint]
    return wire.get(path, token) if method == "GET" else wire.post(path, body or "", token)


@pytest.fixture(params=ENDPOINTS)
def endpoint(request: pytest.FixtureRequest) -> str:
    """Each endpoint in turn."""
    return request.param


def test_every_endpoint_works_with_a_token_for_the_group(
    wire: Wire, endpoint: str, program: Program, group: Group
) -> None:
    assert called(wire, endpoint, group, program).status_code == 200


def test_no_token(wire: Wire, endpoint: str, group: Group) -> None:
    message = refused(called(wire, endpoint, group, None), 401, "InvalidToken")
    assert message == "Token missing. Header should have token as value of ACCESSTOKEN"


@pytest.mark.parametrize("token", ["x", "kzat_AAAA", "Bearer", "é", "' OR 1=1 --", "A" * 5000])
def test_a_token_that_is_none(wire: Wire, endpoint: str, group: Group, token: str) -> None:
    assert INVALID in refused(called(wire, endpoint, group, token), 401, "InvalidToken")


def test_a_token_with_one_character_changed(wire: Wire, endpoint: str, program: Program, group: Group) -> None:
    for place in (8, 40, -2):
        text = list(program.access_token)
        text[place] = "A" if text[place] != "A" else "B"
        assert INVALID in refused(called(wire, endpoint, group, "".join(text)), 401, "InvalidToken")


def test_a_token_after_its_24_hours(
    wire: Wire, endpoint: str, travel: Callable[..., dt.datetime], program: Program, group: Group
) -> None:
    travel(hours=23, minutes=59)
    assert called(wire, endpoint, group, program).status_code == 200
    travel(minutes=2)
    assert INVALID in refused(called(wire, endpoint, group, program), 401, "InvalidToken")


ENDS: dict[str, Callable[[Program, Group, User], Any]] = {
    "removed from the group": lambda program, group, admin: grants.remove_connector(
        group=group, grant=program.grant, by=admin
    ),
    "the grant suspended": lambda program, group, admin: connector_grants.suspend(grant=program.grant, by=admin),
    "the token regenerated": lambda program, group, admin: connector_grants.regenerate(grant=program.grant, by=admin),
    "the connector suspended": lambda program, group, admin: connectors.suspend(
        connector=program.connector, by=program.connector.owner
    ),
    "the connector deleted": lambda program, group, admin: connectors.delete(
        connector=program.connector, by=program.connector.owner
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_a_token_ends_it_on_the_next_request(
    wire: Wire, endpoint: str, end: str, program: Program, group: Group, group_admin: User
) -> None:
    assert called(wire, endpoint, group, program).status_code == 200
    posted = Message.objects.count()
    ENDS[end](program, group, group_admin)
    assert INVALID in refused(called(wire, endpoint, group, program), 401, "InvalidToken")
    assert Message.objects.count() == posted


def test_a_suspended_grant_works_again_when_it_is_resumed(
    wire: Wire, endpoint: str, program: Program, group: Group, group_admin: User
) -> None:
    connector_grants.suspend(grant=program.grant, by=group_admin)
    connector_grants.resume(grant=program.grant, by=group_admin)
    assert called(wire, endpoint, group, program).status_code == 200


def test_deactivating_a_connector_ends_nothing(wire: Wire, endpoint: str, program: Program, group: Group) -> None:
    connectors.deactivate(connector=program.connector, by=program.connector.owner)
    assert called(wire, endpoint, group, program).status_code == 200


def test_a_grant_ends_on_its_end_date(
    wire: Wire,
    endpoint: str,
    travel: Callable[..., dt.datetime],
    connector: Connector,
    group: Group,
    group_admin: User,
) -> None:
    program = let_in(connector, group, group_admin, ends_at=travel(hours=0) + dt.timedelta(hours=2))
    assert called(wire, endpoint, group, program).status_code == 200
    travel(hours=3)
    assert INVALID in refused(called(wire, endpoint, group, program), 401, "InvalidToken")


NEEDED = {
    "GET /v1/groups": Permission.GROUP_INFORMATION,
    "GET /v1/groups/{}": Permission.GROUP_INFORMATION,
    "GET /v1/groups/{}/members": Permission.GROUP_MEMBER_LIST,
    "POST /v1/groups/{}/messages": Permission.TEXT_MESSAGE,
    "GET /v1/users/me": Permission.USER_PROFILE,
}


def test_each_endpoint_asks_for_its_permission_and_for_no_other(
    wire: Wire, endpoint: str, connector: Connector, group: Group, group_admin: User
) -> None:
    needed = NEEDED[endpoint]
    with_all_others = let_in(connector, group, group_admin, permissions=set(connector.permissions) - {needed})
    refused(called(wire, endpoint, group, with_all_others), 403, "Unauthorized")
    grants.remove_connector(group=group, grant=with_all_others.grant, by=group_admin)
    with_it_alone = let_in(connector, group, group_admin, permissions=[needed])
    assert called(wire, endpoint, group, with_it_alone).status_code == 200


def test_a_method_that_is_not_there(wire: Wire, endpoint: str, program: Program, group: Group) -> None:
    path = endpoint.split(" ")[1].format(group.pk)
    answer = wire.client.delete(path, headers={"accessToken": program.access_token})
    refused(answer, 405, "MethodNotAllowed", "ValidationException")
    assert endpoint.split(" ")[0] in answer["Allow"]


def test_any_origin_may_read_the_answers(wire: Wire, endpoint: str, program: Program, group: Group) -> None:
    for token in (program, None):
        answer = called(wire, endpoint, group, token)
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer
