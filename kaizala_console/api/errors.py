"""The protocol's table of errors (wire protocol §3), one class a row, and the only place that builds an error body.

Messages are English on every wire: programs match their text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

import structlog
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpResponse, UnreadablePostError

from kaizala_console.api import responses
from kaizala_console.lib.errors import (
    ConsoleError,
    GatewayDown,
    NotAllowed,
    NotFound,
    TooSoon,
)

logger = structlog.get_logger(__name__)

_RETRY_SOON_SECONDS: Final = 5
# The message of the base class is a lazy translation, not a str: it does not count as filled in.
_COLUMNS: Final = {"status": int, "error_code": str, "error_category_key": str, "default_message": str}


class ApiError(ConsoleError):
    """Base of the rows. A subclass that leaves a column of the table empty cannot be defined.

    ``headers`` go with the answer.
    """

    status: ClassVar[int]
    error_code: ClassVar[str]
    error_category_key: ClassVar[str]
    default_message: ClassVar[str]
    default_code: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "default_code" not in cls.__dict__:
            cls.default_code = getattr(cls, "error_code", "")
        for column, kind in _COLUMNS.items():
            value = getattr(cls, column, None)
            if not isinstance(value, kind) or not value or value is ConsoleError.default_message:
                raise TypeError(f"{cls.__name__} has no {column}: every row of the error table has all columns")

    def __init__(self, message: str = "", *, field: str | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(message, field=field)
        self.headers: dict[str, str] = headers or {}

    def body(self) -> dict[str, str]:
        """Return the three fields that every error body has."""
        return {
            "message": str(self.message),
            "errorCode": self.error_code,
            "errorCategoryKey": self.error_category_key,
        }

    def response(self) -> HttpResponse:
        """Return the error as an answer."""
        return HttpResponse(
            responses.encode(self.body()),
            status=self.status,
            content_type=responses.CONTENT_TYPE,
            headers=self.headers,
        )


class TokenMissing(ApiError):
    """No access token was sent."""

    status = 401
    error_code = "InvalidToken"
    error_category_key = "AuthException"
    default_message = "Token missing. Header should have token as value of ACCESSTOKEN"


class TokenInvalid(ApiError):
    """The access token is malformed or expired, or its grant was revoked. On this text programs fetch a new one."""

    status = 401
    error_code = "InvalidToken"
    error_category_key = "AuthException"
    default_message = "Invalid token. Failure reason:Token validation failed due to unknown reason!"


class WrongConnectorCredentials(ApiError):
    """Connector id or secret is wrong; never which."""

    status = 401
    error_code = "Unauthenticated"
    error_category_key = "AuthException"
    default_message = "Dont have correct applicationId and secret in header!"


class RefreshTokenRefused(ApiError):
    """The refresh token is unknown, expired, superseded or revoked: the message says which, in plain words."""

    status = 401
    error_code = "InvalidToken"
    error_category_key = "AuthException"
    default_message = "Invalid refresh token. Ask the group's admin for a new one."


class Unauthorized(ApiError):
    """The caller is known, but may not do this."""

    status = 403
    error_code = "Unauthorized"
    error_category_key = "AuthException"
    default_message = "This token does not permit this operation."


class PermissionMissing(Unauthorized):
    """The connector, or this grant to it, lacks a permission; the message names it as the portal does."""

    default_message = "The connector lacks a permission that this operation needs."

    def __init__(self, permission: str, scope: str = "") -> None:
        wanted = f'"{permission}" ({scope})' if scope else f'"{permission}"'
        super().__init__(f"The connector lacks the permission {wanted}, or the group's admin did not grant it.")
        self.permission = permission


class GroupNotReachable(Unauthorized):
    """The group is not within reach of this token: the same answer whether or not the group exists."""

    default_message = "This group cannot be reached with this token."


class InvalidParameters(ApiError):
    """A field is missing or wrong; the message names the field and what was expected."""

    status = 400
    error_code = "InvalidParameters"
    error_category_key = "ValidationException"
    default_message = "The request is not valid."


class HttpsRequired(ApiError):
    """The call came without TLS, and whatever it carries has been read on the way."""

    status = 403
    error_code = "HttpsRequired"
    error_category_key = "AuthException"
    default_message = "Call this console by https: credentials that were sent without it must be replaced."


class UnknownResource(ApiError):
    """There is no such resource."""

    status = 404
    error_code = "NotFound"
    error_category_key = "NotFoundException"
    default_message = "There is no such resource."


class UnsupportedMediaType(ApiError):
    """The content is of a kind that is not taken here; the message lists the kinds that are."""

    status = 415
    error_code = "UnsupportedMediaType"
    error_category_key = "ValidationException"
    default_message = "This media type is not supported."

    def __init__(self, supported: Iterable[str], *, problem: str = "") -> None:
        super().__init__(f"{problem or self.default_message} Supported are: {', '.join(supported)}.")


class UnsupportedContentEncoding(UnsupportedMediaType):
    """The body is packed."""

    default_message = "The Content-Encoding of this body is not supported: send it as it is."


class PayloadTooLarge(ApiError):
    """The body is larger than allowed."""

    status = 413
    error_code = "PayloadTooLarge"
    error_category_key = "ValidationException"
    default_message = "The body is too large."


class Throttled(ApiError):
    """Too many calls. ``retry_after`` is in seconds."""

    status = 429
    error_code = "TooManyRequests"
    error_category_key = "ThrottlingException"
    default_message = "Too many requests. Please wait as many seconds as the Retry-After header says."

    def __init__(self, message: str = "", *, retry_after: int) -> None:
        super().__init__(message, headers={"Retry-After": str(max(1, int(retry_after)))})


class MethodNotAllowed(ApiError):
    """The resource exists, but does not know this method."""

    status = 405
    error_code = "MethodNotAllowed"
    error_category_key = "ValidationException"
    default_message = "This method is not allowed here."

    def __init__(self, allowed: Iterable[str]) -> None:
        methods = ", ".join(allowed)
        super().__init__(f"{self.default_message} Allowed are: {methods}.", headers={"Allow": methods})


# Two rows of ours: the protocol's table is silent about our own faults, and clients must find the three fields.


class ServiceUnavailable(ApiError):
    """Something that we depend on does not answer; nothing was done, and the same request may work soon."""

    status = 503
    error_code = "ServiceUnavailable"
    error_category_key = "ServiceException"
    default_message = "The service is not available at the moment. Please try again in a few seconds."

    def __init__(self, message: str = "") -> None:
        super().__init__(message, headers={"Retry-After": str(_RETRY_SOON_SECONDS)})


class InternalError(ApiError):
    """Our fault. The body tells nothing; the log has it under the answer's X-Request-ID."""

    status = 500
    error_code = "InternalError"
    error_category_key = "ServiceException"
    default_message = (
        "Something went wrong on our side. The operator can look it up by the X-Request-ID of this answer."
    )


def to_wire(problem: Exception) -> ApiError | None:
    """Translate what a door, a service or Django raised; None for what nobody foresaw."""
    if isinstance(problem, ApiError):
        return problem
    if isinstance(problem, ConsoleError):
        return _from_service(problem)
    return _from_django(problem)


def get_status(problem: Exception) -> int:
    """Tell the status with which an error of ours leaves; 500 for what is none of ours (`to_wire` logs those)."""
    if isinstance(problem, ConsoleError) and not isinstance(problem, ApiError):
        problem = _from_service(problem)
    return problem.status if isinstance(problem, ApiError) else InternalError.status


def _from_service(problem: ConsoleError) -> ApiError:
    """Translate a service's error. "Not yours" and "not there" come as one class, and leave as one answer."""
    match problem:
        case NotAllowed():
            return Unauthorized(str(problem))
        case NotFound():
            return UnknownResource(str(problem))
        case TooSoon():
            return Throttled(str(problem), retry_after=problem.retry_after)
        case GatewayDown():
            return ServiceUnavailable(str(problem))
    return InvalidParameters(_named(problem), field=problem.field)


def _from_django(problem: Exception) -> ApiError | None:
    match problem:
        case Http404():
            return UnknownResource()
        case PermissionDenied():
            return Unauthorized()
        case RequestDataTooBig():
            return PayloadTooLarge()
        case SuspiciousOperation() | BadRequest() | UnreadablePostError():
            return InvalidParameters()
        case DataError():
            # A schema let through what the column cannot hold. The caller's value is at fault, and so is the schema.
            logger.error("wire.value_does_not_fit", exc_info=problem)
            return InvalidParameters()
        case OperationalError() | InterfaceError():
            logger.error("wire.database_unavailable", exc_info=problem)
            return ServiceUnavailable()
    return None


def _named(problem: ConsoleError) -> str:
    """Return the message with the field in front, unless it is there already."""
    message = str(problem)
    return f"{problem.field}: {message}" if problem.field and problem.field not in message else message


class PermanentRedirect(ApiError):
    """308 Permanent Redirect: the same request, with method and body, at the organisation's new address."""

    status = 308
    error_code = "PermanentRedirect"
    error_category_key = "RedirectException"
    default_message = "This organisation has moved. Send the same request to the address in the Location header."

    def __init__(self, base_url: str, path: str) -> None:
        super().__init__(headers={"Location": f"{base_url.rstrip('/')}/{path.lstrip('/')}"})
