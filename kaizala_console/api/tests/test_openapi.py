"""The OpenAPI document is made from the declarations; here from those of a small wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from django.urls import path
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import Field

from kaizala_console.api import fields, openapi
from kaizala_console.api.endpoint import Call, operation, resource
from kaizala_console.api.errors import ApiError, InvalidParameters
from kaizala_console.api.fields import NO_BOOLEAN, ApiEnum, Body, Id, Pin, Query, Text, named
from kaizala_console.api.openapi import OpenApiInfo, OpenApiTag
from kaizala_console.api.responses import Answer, EpochMs
from kaizala_console.api.routing import Routes, console_page, get_routes
from kaizala_console.api.tests.sample_urls import authenticate


class Kind(ApiEnum):
    LIKE = "Like"
    COMMENT = "Comment"


class Place(Body):
    """Where it is."""

    latitude: float
    name: str | None = None


class NewReaction(Body):
    """What to react with."""

    kind: Kind = named("reactionType", "type", default=Kind.LIKE)
    message: Text
    place: Place | None = None
    count: Annotated[int, Field(ge=1, le=50), NO_BOOLEAN] = 30
    urgent: bool = False
    at: fields.EpochMs | None = None
    reference: Id | None = None
    pin: Pin | None = None


class Calm(Body):
    reaction_ids: list[Id] = []


class Listing(Query):
    cursor: str = named("cursor", "after", default="")
    until: int = Field(ge=0)


class Reaction(Answer):
    """One reaction."""

    reaction_id: UUID
    kind: Literal["Like", "Comment"]
    sent_at: EpochMs
    cursor: str = ""


class Gone(ApiError):
    """It was there before."""

    status = 409
    error_code = "Conflict"
    error_category_key = "ValidationException"
    default_message = "It has ended."


@operation(
    summary="React",
    authenticate=authenticate,
    scope="textmessage.write",
    body=NewReaction,
    response=Reaction,
    refuses=(Gone,),
    example={"message": "Hello"},
    status=201,
)
def add_reaction(call: Call, group_id: str, reference_id: str) -> None:
    """Say what you think
    of it.
    """


@operation(summary="List", credentials=("applicationId", "refreshToken"), query=Listing, response=Reaction)
def list_reactions(call: Call, number: int) -> None:
    pass


@operation(summary="Upload", body=NewReaction, uploads=("image/png",), form=True, headers={"Idempotency-Key": "Again."})
def upload(call: Call) -> None:
    pass


@operation(summary="Calm down", body=Calm)
def calm_down(call: Call) -> None:
    pass


urlpatterns = [
    path("v1/calm", resource(POST=calm_down)),
    path("v1/groups/<group_id>/reactions/<reference_id>", resource(POST=add_reaction)),
    path("v1/lists/<int:number>", resource(GET=list_reactions)),
    path("v1/upload", resource(POST=upload)),
    path("api/oauth/authorize", console_page),
]
PAGE = {"get": {"tags": ["Pages"], "responses": {"200": {"description": "A page."}}}}
ABOUT = OpenApiInfo(
    title="A small wire",
    version="1",
    description="For tests.",
    server="https://console.example",
    permissions={"textmessage.write": "Text Message"},
    tags=[
        OpenApiTag(name="Unused", description="", modules=()),
        OpenApiTag(name="All", description="Of it.", modules=("test_openapi",)),
    ],
    pages={"api/oauth/authorize": PAGE, "v1/plain": {}},
)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document(Routes(__name__), ABOUT)


@pytest.fixture(scope="module")
def react(document: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = document["paths"]["/v1/groups/{groupId}/reactions/{referenceId}"]["post"]
    return described


def faults(document: dict[str, Any], name: str, sent: Any) -> list[str]:
    """What the schema of this name says against it."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return [error.message for error in Draft202012Validator(schema).iter_errors(sent)]


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1")
    assert document["servers"][0]["url"] == "https://console.example"


def test_a_function_that_answers_twice_has_two_ids() -> None:
    document = openapi.document(get_routes("kaizala_console.api.tests.sample_urls"), ABOUT)
    OpenAPIV31SpecValidator(document).validate()
    assert document["paths"]["/v1/groups/{groupId}/messages"]["get"]["operationId"] == "listMessages"
    assert document["paths"]["/v1/groups/{groupId}/number"]["get"]["operationId"] != "listMessages"


def test_an_operation_says_what_it_does_and_needs(react: dict[str, Any]) -> None:
    assert (react["operationId"], react["summary"], react["tags"]) == ("addReaction", "React", ["All"])
    assert react["description"].startswith("Say what you think of it.")
    assert "**Text Message** (scope `textmessage.write`)" in react["description"]
    assert (react["x-scope"], react["x-permission"]) == ("textmessage.write", "Text Message")
    assert react["security"] == [{"accessToken": ["textmessage.write"]}, {"bearer": ["textmessage.write"]}]


def test_arguments_of_the_path_are_parameters(react: dict[str, Any], document: dict[str, Any]) -> None:
    group, reference = react["parameters"]
    assert (group["name"], group["in"], group["required"]) == ("groupId", "path", True)
    assert reference["description"] == "The ID of the reference."
    number = document["paths"]["/v1/lists/{number}"]["get"]["parameters"][0]
    assert (number["name"], number["schema"]["type"]) == ("number", "integer")


def test_a_body_has_its_canonical_names_and_their_synonyms(document: dict[str, Any], react: dict[str, Any]) -> None:
    content = react["requestBody"]["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/NewReaction"}
    shape = document["components"]["schemas"]["NewReaction"]
    assert list(shape["properties"])[:4] == ["reactionType", "message", "place", "count"]
    assert shape["required"] == ["message"]
    assert shape["properties"]["reactionType"]["x-synonyms"] == ["type"]
    assert "Also read as `type`" in shape["properties"]["reactionType"]["description"]
    assert shape["properties"]["count"] == {"type": "integer", "minimum": 1, "maximum": 50, "default": 30}
    assert shape["properties"]["at"]["type"] == "integer"  # what may be left out is described without null
    assert document["components"]["schemas"]["Kind"] == {"type": "string", "enum": ["Like", "Comment"]}
    assert content["example"] == {"message": "Hello"}


FAULTS: list[dict[str, Any]] = [
    {"count": True}, {"count": 51}, {"count": "51"}, {"reactionType": "Likes"}, {"place": {}}, {"urgent": "maybe"},
    {"at": 10**15}, {"at": True}, {"pin": "12a"},
]  # fmt: skip


@pytest.mark.parametrize(
    "sent",
    [{}, {"message": None}, {"message": " "}, {"message": True}, {"message": ["Hello"]},
     *({"message": "Hello", **fault} for fault in FAULTS)],
)  # fmt: skip
def test_what_the_schema_forbids_is_refused_and_what_it_asks_for_is_taken(
    document: dict[str, Any], sent: dict[str, Any]
) -> None:
    assert faults(document, "NewReaction", sent)
    with pytest.raises(InvalidParameters):
        NewReaction.parse(sent)
    good = {"message": "Hello", "reactionType": "Like", "count": 7, "urgent": True, "at": 1518481686294, "pin": "012"}
    assert faults(document, "NewReaction", good) == []
    assert NewReaction.parse(good)


def test_a_query_is_parameters_and_no_schema(document: dict[str, Any]) -> None:
    _number, cursor, until = document["paths"]["/v1/lists/{number}"]["get"]["parameters"]
    assert (cursor["name"], cursor["in"], cursor["required"]) == ("cursor", "query", False)
    assert "after" in cursor["description"]
    assert (until["name"], until["required"]) == ("until", True)
    assert "Listing" not in document["components"]["schemas"]


def test_an_answer_is_described_exactly(document: dict[str, Any], react: dict[str, Any]) -> None:
    answer = react["responses"]["201"]
    assert answer["description"] == "One reaction."
    shape = document["components"]["schemas"]["Reaction"]
    assert shape["additionalProperties"] is False
    assert shape["required"] == ["reactionId", "kind", "sentAt"]
    assert shape["properties"]["cursor"] == {"type": "string"}  # absent, or text; never its default
    assert shape["properties"]["sentAt"] == {"type": "integer", "format": "int64"}


def test_each_error_that_it_can_answer_with(react: dict[str, Any], document: dict[str, Any]) -> None:
    assert list(react["responses"]) == ["201", "308", "400", "401", "403", "404", "409", "415", "429", "503"]
    conflict = react["responses"]["409"]
    assert conflict["description"] == "It was there before."
    assert conflict["content"]["application/json"]["examples"]["Gone"]["value"] == {
        "message": "It has ended.",
        "errorCode": "Conflict",
        "errorCategoryKey": "ValidationException",
    }
    lists = document["paths"]["/v1/lists/{number}"]["get"]["responses"]
    assert list(lists) == ["200", "400", "401", "404", "429", "503"]
    assert lists["401"] == {"$ref": "#/components/responses/CredentialsRefused"}


def test_forms_and_files_are_taken_where_declared(document: dict[str, Any], react: dict[str, Any]) -> None:
    content = document["paths"]["/v1/upload"]["post"]["requestBody"]["content"]
    assert list(content) == ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]
    assert content["application/x-www-form-urlencoded"]["schema"]["properties"]["message"]["type"] == "string"
    assert content["multipart/form-data"]["encoding"]["files"]["contentType"] == "image/png"
    assert "413" in document["paths"]["/v1/upload"]["post"]["responses"]
    assert list(react["requestBody"]["content"]) == ["application/json"]
