"""Reads the files of a multipart body (RFC 7578) as they arrive, within bounds and never wholly in memory.

Django's parser does the parsing. It is fed here, not by `request.FILES`, because Django reads nothing of a body that
comes in chunks without a Content-Length, as .NET sends it, and takes a body that breaks off for a whole one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from groups.media.parts import NamedParts
from groups.media.upload import MEBIBYTE, UNREADABLE_HEADERS, Incoming, header_parameter
from kaizala_console.api.errors import InvalidParameters, PayloadTooLarge

MULTIPART: Final = "multipart/"
_AROUND_FILES: Final = MEBIBYTE  # boundaries, headers and fields beside the files
_TAIL: Final = 2048  # bytes at the end of a body in which its closing boundary is looked for


@contextmanager
def files_of(request: HttpRequest) -> Iterator[list[Incoming]]:
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
