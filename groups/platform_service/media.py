"""Media on the wire: `POST /v1/media`, and the door that serves files (wire protocol §6, Media)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO, Final
from uuid import UUID

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
    UnreadablePostError,
)
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.http import content_disposition_header

from connectors.authentication import operation
from groups.media import storage
from groups.media.content import FILE_TYPES, MediaKind
from groups.media.upload import MEBIBYTE, UNREADABLE_HEADERS, Incoming, NamedParts, header_parameter
from groups.models import MediaFile
from groups.services import media as media_fetch
from groups.services import media as services
from kaizala_console.api import lenient_json
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.errors import (
    InvalidParameters,
    MethodNotAllowed,
    PayloadTooLarge,
    ServiceUnavailable,
    Unauthorized,
    UnknownResource,
    UnsupportedMediaType,
)
from kaizala_console.api.fields import Body, HttpsUrl
from kaizala_console.api.request_body import JSON, read_bytes
from kaizala_console.api.responses import Answer
from kaizala_console.lib import clock, ids

_NO_WRAPPING = ("image/", "audio/", "video/", "application/pdf", "application/vnd", "application/msword")


class MediaToFetch(Body):
    """Instead of files: an https address from which the console fetches one itself."""

    media_url: HttpsUrl


class MediaStored(Answer):
    """What Actions are posted with, as `mediaResource`."""

    media_resource: UUID


@operation(
    scope="media.write",
    body=MediaToFetch,
    uploads=tuple(each.content_type for each in FILE_TYPES),
    response=MediaStored,
    refuses=(UnsupportedMediaType, PayloadTooLarge, ServiceUnavailable),
    summary="Upload a file, or several images as an album",
)
def upload_media(call: Call) -> dict[str, str]:
    """Takes files as multipart/form-data under any field names, or `{"mediaUrl": "https://…"}` to fetch one from."""
    request = call.request
    content_type = request.META.get("CONTENT_TYPE", "").strip().lower()
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if content_type.startswith(_NO_WRAPPING) or encoding not in ("", "identity"):
        raise UnsupportedMediaType(["multipart/form-data", JSON])
    if content_type.startswith(MULTIPART):
        with read_files(request) as files:
            stored = services.store(files=files, by=call.caller)
    else:
        wanted = MediaToFetch.parse(_read_json(request))
        stored = media_fetch.fetch_and_store(url=wanted.media_url, by=call.caller)
    return {"mediaResource": str(stored.pk)}


def _read_json(request: HttpRequest) -> Any:
    """The body, which may well be a file: programs declare JSON for all that they send, or nothing."""
    try:
        return lenient_json.loads(read_bytes(request))
    except InvalidParameters as problem:
        hint = "Files are sent as multipart/form-data, with a Content-Type that says so."
        raise InvalidParameters(f"{problem} {hint}") from problem


@operation(
    scope="media.write",
    body=MediaToFetch,
    response=MediaStored,
    refuses=(UnsupportedMediaType, PayloadTooLarge, ServiceUnavailable),
    summary="Have a file fetched from a web address",
)
def fetch_media(call: Call) -> dict[str, str]:
    """As `POST /v1/media` with `mediaUrl`, under the path that the samples of those years have."""
    return {"mediaResource": str(media_fetch.fetch_and_store(url=call.body.media_url, by=call.caller).pk)}


media = resource(POST=upload_media)
media_url = resource(POST=fetch_media)


# ----------------------------------------------------------------------------------------------------
# Reads the files of a multipart body (RFC 7578) as they arrive, within bounds and never wholly in memory.
#
# Django's parser does the parsing. It is fed here, not by `request.FILES`, because Django reads nothing of a body that
# comes in chunks without a Content-Length, as .NET sends it, and takes a body that breaks off for a whole one.


MULTIPART: Final = "multipart/"
_AROUND_FILES: Final = MEBIBYTE  # boundaries, headers and fields beside the files
_TAIL: Final = 2048  # bytes at the end of a body in which its closing boundary is looked for


@contextmanager
def read_files(request: HttpRequest) -> Iterator[list[Incoming]]:
    """The files of a multipart body, under any field names, in their order; closed when the context ends.

    Raises InvalidParameters (no file, too many, an empty one, not multipart inside, broken off), PayloadTooLarge,
    GatewayDown when they cannot be kept, UnreadablePostError when the client went away.
    """
    with ExitStack() as opened:
        handler = _Files(request, opened)
        body = _Bounded(request)
        if not body.boundary:
            raise InvalidParameters("Content-Type has no boundary: let the library that packs the files write it.")
        meta = {
            **request.META,
            "CONTENT_TYPE": _in_lower_case(request.META["CONTENT_TYPE"]),
            "CONTENT_LENGTH": str(body.declared or body.most),  # 0 would be read as "no body"
        }
        try:
            named = NamedParts(body.read, body.boundary)
            MultiPartParser(meta, named, [handler], "utf-8").parse()  # type: ignore[arg-type]
        except (MultiPartParserError, *UNREADABLE_HEADERS) as problem:
            raise InvalidParameters("The body cannot be read as multipart/form-data.") from problem
        except RequestDataTooBig:
            raise PayloadTooLarge("The fields beside the files are too large.") from None
        except SuspiciousOperation:  # too many parts
            raise InvalidParameters(f"The body has too many parts. {_files_expected()}") from None
        body.check_that_all_came()
        if not handler.files:
            raise InvalidParameters(f"The body holds no file with a name. {_files_expected()}", field="files")
        for file in handler.files:
            if not file.size:
                raise InvalidParameters("files: a file is empty; expected its content.", field="files")
            file.finish()
        yield handler.files


def _in_lower_case(content_type: str) -> str:
    """As Django's parser wants it; the boundary stays as it is."""
    kind, semicolon, parameters = content_type.partition(";")
    return f"{kind.strip().lower()}{semicolon}{parameters}"


def _files_expected() -> str:
    return f"Expected 1 to {settings.MEDIA_MAX_FILES} files as multipart/form-data."


class _Files(FileUploadHandler):
    """Keeps the files itself: the parser's own collection knows them by field names, which mean nothing here."""

    def __init__(self, request: HttpRequest, opened: ExitStack) -> None:
        super().__init__(request)
        self.files: list[Incoming] = []
        self._opened = opened

    def new_file(self, field_name: str, file_name: str, content_type: str, *rest: Any, **options: Any) -> None:
        if len(self.files) == settings.MEDIA_MAX_FILES:
            raise InvalidParameters(f"files: there are too many. {_files_expected()}", field="files")
        self.files.append(self._opened.enter_context(Incoming(file_name, content_type)))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.files[-1].write(raw_data)

    def file_complete(self, file_size: int) -> None:
        return None


class _Bounded:
    """The body as it arrives, up to all files that a request may have. Remembers how it ended."""

    def __init__(self, request: HttpRequest) -> None:
        self.most = settings.MEDIA_MAX_REQUEST_MB * MEBIBYTE + _AROUND_FILES
        declared = request.META.get("CONTENT_LENGTH") or ""
        self.declared = int(declared) if declared.isascii() and declared.isdecimal() and len(declared) < 19 else 0
        if self.declared > self.most:
            raise _too_large()
        chunked = not declared and "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
        self._body = request.META["wsgi.input"] if chunked else request
        self.boundary = header_parameter(request.META.get("CONTENT_TYPE", ""), "boundary")
        self._read = 0
        self._tail = b""

    def read(self, size: int) -> bytes:
        """Raises PayloadTooLarge beyond the bound, UnreadablePostError when the client went away."""
        try:
            content: bytes = self._body.read(size)
        except OSError as problem:
            raise UnreadablePostError(*problem.args) from problem
        self._read += len(content)
        if self._read > self.most:
            raise _too_large()
        self._tail = (self._tail + content)[-_TAIL:]
        return content

    def check_that_all_came(self) -> None:
        """Raises InvalidParameters for a body that breaks off."""
        for rest in iter(lambda: self.read(65_536), b""):  # what stands behind the closing boundary
            del rest
        if self._read < self.declared or f"--{self.boundary}--".encode() not in self._tail:
            raise InvalidParameters("The body breaks off before its end. Nothing was stored.")


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(f"All files together are larger than {settings.MEDIA_MAX_REQUEST_MB} MB.")


# ----------------------------------------------------------------------------------------------------
# Serves media files: `GET /media/<file>/<name>`, an address that the console itself signed (ADR 0051).
#
# No token is asked for: the signature is the right. What is served here was uploaded by others, so that no browser may
# take it for a page of the console: the content type is the one that was checked, and sniffing, scripts, frames and
# plug-ins are ruled out. What browsers do not show by themselves is saved instead.


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
    if key is None or not storage.is_valid_address(key, name, **parts, at=clock.now()):
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
