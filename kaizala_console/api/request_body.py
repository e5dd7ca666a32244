"""Reading the bytes of a body, within bounds."""

from __future__ import annotations

import codecs
from typing import Final

from django.http import HttpRequest, QueryDict, UnreadablePostError

from kaizala_console.api import compatibility, lenient_json
from kaizala_console.api.compatibility import CompatibilityQuirk
from kaizala_console.api.errors import UnsupportedContentEncoding, UnsupportedMediaType
from kaizala_console.api.fields import Body

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

# What .NET ("Unicode"), Java and PHP of those years declare when they do write something else than UTF-8.
_CHARSETS: Final = {
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "iso-8859-1": "cp1252",  # as browsers read it
    "windows-1252": "cp1252",
}


def read_shape(request: HttpRequest, shape: type[Body], *, form: bool) -> Body:
    """Return the body of ``request`` in ``shape``; with ``form`` it may be form-encoded too.

    JSON is read whatever ``Content-Type`` says: programs that send it as text or as a form are older than this
    house. Raises InvalidParameters, UnsupportedMediaType.
    """
    content_type = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if content_type == MULTIPART:
        raise UnsupportedMediaType([FORM, JSON] if form else [JSON])
    if encoding not in ("", "identity"):
        raise UnsupportedContentEncoding([FORM, JSON] if form else [JSON])
    raw = _as_utf8(read_bytes(request), request)
    if raw and content_type != JSON and not (form and content_type == FORM):
        compatibility.note_quirk(
            request, CompatibilityQuirk.OTHER_CONTENT_TYPE if content_type else CompatibilityQuirk.NO_CONTENT_TYPE
        )
    if form and content_type == FORM:
        return shape.parse_form(QueryDict(raw, encoding="utf-8"))
    return shape.parse(lenient_json.loads(raw))


def _as_utf8(raw: bytes, request: HttpRequest) -> bytes:
    """Return ``raw`` in UTF-8 when it is in another charset, and declared to be; or declared nothing, but clearly is.

    UTF-8 comes first: more programs declare a charset that they do not write than write another one.
    """
    declared = (request.content_params or {}).get("charset", "").strip().lower()
    codec = _CHARSETS.get(declared) if declared else _undeclared(raw)
    if codec is None:
        return raw
    # No text of ours holds a NUL, and nearly all of UTF-16 does, which then is UTF-8 as well.
    if _is_utf8(raw) and not (codec.startswith("utf-16") and b"\0" in raw):
        return raw
    if codec == "utf-16" and raw[:2] not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        codec = "utf-16-le" if raw[1:2] == b"\0" else "utf-16-be"
    try:
        return raw.decode(codec).encode()
    except UnicodeError:
        return raw  # the reader says what is wrong with it


def _undeclared(raw: bytes) -> str | None:
    """The charset of a body that says nothing of it, when it is not UTF-8 (ADR 0061).

    JSON begins with two characters of ASCII, which in UTF-16 show which one it is (RFC 4627 §3). Else it is what
    PowerShell 5 makes of text: Latin-1.
    """
    begins = raw[:2]
    if begins in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) or (len(begins) == 2 and begins.count(0) == 1):
        return "utf-16"
    return None if _is_utf8(raw) or not raw.lstrip().startswith(b"{") else "cp1252"


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


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
