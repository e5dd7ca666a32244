"""Reading the bytes of a body, within bounds."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, QueryDict, UnreadablePostError

from kaizala_console.wire import lenient_json
from kaizala_console.wire.errors import UnsupportedMediaType
from kaizala_console.wire.fields import Body

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"


def read_shape(request: HttpRequest, shape: type[Body], *, form: bool) -> Body:
    """Return the body of ``request`` in ``shape``; with ``form`` it may be form-encoded too.

    JSON is read whatever ``Content-Type`` says: programs that send it as text or as a form are older than this
    house. Raises InvalidParameters, UnsupportedMediaType.
    """
    content_type = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if content_type == _MULTIPART or encoding not in ("", "identity"):
        raise UnsupportedMediaType([FORM, JSON] if form else [JSON])
    raw = read_bytes(request)
    if form and content_type == FORM:
        return shape.parse_form(QueryDict(raw, encoding="utf-8"))
    return shape.parse(lenient_json.loads(raw))


def read_bytes(request: HttpRequest) -> bytes:
    """Return the whole body. Raises InvalidParameters over 1 MiB, UnreadablePostError when the client went away."""
    declared = request.META.get("CONTENT_LENGTH") or ""
    if declared.isdecimal() and int(declared) > lenient_json.MAX_BYTES:
        raise lenient_json.too_large()
    if not declared and "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        # Django reads nothing without a Content-Length, and .NET sends JSON in chunks. The server ends the stream.
        try:
            raw: bytes = request.META["wsgi.input"].read(lenient_json.MAX_BYTES + 1)
        except OSError as problem:
            raise UnreadablePostError(*problem.args) from problem
    else:
        raw = request.body
    if len(raw) > lenient_json.MAX_BYTES:
        raise lenient_json.too_large()
    return raw
