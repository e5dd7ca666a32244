"""The head of a request: what is checked beyond h11's own rules, and the WSGI environment that it becomes."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import h11

from kaizala_console.api.compatibility import HEADER_NAMES
from kaizala_console.api.errors import ApiError
from kaizala_console.server import patterns, refusals

HEAD_MOST: Final = 417_792  # bytes: a token of 300 kB fits
LINES_MOST: Final = 100
TARGET_MOST: Final = 65_534

patterns.install()

_END: Final = re.compile(rb"\n\r?\n")
_BLANK: Final = re.compile(rb"(?:\r?\n)+")
_BEYOND_ASCII: Final = re.compile(rb"[\x80-\xff]")
_SCHEME: Final = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_UNPREFIXED: Final = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}
_KNOWN_MOST: Final = 2_000
_known: dict[bytes, tuple[str, str]] = {}


def reader() -> h11.Connection:
    """What reads a connection."""
    return h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_MOST)


def checked(http: h11.Connection) -> h11.Connection:
    """What reads on, once what waits in `http` is looked at, which stands before a request. Raises ApiError.

    Clients of those years end a body with an empty line that they do not count, and write letters beyond ASCII into the
    target. h11 takes neither; between two requests, a new one of it is as good as the old.
    """
    waiting, ended = http.trailing_data
    request = _as_h11_takes_it(waiting)
    check(request)
    if request is waiting:
        return http
    anew = reader()
    if request:
        anew.receive_data(request)
    if ended:
        anew.receive_data(b"")
    return anew


def _as_h11_takes_it(waiting: bytes) -> bytes:
    """From the request line on, and of that line what is beyond ASCII in percent signs, as it is meant."""
    blank = _BLANK.match(waiting)
    if blank:
        waiting = waiting[blank.end() :]
    line, end, rest = waiting.partition(b"\n")
    if end and not line.isascii():
        line = _BEYOND_ASCII.sub(lambda found: b"%%%02X" % found[0][0], line)
        return line + end + rest
    return waiting


def check(head: bytes) -> None:
    """Raise ApiError for what is refused of a head that is complete, at the beginning of what waits to be read.

    h11 joins folded lines: a proxy in front may read them as something else (request smuggling).
    """
    end = _END.search(head)
    if end is None:
        return
    lines = head.count(b"\n", 0, end.end()) - 2
    if lines > LINES_MOST or end.end() > HEAD_MOST:
        raise refusals.TargetTooLong if _target_is_too_long(head) else refusals.HeadersTooLarge
    if head.find(b"\n ", 0, end.end()) >= 0 or head.find(b"\n\t", 0, end.end()) >= 0:
        raise refusals.malformed("A header line begins with a blank.")


def too_large(waiting: bytes) -> ApiError:
    """Which of the two is too large in a head that grew beyond what is read."""
    return refusals.TargetTooLong() if _target_is_too_long(waiting) else refusals.HeadersTooLarge()


def _target_is_too_long(head: bytes) -> bool:
    line = head.partition(b"\n")[0]
    return len(line.partition(b" ")[2].partition(b" ")[0]) > TARGET_MOST


def environment(request: h11.Request, basis: Mapping[str, Any]) -> dict[str, Any]:
    """The WSGI environment (PEP 3333), without the body. Raises ApiError for what is refused.

    Of names with an underscore none arrives: WSGI could not tell `X_Forwarded_For` from `X-Forwarded-For`.
    """
    if request.http_version not in (b"1.1", b"1.0"):
        raise refusals.VersionNotSupported
    path, query = _split(bytes(request.target))
    environ = {
        **basis,
        "REQUEST_METHOD": request.method.decode("ascii"),
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{request.http_version.decode('ascii')}",
    }
    names = []
    for raw, value in request.headers.raw_items():
        name, key = _known.get(raw) or _learn(raw)
        names.append(name)
        if not key:
            continue
        text = value.decode("latin-1")
        if key in environ:
            text = f"{environ[key]}{';' if key == 'HTTP_COOKIE' else ','}{text}"
        environ[key] = text
    environ[HEADER_NAMES] = names
    if "HTTP_TRANSFER_ENCODING" in environ:
        if "CONTENT_LENGTH" in environ:
            raise refusals.malformed("The request has both Content-Length and Transfer-Encoding.")
        if request.http_version != b"1.1":
            raise refusals.malformed("HTTP/1.0 has no Transfer-Encoding.")
    return environ


def _split(target: bytes) -> tuple[bytes, bytes]:
    """Path and query; of a whole address, as proxies are sent it, the host is left out (wire protocol §1)."""
    if len(target) > TARGET_MOST:
        raise refusals.TargetTooLong
    target = target.partition(b"#")[0]
    whole = _SCHEME.match(target)
    if whole:
        target = target[whole.end() :]
        if not target.startswith(b"/"):
            target = b"/" + target
    if not target.startswith(b"/"):
        raise refusals.malformed("The target must be a path, which begins with a slash.")
    path, _mark, query = target.partition(b"?")
    return path, query


def _learn(raw: bytes) -> tuple[str, str]:
    """The name as it was sent, and its key in the environment; "" for one that does not arrive."""
    raw = bytes(raw)
    name = raw.decode("latin-1")
    lower = raw.lower()
    key = "" if b"_" in raw else _UNPREFIXED.get(lower) or f"HTTP_{name.upper().replace('-', '_')}"
    found = (sys.intern(name), sys.intern(key))
    if len(_known) < _KNOWN_MOST and len(raw) < 100:
        _known[raw] = found
    return found
