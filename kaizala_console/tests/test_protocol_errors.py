"""The protocol's table of errors (§3), held against every route and method of the wire: what is new comes in by itself.

Each test is a row of the table; it goes through all operations, and names those that answer otherwise.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from connectors.models import Grant
from connectors.permissions import DESCRIPTIONS, PERMISSION_OF, Permission
from groups.models import Group
from groups.tests.factories import Program, let_in, make_connector
from kaizala_console.api.endpoint import Resource
from kaizala_console.api.routing import get_routes
from kaizala_console.lib import clock
from kaizala_console.tests.protocol import (
    ALL,
    BROKEN,
    GUARDED,
    INVALID_TOKEN,
    METHODS,
    MISSING,
    OPEN,
    OVER,
    READING,
    RENEW,
    Row,
    all_as_expected,
    send,
    wrong,
)

pytestmark = pytest.mark.django_db


def test_no_access_token_counts_before_everything_else_that_is_wrong() -> None:
    all_as_expected(GUARDED, lambda row: wrong(send(row, row.path(), body=OVER), *INVALID_TOKEN, MISSING))


@pytest.mark.parametrize(
    "token",
    ["x", "null", "undefined", "eyJhbGciOiJIUzI1NiJ9.e30.x", "kza_" + "a" * 9000, "ü", "a b", "'; --"],
    ids=repr,
)
def test_a_malformed_access_token(token: str) -> None:
    all_as_expected(GUARDED, lambda row: wrong(send(row, row.path(), token), *INVALID_TOKEN, RENEW))


def test_the_access_token_of_a_grant_that_was_revoked(program: Program, group: Group) -> None:
    Grant.objects.update(revoked_at=clock.now())
    there = {"group_id": str(group.pk)}
    all_as_expected(
        GUARDED, lambda row: wrong(send(row, row.path(**there), program.access_token), *INVALID_TOKEN, RENEW)
    )


def test_no_credentials_where_no_token_is_asked_for() -> None:
    """Everybody may read the description; a report needs no more than what was found."""
    guarded = [row for row in OPEN if row.operation.credentials]
    all_as_expected(guarded, lambda row: wrong(send(row, row.path()), 401, "Unauthenticated", "AuthException"))


def test_a_connector_that_does_not_exist() -> None:
    known = {row.route: row for row in OPEN}
    for route in ("v1/loginWithPinAndApplicationId", "api/oauth/token"):
        answer = send(known[route], f"/{route}", body=known[route].body())
        assert not wrong(answer, 401, "Unauthenticated", "AuthException", "Dont have correct applicationId and secret")


# Reach and permission ------------------------------------------------------------------------------------------


def test_a_strangers_token_gets_the_same_answer_whether_or_not_the_group_exists(strange: Program, group: Group) -> None:
    def ask(row: Row) -> str:
        there = send(row, row.path(group_id=str(group.pk)), strange.access_token, row.body())
        nowhere = send(row, row.path(), strange.access_token, row.body())
        if there.content != nowhere.content:
            return f"{there.content!r} is not {nowhere.content!r}"
        return wrong(there, 403, "Unauthorized", "AuthException")

    # Bodies that the document cannot make up whole are looked into only behind this door.
    all_as_expected([row for row in GUARDED if "group_id" in row.arguments], ask)


def test_a_group_id_that_is_none_is_a_group_out_of_reach(program: Program) -> None:
    def ask(row: Row) -> str:
        return wrong(
            send(row, row.path(group_id="no-guid"), program.access_token, row.body()),
            403,
            "Unauthorized",
            "AuthException",
        )

    all_as_expected([row for row in GUARDED if "group_id" in row.arguments], ask)


def test_the_permission_that_is_missing_is_named(developer: User, group: Group, group_admin: User) -> None:
    """By the portal's name, and before anything is said about the body."""
    poor = let_in(make_connector(developer, permissions=[Permission.TENANT_DATA]), group, group_admin)

    def ask(row: Row) -> str:
        name = str(DESCRIPTIONS[PERMISSION_OF[row.operation.scope or ""]].label)
        answer = send(row, row.path(), poor.access_token, BROKEN[0])
        return wrong(answer, 403, "Unauthorized", "AuthException", f'"{name}" ({row.operation.scope})')

    others = [row for row in GUARDED if PERMISSION_OF[row.operation.scope or ""] != Permission.TENANT_DATA]
    all_as_expected(others, ask)


@pytest.mark.parametrize("unknown", ["a GUID", "no-guid", "0", "..%2F..", "%F0%9F%98%80", "a" * 3000])
def test_an_id_of_nothing(program: Program, group: Group, unknown: str) -> None:
    def ask(row: Row) -> str:
        others = {} if unknown == "a GUID" else {name: unknown for name in row.arguments if name != "group_id"}
        path = row.path(group_id=str(group.pk), **others)
        return wrong(send(row, path, program.access_token, row.body()), 404, "NotFound", "NotFoundException")

    all_as_expected([row for row in GUARDED if set(row.arguments) - {"group_id"}], ask)


# Methods and paths ---------------------------------------------------------------------------------------------


RESOURCES: Final = [(route, view) for route, view in get_routes(settings.API_URLCONF) if isinstance(view, Resource)]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_is_not_there(method: str) -> None:
    """Is said to everybody: which methods there are is no secret."""

    def ask(row: Row) -> str:
        answer = send(row, row.path())
        if row.method == "HEAD":
            return "" if (answer.status_code, answer.content) == (405, b"") else f"{answer.status_code}"
        return wrong(answer, 405, "MethodNotAllowed", "ValidationException", answer.get("Allow", "?"))

    refused = [Row(method, route, ALL[0].operation) for route, view in RESOURCES if method not in view.allowed]
    all_as_expected(refused, ask)


def test_options_says_what_is_there_and_lets_pages_of_any_origin_call() -> None:
    for route, view in RESOURCES:
        row = Row("OPTIONS", route, ALL[0].operation)
        answer = send(row, row.path(), Origin="https://page.example")
        assert (answer.status_code, answer.content, answer["Access-Control-Allow-Origin"]) == (204, b"", "*"), route
        assert answer["Allow"] == answer["Access-Control-Allow-Methods"] == ", ".join(view.allowed), route
        assert "Access-Control-Allow-Credentials" not in answer, route


def test_head_is_get_without_a_body(program: Program, group: Group) -> None:
    for row in [row for row in ALL if row.method == "GET"]:
        path = row.path(group_id=str(group.pk), reference_id=str(group.pk))
        for token in ("", program.access_token):
            got = send(row, path, token)
            head = send(Row("HEAD", row.route, row.operation), path, token)
            assert (head.status_code, head.content) == (got.status_code, b""), row
            assert head["Content-Length"] == str(len(got.content)), row


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v1/nothing", "/v1/groups/x/nothing", "/v2/groups", "/v1/groups/a/members/b/c", "/v1/media/x"],
)
def test_a_path_of_nothing(path: str) -> None:
    answer: Any = Client().get(path)
    if path == "/v2/groups":  # none of the wire's: a page of the console says so
        assert answer.status_code == 404
        return
    assert not wrong(answer, 404, "NotFound", "NotFoundException")


# Bodies --------------------------------------------------------------------------------------------------------


def test_the_tables_below_hold_all_of_the_wire() -> None:
    """An empty table would agree with everything."""
    assert len(GUARDED) > 35
    assert len(OPEN) > 7
    assert len(READING) > 20
