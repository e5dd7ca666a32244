"""A file on its way in: written piece by piece to a nameless temporary file, measured and digested as it goes."""

from __future__ import annotations

import errno
import hashlib
import tempfile
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

import structlog
from django.conf import settings
from django.utils.http import parse_header_parameters
from django.utils.translation import gettext as _

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
