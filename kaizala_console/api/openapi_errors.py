"""The errors in the OpenAPI document: which rows of the protocol's table (§3) an operation can answer with."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from kaizala_console.api.endpoint import Operation
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
from kaizala_console.api.request_body import JSON

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
    """The `components/responses`."""
    found: dict[str, Any] = {"PermanentRedirect": _MOVED}
    for name, (description, examples) in _ROWS.items():
        bodies = {type(each).__name__: {"value": each.body()} for each in examples}
        found[name] = _response(description, bodies)
        if name in _HEADERS:
            found[name]["headers"] = {_HEADERS[name]: _SECONDS}
    return found


def of_operation(operation: Operation, *, has_arguments: bool) -> dict[str, Any]:
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
