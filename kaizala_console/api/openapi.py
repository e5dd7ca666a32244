"""The OpenAPI 3.1 document, made from what the operations declare (`endpoint.operation`) and from nothing else.

It describes what a new program should send: the canonical names and types. What is read besides, for the sake of old
programs (wire protocol §2), is said in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.json_schema import models_json_schema

from kaizala_console.api.endpoint import Operation, Resource, list_operations
from kaizala_console.api.errors import (
    ApiError,
    GroupNotReachable,
    InvalidParameters,
    PayloadTooLarge,
    PermissionMissing,
    RefreshTokenRefused,
    ServiceUnavailable,
    Throttled,
    TokenInvalid,
    TokenMissing,
    UnknownResource,
    UnsupportedMediaType,
    WrongConnectorCredentials,
)
from kaizala_console.api.fields import Shape
from kaizala_console.api.request_body import FORM, JSON, MULTIPART
from kaizala_console.api.routing import Routes

VERSION: Final = "3.1.1"
ACCESS_TOKEN, BEARER = "accessToken", "bearer"
_REF: Final = "#/components/schemas/{model}"
_ARGUMENT: Final = re.compile(r"<(?:(\w+):)?(\w+)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenApiTag:
    """A noun of the protocol, and the modules (by their last name) whose operations are about it."""

    name: str
    description: str
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenApiInfo:
    """What the declarations do not say. ``permissions`` has the portal's name of each scope's permission.

    ``pages`` describes the routes that no operation answers (console pages, files): the path item of each, by route.
    ``security_schemes`` are ways to come by the tokens that operations ask for.
    """

    title: str
    version: str
    description: str
    server: str
    permissions: Mapping[str, str] = field(default_factory=dict)
    tags: Sequence[OpenApiTag] = ()
    pages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    security_schemes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def document(routes: Routes, about: OpenApiInfo) -> dict[str, Any]:
    declared = list(list_operations(routes))
    schemas = _schemas(declared)
    paths: dict[str, dict[str, Any]] = {}
    for route, view in routes:
        if not isinstance(view, Resource):
            paths[to_openapi_path(route)] = dict(about.pages[route])
    names: list[str] = []
    for method, _route, operation in declared:
        names.append(_unique_id(to_camel(operation.name), method, names))
    for name, (method, route, operation) in zip(names, declared, strict=True):
        described = {"operationId": name, **_operation(route, operation, about, schemas)}
        paths.setdefault(to_openapi_path(route), {})[method.lower()] = described
    used = {name for item in paths.values() for each in item.values() for name in each["tags"]}
    tags = {tag.name: tag.description for tag in about.tags if tag.name in used}
    tags |= dict.fromkeys(sorted(used - {*tags}), "")
    return {
        "openapi": VERSION,
        "info": {"title": about.title, "version": about.version, "description": about.description},
        "servers": [{"url": about.server, "description": "This console"}],
        "tags": [{"name": name, "description": words} for name, words in tags.items()],
        "paths": paths,
        "components": {
            "schemas": {**schemas.components, "Error": SCHEMA},
            "responses": responses(),
            "securitySchemes": {**_SECURITY, **about.security_schemes},
        },
    }


def to_openapi_path(route: str) -> str:
    """`v1/groups/<group_id>` → `/v1/groups/{groupId}`."""
    return "/" + _ARGUMENT.sub(lambda found: f"{{{to_camel(found[2])}}}", route)


def _unique_id(name: str, method: str, taken: Sequence[str]) -> str:
    """An operation ID that no other has: one function may answer two methods, or two paths."""
    candidates = [name, name + method.capitalize(), *(f"{name}{number}" for number in range(2, 99))]
    return next(each for each in candidates if each not in taken)


# One operation -------------------------------------------------------------------------------------------------


def _operation(route: str, operation: Operation, about: OpenApiInfo, schemas: _Schemas) -> dict[str, Any]:
    words = [" ".join(operation.description.split())]
    if operation.scope:
        permission = about.permissions.get(operation.scope, operation.scope)
        words.append(f"Needs the permission **{permission}** (scope `{operation.scope}`).")
    described: dict[str, Any] = {
        "summary": operation.summary,
        "description": "\n\n".join(filter(None, words)),
        "tags": [_get_tag(operation, about.tags)],
        "security": _security(operation),
    }
    if operation.scope:
        described |= {"x-scope": operation.scope, "x-permission": about.permissions.get(operation.scope, "")}
    parameters = [*_path_parameters(route), *_query_parameters(operation, schemas), *_header_parameters(operation)]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = _request_body(operation, operation.body, schemas)
    described["responses"] = {
        str(operation.status): _answer(operation, schemas),
        **error_responses(operation, has_arguments="<" in route),
    }
    return described


def _get_tag(operation: Operation, tags: Sequence[OpenApiTag]) -> str:
    module = operation.function.__module__.rpartition(".")[2]
    return next((tag.name for tag in tags if module in tag.modules), module.replace("_", " ").capitalize())


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    """What must be sent, as alternatives. The scope stands with it, as 3.1 allows for all kinds of schemes."""
    if operation.authenticate is not None:
        scopes = [operation.scope] if operation.scope else []
        return [{ACCESS_TOKEN: scopes}, {BEARER: scopes}]
    return [{name: [] for name in operation.credentials}] if operation.credentials else []


def _path_parameters(route: str) -> Iterator[dict[str, Any]]:
    for kind, argument in _ARGUMENT.findall(route):
        name = to_camel(argument)
        is_id = name.lower().endswith("id")
        schema: dict[str, Any] = {"type": "integer"} if kind == "int" else {"type": "string"}
        if is_id and kind in ("", "str", "uuid"):
            schema["format"] = "uuid"
        words = re.sub(r"([A-Z])", r" \1", name).lower().removesuffix(" id")
        described: dict[str, Any] = {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"The ID of the {words}." if is_id and words != "id" else "The ID." if is_id else "",
            "schema": schema,
        }
        if name == "groupId":
            described["description"] += " A suffix as old programs send it (`@1`) is ignored."
        yield described


def _query_parameters(operation: Operation, schemas: _Schemas) -> Iterator[dict[str, Any]]:
    if operation.query is None:
        return
    shape = schemas.of(operation.query)
    for name, schema in shape["properties"].items():
        required = name in shape.get("required", ())
        described = {"name": name, "in": "query", "required": required}
        if not required:
            described["allowEmptyValue"] = True  # it counts as not given
        yield described | {"description": schema.get("description", ""), "schema": _without(schema, "description")}


def _header_parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for name, description in operation.headers.items():
        yield {
            "name": name,
            "in": "header",
            "required": False,
            "description": description,
            "schema": {"type": "string"},
        }


def _request_body(operation: Operation, body: type[Shape], schemas: _Schemas) -> dict[str, Any]:
    shape, ref = schemas.of(body), schemas.ref(body)
    example = {"example": operation.example} if operation.example else {}
    content: dict[str, Any] = {JSON: {"schema": ref, **example}}
    if operation.form:
        content[FORM] = {"schema": shape}
    if operation.uploads:
        # Files come under any field name; `files` is the one that new programs should use.
        files = {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
        content[MULTIPART] = {
            "schema": {"type": "object", "properties": {"files": files}, "required": ["files"]},
            "encoding": {"files": {"contentType": ", ".join(operation.uploads)}},
        }
    required = bool(shape.get("required")) or all("required" in each for each in shape.get("anyOf", ({},)))
    return {"required": required, "content": content}


def _answer(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    if operation.response is None:
        return {"description": "Done."}
    shape = schemas.of(operation.response)
    content = {"schema": schemas.ref(operation.response)}
    return {"description": shape.get("description") or "Done.", "content": {JSON: content}}


# Shapes --------------------------------------------------------------------------------------------------------


class _Schemas:
    """The JSON Schemas of all shapes, each under its name."""

    def __init__(self, shapes: Sequence[type[BaseModel]], *, inlined: Sequence[type[BaseModel]]) -> None:
        modes: Any = [(shape, "validation") for shape in dict.fromkeys([*shapes, *inlined])]
        refs, found = models_json_schema(modes, ref_template=_REF)
        self._refs = {shape: _tidied(ref) for (shape, _mode), ref in refs.items()}
        self._all = {_short(name): _tidied(schema) for name, schema in found.get("$defs", {}).items()}
        left_out = {self._name(shape) for shape in inlined}
        self.components = {name: schema for name, schema in self._all.items() if name not in left_out}

    def ref(self, shape: type[BaseModel]) -> dict[str, Any]:
        return self._refs[shape]

    def of(self, shape: type[BaseModel]) -> dict[str, Any]:
        return self._all[self._name(shape)]

    def _name(self, shape: type[BaseModel]) -> str:
        return str(self._refs[shape]["$ref"]).rpartition("/")[2]


def _schemas(declared: Sequence[tuple[str, str, Operation]]) -> _Schemas:
    operations = [operation for _method, _route, operation in declared]
    shapes = [shape for each in operations for shape in (each.body, each.response) if shape is not None]
    return _Schemas(shapes, inlined=[each.query for each in operations if each.query is not None])


def _tidied(schema: Any, *, in_properties: bool = False) -> Any:
    """Take out what says nothing: pydantic's titles."""
    if isinstance(schema, list):
        return [_tidied(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        schema = {**schema, "$ref": _short(schema["$ref"])}
    if in_properties:
        return {name: _tidied(inner) for name, inner in schema.items()}
    tidied = {
        key: value if key in _LITERAL else _tidied(value, in_properties=key in ("properties", "$defs"))
        for key, value in schema.items()
        if key != "title"
    }
    if "x-synonyms" in tidied:
        others = ", ".join(f"`{name}`" for name in tidied["x-synonyms"])
        tidied["description"] = f"{tidied.get('description', '')} Also read as {others}.".strip()
    if isinstance(tidied.get("description"), str):
        tidied["description"] = " ".join(tidied["description"].split())
    return tidied


def _short(name: str) -> str:
    """`groups__platform_service__bots__Done`, as pydantic calls one of two shapes of the same name → `BotsDone`."""
    place, slash, name = name.rpartition("/")
    return place + slash + "".join(part[:1].upper() + part[1:] for part in name.split("__")[-2:])


_LITERAL: Final = frozenset({"default", "examples", "enum", "const", "required", "x-synonyms"})


def _without(schema: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in names}


def _header(name: str, description: str) -> dict[str, str]:
    return {"type": "apiKey", "in": "header", "name": name, "description": description}


_SECURITY: Final = {
    ACCESS_TOKEN: _header("accessToken", "The access token, as programs written for Kaizala send it."),
    BEARER: {
        "type": "http",
        "scheme": "bearer",
        "description": "The same access token in the header `Authorization`, an addition of this console.",
    },
    "applicationId": _header("applicationId", "The connector's ID."),
    "applicationSecret": _header("applicationSecret", "One of the connector's secrets."),
    "refreshToken": _header("refreshToken", "The refresh token that a group's admin or a person gave the connector."),
}


# Errors --------------------------------------------------------------------------------------------------------
# Which rows of the protocol's table (§3) an operation can answer with.

_TEXT: Final = {"type": "string"}
_SECONDS: Final = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
SCHEMA: Final = {
    "type": "object",
    "description": "What every error answer says.",
    "properties": {
        "message": {"type": "string", "description": "For people; names the field and what was expected."},
        "errorCode": {"type": "string", "description": "For programs."},
        "errorCategoryKey": _TEXT,
    },
    "required": ["message", "errorCode", "errorCategoryKey"],
}

# Name in the components → status, description, examples.
_ROWS: Final[dict[str, tuple[str, list[ApiError]]]] = {
    "WrongRequest": (
        "A field is missing or wrong; the message says which.",
        [InvalidParameters("message is missing.")],
    ),
    "AccessTokenRefused": (
        "No access token, or one that is refused: fetch a new one, and try once more.",
        [TokenMissing(), TokenInvalid()],
    ),
    "CredentialsRefused": (
        "The connector's ID, its secret or the refresh token is refused.",
        [WrongConnectorCredentials(), RefreshTokenRefused()],
    ),
    "NotPermitted": (
        "The connector lacks the permission, or the group cannot be reached with this token.",
        [PermissionMissing("Text Message", "textmessage.write"), GroupNotReachable()],
    ),
    "NotThere": ("There is no such resource.", [UnknownResource()]),
    "TooLarge": ("The body is too large.", [PayloadTooLarge()]),
    "WrongMediaType": ("The body is of a kind that is not taken here.", [UnsupportedMediaType([JSON])]),
    "TooManyRequests": ("Too many calls.", [Throttled(retry_after=17)]),
    "Unavailable": ("Nothing was done; the same request may work soon.", [ServiceUnavailable()]),
}
_HEADERS: Final = {"TooManyRequests": "Retry-After", "Unavailable": "Retry-After"}
_MOVED: Final = {
    "description": "The organisation's console has moved: send the same request to the address in `Location`.",
    "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
}


def responses() -> dict[str, Any]:
    found: dict[str, Any] = {"PermanentRedirect": _MOVED}
    for name, (description, examples) in _ROWS.items():
        bodies = {type(each).__name__: {"value": each.body()} for each in examples}
        found[name] = _response(description, bodies)
        if name in _HEADERS:
            found[name]["headers"] = {_HEADERS[name]: _SECONDS}
    return found


def error_responses(operation: Operation, *, has_arguments: bool) -> dict[str, Any]:
    """What an operation may answer instead, by status."""
    found: dict[str, Any] = {}
    if operation.authenticate is not None:
        found["308"] = {"$ref": "#/components/responses/PermanentRedirect"}
    if "If-None-Match" in operation.headers:
        found["304"] = {"description": "The copy is still right."}
    for name in _names(operation, has_arguments):
        status = str(_ROWS[name][1][0].status)
        found[status] = {"$ref": f"#/components/responses/{name}"}
    further: dict[int, list[type[ApiError]]] = {}
    for refusal in operation.refuses:
        further.setdefault(refusal.status, []).append(refusal)
    for status_code, refusals in further.items():
        found[str(status_code)] = _further(status_code, refusals)
    return dict(sorted(found.items()))


def _names(operation: Operation, has_arguments: bool) -> Iterable[str]:
    yield "WrongRequest"
    if operation.authenticate is not None:
        yield "AccessTokenRefused"
        yield "NotPermitted"
    elif operation.credentials:
        yield "CredentialsRefused"
    names_something = operation.authenticate is not None and (operation.body or operation.query)
    if has_arguments or names_something:  # an ID in a body or a query may be nobody's, too
        yield "NotThere"
    if operation.body is not None:
        yield "WrongMediaType"
    if operation.uploads:
        yield "TooLarge"
    yield "TooManyRequests"
    yield "Unavailable"


def _further(status: int, refusals: list[type[ApiError]]) -> dict[str, Any]:
    """What only this operation says. The usual row of the same status stands beside it, as an example."""
    usual = [each for _description, examples in _ROWS.values() for each in examples if each.status == status]
    bodies = {type(each).__name__: {"value": each.body()} for each in usual} if status in (400, 401, 403, 404) else {}
    for refusal in refusals:
        message = str(refusal.default_message)
        body = {
            "message": message,
            "errorCode": refusal.error_code,
            "errorCategoryKey": refusal.error_category_key,
        }
        bodies[refusal.__name__] = {"value": body}
    words = " ".join(dict.fromkeys(" ".join((refusal.__doc__ or "").split()) for refusal in refusals))
    return _response(words or HTTPStatus(status).phrase, bodies)


def _response(description: str, examples: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}, "examples": examples}},
    }
