"""Gives a name to the files of a multipart body that come without one.

`MultipartFormDataContent.Add(content)` and `.Add(content, name)` of .NET send a file without `filename`, with its own
`Content-Type` alone. Django's parser takes such a part for a field of text, or passes over it. So the headers of such
parts are completed here, as the body streams by; everything else stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from groups.media.content import claimed

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
