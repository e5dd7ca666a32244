"""GET /v1/openapi.json: the document of this console's whole wire."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import pytest
from django.conf import settings
from django.test import Client
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import TypeAdapter, ValidationError

from connectors import token_format
from connectors.description import get_description
from connectors.permissions import PERMISSION_OF
from kaizala_console.api.endpoint import Operation, Resource, list_operations
from kaizala_console.api.fields import Body
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


def test_what_may_not_be_there_and_what_may_be_wrong_is_described(document: dict[str, Any]) -> None:
    paths = document["paths"]
    assert "404" in paths["/v1/accessToken/warm"]["get"]["responses"]
    assert "404" in paths["/v1/handoffs/claim"]["post"]["responses"]
    assert "400" in paths["/v1/media/{fileId}/{name}"]["get"]["responses"]


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


def test_every_noun_is_explained(document: dict[str, Any]) -> None:
    silent = [tag["name"] for tag in document["tags"] if not tag["description"]]
    assert silent == [], "add these to connectors.description.TAGS"


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


def test_another_copy_is_sent_anew(client: Client) -> None:
    assert client.get(DOCUMENT, headers={"If-None-Match": '"another"'}).status_code == 200


def bodies() -> list[type[Body]]:
    """All shapes of what programs send, once the routes have brought them in."""
    declared()
    found: list[type[Body]] = []
    waiting: list[type[Body]] = [Body]
    while waiting:
        for shape in waiting.pop().__subclasses__():
            found.append(shape)
            waiting.append(shape)
    return found


def test_a_text_that_is_refused_when_it_is_empty_is_described_so() -> None:
    """A pattern that follows another validator is checked, but pydantic leaves it out of the description."""
    lacking, refused = [], 0
    for shape in bodies():
        described_as = shape.model_json_schema()["properties"] if shape.model_fields else {}
        for name, told in shape.model_fields.items():
            said = described_as.get(told.alias or name, {})
            if "string" not in said.get("type", ""):
                continue
            try:
                kind: Any = Annotated[(told.annotation, *told.metadata, "")]
                TypeAdapter(kind).validate_python("")
            except ValidationError:
                refused += 1
                known = {"enum", "format", "minLength"} & said.keys()  # none of which an empty text fits
                if not known and re.search(said.get("pattern", ""), ""):
                    lacking.append(f"{shape.__name__}.{name}")
    assert refused > 9
    assert lacking == []
