"""A file on its way in: written piece by piece to a nameless temporary file, measured and digested as it goes."""

from __future__ import annotations

import errno
import hashlib
import re
import tempfile
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

import structlog
from django.conf import settings
from django.utils.http import parse_header_parameters
from django.utils.translation import gettext as _

from groups.media.content import claimed
from kaizala_console.api.errors import PayloadTooLarge
from kaizala_console.lib.errors import GatewayDown

logger = structlog.get_logger(__name__)

MEBIBYTE: Final = 1024 * 1024
_LONGEST_HEADER: Final = 4096
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


# What the standard library's parser of headers raises for some that make no sense (RFC 2231 numbering, charsets).
UNREADABLE_HEADERS: Final = (ValueError, TypeError, LookupError)


def header_parameter(header: str, name: str) -> str:
    """A parameter of a header, as `filename` of Content-Disposition, RFC 2231 and all; "" when there is none.

    "" too for a header so long that reading it would take a moment.
    """
    if len(header) > _LONGEST_HEADER:
        return ""
    try:
        return str(parse_header_parameters(header)[1].get(name, ""))
    except UNREADABLE_HEADERS:
        return ""


def largest_file() -> int:
    """The most bytes of one file."""
    return int(settings.MEDIA_MAX_MB) * MEBIBYTE


class Incoming:
    """Close it, or use it as a context. Its temporary file has no name, so it is gone then, and after any crash too."""

    def __init__(self, name: str, content_type: str = "") -> None:
        self.name = name
        self.content_type = content_type
        self.size = 0
        self._digest = hashlib.sha256()
        try:
            file = tempfile.TemporaryFile(dir=settings.MEDIA_INCOMING_DIR)  # noqa: SIM115 (closed by `close`)
        except OSError as problem:
            raise _no_room(problem) from problem
        self.file = cast("BinaryIO", file)

    def write(self, content: bytes) -> None:
        """Adds `content`. Raises PayloadTooLarge over MEDIA_MAX_MB, GatewayDown when the disk takes no more."""
        self.size += len(content)
        if self.size > largest_file():
            raise PayloadTooLarge(f"A file is larger than {settings.MEDIA_MAX_MB} MB, the most that is allowed.")
        self._digest.update(content)
        try:
            self.file.write(content)
        except OSError as problem:
            raise _no_room(problem) from problem

    def finish(self) -> None:
        """Says that all was written. Raises GatewayDown when the disk does not take the rest."""
        try:
            self.file.flush()
            self.file.seek(0)
        except OSError as problem:
            raise _no_room(problem) from problem

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def close(self) -> None:
        """Gives the temporary file up; what could not be written any more does not matter."""
        try:
            self.file.close()
        except OSError:
            logger.warning("media.incoming_not_flushed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _no_room(problem: OSError) -> GatewayDown:
    logger.error("media.incoming_not_written", reason=errno.errorcode.get(problem.errno or 0, ""), exc_info=problem)
    if problem.errno in _NO_SPACE:
        return GatewayDown(
            _("There is no room for this file at the moment. Nothing was stored; please try again later.")
        )
    return GatewayDown(_("The file cannot be stored at the moment. Nothing was kept; please try again later."))


# ----------------------------------------------------------------------------------------------------
# Gives a name to the files of a multipart body that come without one.
#
# `MultipartFormDataContent.Add(content)` and `.Add(content, name)` of .NET send a file without `filename`, with its own
# `Content-Type` alone. Django's parser takes such a part for a field of text, or passes over it. So the headers of such
# parts are completed here, as the body streams by; everything else stays as it is.


_MOST_OF_HEADERS: Final = 8192  # bytes; longer ones are left to the parser
_END_OF_HEADERS: Final = b"\r\n\r\n"
_TYPE: Final = re.compile(rb"^content-type:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_DISPOSITION: Final = re.compile(rb"^content-disposition:[^\r\n]*", re.IGNORECASE | re.MULTILINE)
_NAME: Final = re.compile(rb";\s*name\*?\s*=", re.IGNORECASE)
_FILENAME: Final = re.compile(rb";\s*filename[*0-9]*\s*=", re.IGNORECASE)


class NamedParts:
    """A body that is read like the one it wraps."""

    def __init__(self, read: Callable[[int], bytes], boundary: str) -> None:
        self._read = read
        self._delimiter = b"--" + boundary.encode("utf-8", "replace")
        self._held = b""
        self._in_headers = False
        self._at_end = False

    def read(self, size: int) -> bytes:
        """Return some of the body, b"" at its end. Raises what the wrapped `read` raises."""
        while not self._at_end:
            content = self._read(size)
            self._at_end = not content
            self._held += content
            if out := self._ready():
                return out
        rest, self._held = self._held, b""
        return rest

    def _ready(self) -> bytes:
        """What of the held bytes can go on, completed; the rest waits for what follows it."""
        out = []
        while True:
            mark = _END_OF_HEADERS if self._in_headers else self._delimiter
            found = self._held.find(mark)
            if found < 0:
                break
            end = found + len(mark)
            piece, self._held = self._held[:end], self._held[end:]
            out.append(_completed(piece) if self._in_headers else piece)
            self._in_headers = not self._in_headers
        if self._in_headers and len(self._held) > _MOST_OF_HEADERS:
            self._in_headers = False
        if not self._in_headers:
            kept = len(self._delimiter) - 1
            out.append(self._held[:-kept])
            self._held = self._held[-kept:]
        return b"".join(out)


def _completed(headers: bytes) -> bytes:
    kind = _TYPE.search(headers)
    if kind is None or claimed("", kind[1].decode("latin-1")) is None:
        return headers
    disposition = _DISPOSITION.search(headers)
    if disposition is None:
        return b'\r\nContent-Disposition: form-data; name="files"; filename="file"' + headers
    line = disposition[0]
    if not _FILENAME.search(line):
        line += b'; filename="file"'
    if not _NAME.search(line):
        line += b'; name="files"'
    return headers.replace(disposition[0], line, 1)
