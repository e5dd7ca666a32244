"""What is answered to requests that never become one: malformed, too large, too slow. With the three fields.

The rows of the protocol's table (wire protocol §3) have no line for these; the codes are named after its others.
Nothing of what was sent is repeated, neither to the caller nor in the log: a line that cannot be read may hold a token.
"""

from __future__ import annotations

from typing import Final

import h11

from kaizala_console.api.errors import ApiError, InvalidParameters
from kaizala_console.api.middleware import HEADERS
from kaizala_console.server.exchange import Headers


class TargetTooLong(ApiError):
    """The path and query are longer than is read."""

    status = 414
    error_code = "TargetTooLong"
    error_category_key = "ValidationException"
    default_message = "The path and query of the request are too long."


class HeadersTooLarge(ApiError):
    """More header lines, or larger ones, than are read."""

    status = 431
    error_code = "HeadersTooLarge"
    error_category_key = "ValidationException"
    default_message = "The headers of the request are too many or too large."


class RequestTimeout(ApiError):
    """The request did not arrive in time."""

    status = 408
    error_code = "RequestTimeout"
    error_category_key = "ValidationException"
    default_message = "The request did not arrive in time."


class TransferCodingNotSupported(ApiError):
    """A Transfer-Encoding that is not `chunked`."""

    status = 501
    error_code = "TransferEncodingNotSupported"
    error_category_key = "ValidationException"
    default_message = "Of transfer encodings, chunked alone is supported."


class VersionNotSupported(ApiError):
    """Neither HTTP/1.1 nor HTTP/1.0."""

    status = 505
    error_code = "HttpVersionNotSupported"
    error_category_key = "ValidationException"
    default_message = "Only HTTP/1.1 and HTTP/1.0 are spoken here."


# How messages of h11 begin, and what we say instead: its own repeat the line that they are about.
_REASONS: Final = (
    ("illegal header line", "A header line is malformed: a name, a colon and a value are expected."),
    ("continuation line", "A header line begins with a blank."),
    ("illegal request line", "The request line is malformed: a method, a target and a version are expected."),
    ("no request line", "The request line is missing."),
    ("Missing mandatory Host", "The header Host is missing."),
    ("Found multiple Host", "The header Host stands there more than once."),
    ("conflicting Content-Length", "The request has two values of Content-Length."),
    ("bad Content-Length", "Content-Length is not a number."),
    ("illegal chunk header", "The size of a chunk is malformed."),
    ("malformed chunk footer", "A chunk is not as long as its size says."),
    ("peer closed connection without", "The body breaks off before its end."),
    ("peer unexpectedly closed", "The request breaks off before its end."),
)


def malformed(reason: str = "") -> InvalidParameters:
    """400, in words of ours."""
    return InvalidParameters(reason or "The request is not well-formed HTTP/1.1.")


def of(problem: h11.RemoteProtocolError) -> ApiError:
    """What h11 could not read, as an answer."""
    if problem.error_status_hint == TransferCodingNotSupported.status:
        return TransferCodingNotSupported()
    if problem.error_status_hint == HeadersTooLarge.status:
        return HeadersTooLarge()
    text = str(problem)
    return malformed(next((words for beginning, words in _REASONS if text.startswith(beginning)), ""))


def answer(refusal: ApiError, further: Headers) -> tuple[h11.Response, h11.Data]:
    """What is sent: the headers that all answers of the wire have, the three fields, and that this is the end."""
    response = refusal.response()
    headers = {**HEADERS, **dict(response.items()), "Content-Length": str(len(response.content)), "Connection": "close"}
    named = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    reason = response.reason_phrase.encode("latin-1")
    return (
        h11.Response(status_code=refusal.status, headers=[*named, *further], reason=reason),
        h11.Data(data=response.content),
    )
