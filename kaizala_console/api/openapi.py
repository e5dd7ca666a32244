"""The OpenAPI 3.1 document, made from what the operations declare (`endpoint.operation`) and from nothing else.

It describes what a new program should send: the canonical names and types. What is read besides, for the sake of old
programs (wire protocol §2), is said in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.json_schema import models_json_schema

from kaizala_console.api import openapi_errors
from kaizala_console.api.endpoint import Operation, Resource, operations_of
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
    """Return the document, as JSON can say it."""
    declared = list(operations_of(routes))
    schemas = _schemas(declared)
    paths: dict[str, dict[str, Any]] = {}
    for route, view in routes:
        if not isinstance(view, Resource):
            paths[path_of(route)] = dict(about.pages[route])
    names: list[str] = []
    for method, _route, operation in declared:
        names.append(_only(to_camel(operation.name), method, names))
    for name, (method, route, operation) in zip(names, declared, strict=True):
        described = {"operationId": name, **_operation(route, operation, about, schemas)}
        paths.setdefault(path_of(route), {})[method.lower()] = described
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
            "schemas": {**schemas.components, "Error": openapi_errors.SCHEMA},
            "responses": openapi_errors.responses(),
            "securitySchemes": {**_SECURITY, **about.security_schemes},
        },
    }


def path_of(route: str) -> str:
    """`v1/groups/<group_id>` → `/v1/groups/{groupId}`."""
    return "/" + _ARGUMENT.sub(lambda found: f"{{{to_camel(found[2])}}}", route)


def _only(name: str, method: str, taken: Sequence[str]) -> str:
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
        "tags": [_tag_of(operation, about.tags)],
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
        **openapi_errors.of_operation(operation, has_arguments="<" in route),
    }
    return described


def _tag_of(operation: Operation, tags: Sequence[OpenApiTag]) -> str:
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
