"""Every operation of the wire as a row, who asks, and what a wrong answer looks like."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from connectors.services.api_description import get_description
from groups.tests.factories import unknown_id
from kaizala_console.api.endpoint import Operation, list_operations
from kaizala_console.api.openapi import to_openapi_path
from kaizala_console.api.routing import get_routes

JSON: Final = "application/json"
MISSING: Final = "Token missing. Header should have token as value of ACCESSTOKEN"
RENEW: Final = "Invalid token. Failure reason:Token validation failed due to unknown reason!"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")
OVER: Final = b'{"x": "' + b"a" * 1024 * 1024 + b'"}'
DEEP: Final = b"[" * 65 + b"]" * 65
BROKEN: Final = (b'{"message": ', b"{", b"<a/>", b"\xff\xfe{}", b'{"a": NaN}', b"message=Hello", b'["a"]', b"7", b'"a"')
STRANGE_QUERY: Final = (
    "fromDate=soon&count=-1&cursor=%FF&showDetails=perhaps&fetchAllGroups=7&getDetails=x&actionType=%00&reactionType=x"
    "&objectId=x&objectType=x&sourceGroupId=x"
)


@dataclass(frozen=True)
class Row:
    """A method of a route."""

    method: str
    route: str
    operation: Operation

    @property
    def arguments(self) -> list[str]:
        return re.findall(r"<(\w+)>", self.route)

    def path(self, **given: str) -> str:
        """Ids that are not given are those of nothing."""
        return "/" + re.sub(r"<(\w+)>", lambda found: given.get(found[1]) or unknown_id(), self.route)

    def body(self) -> bytes | None:
        """A body as the OpenAPI document describes it; None when it reads none."""
        described = get_description().document["paths"][to_openapi_path(self.route)][self.method.lower()]
        content = described.get("requestBody", {}).get("content", {}).get(JSON)
        if content is None:
            return None
        sample = content.get("example", sample_of(content["schema"]))
        return json.dumps(sample | NEEDED.get(described["operationId"], {})).encode()


# What the schemas leave open, because it has more than one name.
_PROPERTIES = {"actionProperties": [{"name": "state", "type": "Text", "value": "done"}]}
NEEDED: Final = {
    "login": {"pin": "123456"},
    "token": {"grant_type": "authorization_code", "code": "none"},
    "createSubGroup": {"groupName": "Lane 1"},
    "react": {"referenceId": "1", "reactionType": "Like"},
    "changeAction": _PROPERTIES,
    "changeProperties": _PROPERTIES,
}


def sample_of(schema: dict[str, Any]) -> Any:
    """The shortest value that the schema takes; what it has an example for is that."""
    if "$ref" in schema:
        return sample_of(get_description().document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for name in ("examples", "enum"):
        if schema.get(name):
            return schema[name][0]
    if several := schema.get("anyOf") or schema.get("oneOf"):
        return sample_of(several[0])
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        wanted = schema.get("required", [])
        return {name: sample_of(each) for name, each in schema.get("properties", {}).items() if name in wanted}
    if kind == "array":
        return [sample_of(schema["items"])]
    return {"string": unknown_id(), "boolean": True}.get(kind, schema.get("minimum", 1))


def rows() -> Iterator[Row]:
    for method, route, operation in list_operations(get_routes(settings.API_URLCONF)):
        yield Row(method, route, operation)


ALL: Final = list(rows())
GUARDED: Final = [row for row in ALL if row.operation.authenticate]
OPEN: Final = [row for row in ALL if not row.operation.authenticate]
READING: Final = [row for row in ALL if row.operation.body]


def send(row: Row, path: str, token: str = "", body: bytes | None = None, kind: str = JSON, **headers: str) -> Any:
    sent = {"accessToken": token} if token else {}
    return Client(raise_request_exception=False).generic(
        row.method, path, b"" if body is None else body, content_type=kind, headers={**sent, **headers}
    )


def wrong(answer: HttpResponse, status: int, code: str, category: str, message: str = "") -> str:
    """What of an answer is not as the table has it; "" when it is."""
    if answer.status_code != status:
        return f"{answer.status_code} {answer.content[:150]!r}, not {status}"
    if answer["Content-Type"] != "application/json; charset=utf-8" or answer["Access-Control-Allow-Origin"] != "*":
        return f"headers {dict(answer.headers)}"
    if answer.cookies or not answer["X-Request-ID"]:
        return f"cookies {answer.cookies}"
    body = json.loads(answer.content)
    if not {"message", "errorCode", "errorCategoryKey"} <= set(body) or not all(
        isinstance(v, str) for v in body.values()
    ):
        return f"fields {sorted(body)}"
    if (body["errorCode"], body["errorCategoryKey"]) != (code, category):
        return f"{body['errorCode']} {body['errorCategoryKey']}"
    if not body["message"].strip() or message not in body["message"] or "Traceback" in body["message"]:
        return f"message {body['message']!r}"
    return ""


def all_as_expected(table: list[Row], ask: Callable[[Row], str]) -> None:
    found = {f"{row.method} /{row.route}": problem for row in table if (problem := ask(row))}
    assert found == {}, "\n".join(f"{row}: {problem}" for row, problem in found.items())


INVALID: Final = (400, "InvalidParameters", "ValidationException")
INVALID_TOKEN: Final = (401, "InvalidToken", "AuthException")


# Credentials ---------------------------------------------------------------------------------------------------
