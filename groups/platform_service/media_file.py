"""Serves media files: `GET /media/<file>/<name>`, an address that the console itself signed (ADR 0051).

No token is asked for: the signature is the right. What is served here was uploaded by somebody, so that no browser may
take it for a page of the console: the content type is the one that was checked, and sniffing, scripts, frames and
plug-ins are ruled out. What browsers do not show by themselves is saved instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.utils.http import content_disposition_header

from groups.media import storage, urls
from groups.media.kinds import MediaKind
from groups.models import MediaFile
from kaizala_console.api.errors import MethodNotAllowed, Unauthorized, UnknownResource
from kaizala_console.lib import clock, ids

_CHUNK: Final = 65_536
_KEPT_SECONDS: Final = 3600  # by the browser of whoever opened it
_IN_THE_BUCKET_SECONDS: Final = 300
_RANGE: Final = re.compile(r"\s*bytes\s*=\s*(?P<first>[0-9]{0,18})\s*-\s*(?P<last>[0-9]{0,18})\s*", re.ASCII)
# A PDF is saved too: the viewers of browsers do not work in a sandbox.
_SHOWN: Final = frozenset({MediaKind.IMAGE, MediaKind.ALBUM, MediaKind.AUDIO, MediaKind.VIDEO})
_HEADERS: Final = {
    "Accept-Ranges": "bytes",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
    ),
    "Cross-Origin-Resource-Policy": "cross-origin",  # pictures are shown on other sites
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


def media_file(request: HttpRequest, file_id: str, name: str) -> HttpResponseBase:
    """Answers with the file, or a part of it (RFC 9110 §14), to whoever has an address that is still good.

    Raises Unauthorized for an address that is not ours or has ended, before anything is looked up; UnknownResource when
    the file was deleted; GatewayDown when the store does not answer.
    """
    if request.method not in ("GET", "HEAD"):
        raise MethodNotAllowed(["GET", "HEAD"])
    key = ids.parse_guid(file_id)
    parts = {"expires": request.GET.get("e", ""), "signature": request.GET.get("s", "")}
    if key is None or not urls.opens(key, name, **parts, at=clock.now()):
        raise Unauthorized("This address is not valid, or its time is over.")
    file = MediaFile.objects.select_related("resource").filter(pk=key, resource__stored_at__isnull=False).first()
    if file is None:
        raise UnknownResource
    return _answer(request, file)


def _answer(request: HttpRequest, file: MediaFile) -> HttpResponseBase:
    headers = {
        **_HEADERS,
        "ETag": f'"{file.sha256}"',
        "Cache-Control": f"private, max-age={_KEPT_SECONDS}",
        "Content-Disposition": _disposition(file),
    }
    if headers["ETag"] in [tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")]:
        return HttpResponse(status=304, headers=headers)
    part = _part(request, file)
    if part is None:
        headers["Content-Range"] = f"bytes */{file.size}"
        return HttpResponse(status=416, content_type="text/plain", headers=headers)
    first, length = part
    headers["Content-Length"] = str(length)
    if length < file.size:
        headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{file.size}"
    status = 206 if length < file.size else 200
    if request.method == "HEAD":
        return StreamingHttpResponse([], status=status, content_type=file.content_type, headers=headers)
    try:
        opened = storage.opened(file.key)
    except FileNotFoundError:
        raise UnknownResource from None
    if opened is None:
        # The bucket serves it, ranges and all: a web process answers one request at a time, and videos are long.
        return HttpResponseRedirect(
            storage.address(
                file.key,
                content_type=file.content_type,
                disposition=headers["Content-Disposition"],
                seconds=_IN_THE_BUCKET_SECONDS,
            ),
            headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"},
        )
    return StreamingHttpResponse(
        _Piece(opened, first, length), status=status, content_type=file.content_type, headers=headers
    )


def _disposition(file: MediaFile) -> str:
    return content_disposition_header(as_attachment=file.resource.kind not in _SHOWN, filename=file.name) or "inline"


def _part(request: HttpRequest, file: MediaFile) -> tuple[int, int] | None:
    """Where to begin and how many bytes: the whole file unless one range is asked for; None for one that is not there.

    Several ranges at once, and what cannot be read as a range, are answered with the whole, as RFC 9110 §14.2 allows.
    """
    whole = 0, file.size
    asked = _RANGE.fullmatch(request.headers.get("Range", ""))
    if asked is None or request.headers.get("If-Range", f'"{file.sha256}"').strip() != f'"{file.sha256}"':
        return whole
    first, last = asked["first"], asked["last"]
    if not first:  # the last so many bytes
        count = min(int(last), file.size) if last else 0
        return (file.size - count, count) if count else (None if last else whole)
    begin, end = int(first), min(int(last), file.size - 1) if last else file.size - 1
    if last and int(last) < int(first):
        return whole
    return (begin, end - begin + 1) if begin < file.size else None


class _Piece:
    """Some bytes of a file, read as they are sent; the server closes it."""

    def __init__(self, file: BinaryIO, first: int, length: int) -> None:
        self._file = file
        self._file.seek(first)
        self._left = length

    def __iter__(self) -> Iterator[bytes]:
        while self._left and (content := self._file.read(min(_CHUNK, self._left))):
            self._left -= len(content)
            yield content

    def close(self) -> None:
        self._file.close()
