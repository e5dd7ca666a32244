"""GET /v1/openapi.json, the document of this console's whole wire; and which permission each call of it needs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from openapi_spec_validator import OpenAPIV31SpecValidator

from connectors import token_format
from connectors.permissions import PERMISSION_OF
from connectors.services.api_description import get_description
from kaizala_console.api.endpoint import Operation, Resource, list_operations
from kaizala_console.api.openapi import to_openapi_path
from kaizala_console.api.responses import Answer
from kaizala_console.api.routing import get_routes

pytestmark = pytest.mark.once
DOCUMENT = "/v1/openapi.json"


@pytest.fixture
def document() -> dict[str, Any]:
    return get_description().document


def declared() -> list[tuple[str, str, Operation]]:
    return list(list_operations(get_routes(settings.API_URLCONF)))


def described(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for item in document["paths"].values() for each in item.values()]


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def schemas_in(value: Any) -> list[dict[str, Any]]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [*([value] if isinstance(value, dict) else []), *(found for each in inner for found in schemas_in(each))]


def test_no_enumeration_mixes_types_which_generators_of_clients_stop_at(document: dict[str, Any]) -> None:
    lists = [each["enum"] for each in schemas_in(document) if isinstance(each.get("enum"), list)]
    assert len(lists) > 10
    assert [each for each in lists if {type(value) for value in each} not in ({str}, {int})] == []


def test_every_route_is_in_it_and_nothing_else(document: dict[str, Any]) -> None:
    pages = {
        ("GET", to_openapi_path(route))
        for route, view in get_routes(settings.API_URLCONF)
        if not isinstance(view, Resource)
    }
    operations = {(method, to_openapi_path(route)) for method, route, _operation in declared()}
    found = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert found == operations | pages
    assert {to_openapi_path(route) for route, _view in get_routes(settings.API_URLCONF)} == set(document["paths"])


def test_every_operation_declares_its_answer() -> None:
    silent = [
        f"{method} /{route}"
        for method, route, operation in declared()
        if not (isinstance(operation.response, type) and issubclass(operation.response, Answer))
    ]
    assert silent == [], "these operations declare no `response=` that is an Answer"


def test_every_operation_explains_itself(document: dict[str, Any]) -> None:
    for operation in described(document):
        assert re.fullmatch(r"[A-Z].*[^.]", operation["summary"]), operation["summary"]
        assert operation["description"].strip(), f"{operation['operationId']} has no docstring"


def test_every_scope_has_its_permission(document: dict[str, Any]) -> None:
    for operation in described(document):
        assert operation.get("x-scope", "textmessage.read") in PERMISSION_OF
        assert ("x-scope" in operation) == bool(operation.get("x-permission"))


def test_no_sample_looks_like_a_credential(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    assert [kind for kind in token_format.CredentialKind if str(kind) in text] == []


def test_anybody_may_read_it_from_any_page(client: Client) -> None:
    answer = client.get(DOCUMENT, headers={"Origin": "https://program.example"})
    assert answer.status_code == 200
    assert answer.json() == get_description().document
    assert answer["Content-Type"] == "application/json; charset=utf-8"
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Cache-Control"] == "public, max-age=300"
    assert answer.json()["servers"][0]["url"] == settings.CONSOLE_BASE_URL


@pytest.mark.parametrize("form", ["{}", "W/{}", '"another", {}', "*"])
def test_a_copy_that_is_still_right_is_not_sent_again(client: Client, form: str) -> None:
    etag = client.get(DOCUMENT)["ETag"]
    answer = client.get(DOCUMENT, headers={"If-None-Match": form.format(etag)})
    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)


OPEN = ""  # no access token is asked for: the call has credentials of its own, or is for everybody
TABLE = {
    # Token Service (§4)
    "GET /v1/accessToken": OPEN,
    "GET /v1/accessToken/warm": OPEN,
    "POST /v1/generatePin": OPEN,
    "POST /v1/loginWithPinAndApplicationId": OPEN,
    "POST /api/oauth/token": OPEN,
    "POST /v1/credentials/report": OPEN,
    "POST /v1/handoffs/claim": OPEN,
    "GET /v1/openapi.json": OPEN,
    # Group Information: read, create, update, remove group-level information
    "GET /v1/groups": "groupinfo.read",
    "POST /v1/groups": "groupinfo.write",
    "GET /v1/groups/{groupId}": "groupinfo.read",
    "GET /v1/groups/{groupId}/subGroups": "groupinfo.read",
    "POST /v1/groups/{groupId}/subGroups": "groupinfo.write",
    "PUT /v1/groups/{groupId}/subGroups": "groupinfo.update",
    "DELETE /v1/groups/{groupId}/subGroups/{subGroupId}": "groupinfo.remove",
    "PUT /v1/groups/{groupId}/bot": "groupinfo.update",
    "POST /v1/groups/{groupId}/bot": "groupinfo.update",
    "PUT /v1/groups/{groupId}/actions/{actionId}": "action.update",
    "PUT /v1/groups/{groupId}/actions/{actionId}/properties": "action.update",
    "GET /v1/tenant/findGroupsByQuery": "tenant.read",
    "DELETE /v1/groups/{groupId}/bot/{botId}": "groupinfo.update",
    # Group Member List: read, add, update, remove members and subscribers
    "GET /v1/groups/{groupId}/members": "groupmember.read",
    "PUT /v1/groups/{groupId}/members": "groupmember.write",
    "PUT /v1/groups/{groupId}/members/{memberId}": "groupmember.update",
    "DELETE /v1/groups/{groupId}/members/{memberId}": "groupmember.remove",
    "GET /v1/groups/{groupId}/subscribers": "groupmember.read",
    "POST /v1/groups/{groupId}/subscribers": "groupmember.read",  # reads a page of them
    "PUT /v1/groups/{groupId}/subscribers/add": "groupmember.write",
    "PUT /v1/groups/{groupId}/subscribers/remove": "groupmember.remove",
    # Text Message: post a text message; and the names under which a connector posts
    "POST /v1/groups/{groupId}/messages": "textmessage.write",
    "GET /v1/bot": "textmessage.read",
    "POST /v1/bot": "textmessage.write",
    "PUT /v1/bot/{botId}": "textmessage.write",
    "DELETE /v1/bot/{botId}": "textmessage.write",
    "GET /v1/bot/accessToken/{botId}": "textmessage.write",
    # Action & Responses: fetch, create, update actions and their responses
    "GET /v1/groups/{groupId}/actions": "action.read",
    "POST /v1/groups/{groupId}/actions": "action.write",
    "GET /v1/groups/{groupId}/actions/{actionId}": "action.read",
    "POST /v1/groups/{groupId}/actions/{actionId}/responses": "action.write",
    # User Profile: read and write the token user's own profile
    "GET /v1/users/me": "profile.read",
    "PUT /v1/users/me": "profile.write",
    # Media: upload and send media
    "POST /v1/media": "media.write",
    "POST /v1/media/url": "media.write",
    # Outgoing Webhooks: create, read, update, remove webhooks
    "GET /v1/webhook": "webhook.read",
    "POST /v1/webhook": "webhook.write",
    "PUT /v1/webhook/{webhookId}": "webhook.update",
    "DELETE /v1/webhook/{webhookId}": "webhook.remove",
    # Reactions: create and read likes and comments
    "POST /v1/groups/{groupId}/reaction": "reaction.write",
    "GET /v1/groups/{groupId}/reaction/summary": "reaction.read",
    "GET /v1/groups/{groupId}/reaction/{referenceId}": "reaction.read",
    "GET /v1/groups/{groupId}/reaction/{referenceId}/summary": "reaction.read",
}


def test_every_call_needs_what_the_table_says() -> None:
    needed = {f"{method} {to_openapi_path(route)}": each.scope or OPEN for method, route, each in declared()}
    assert needed == TABLE


def test_what_asks_for_a_scope_asks_for_a_token_and_the_other_way_round() -> None:
    for method, route, operation in declared():
        assert bool(operation.scope) == (operation.authenticate is not None), f"{method} {route}"
