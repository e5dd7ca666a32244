"""One request and its answer, as a thread sees it: it calls the application, and hands what that answers to the loop.

The body has arrived before, and an answer is handed over whole unless it is long: who sends or reads slowly holds up
no thread while he sends, and of long answers only the part that the system's buffers do not hold.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final
from wsgiref.util import FileWrapper

import structlog

if TYPE_CHECKING:
    from kaizala_console.server.connection import Connection

logger = structlog.get_logger(__name__)

PART: Final = 262_144  # bytes of a long answer that go to the loop at once
READER_SECONDS: Final = 60  # who takes nothing of a long answer for so long is given up
_PART_SECONDS: Final = 0.2

Headers = list[tuple[bytes, bytes]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType]


class ReaderGone(Exception):
    """Nobody waits for the answer any more."""


class File(FileWrapper):
    """`wsgi.file_wrapper`: reads files in parts as large as they are sent."""

    def __init__(self, filelike: IO[bytes], blksize: int = PART) -> None:
        super().__init__(filelike, PART)


class Exchange:
    """A request whose body is here. `run` is called by a thread, once."""

    def __init__(self, connection: Connection, application: Callable[..., Iterable[bytes]], environ: dict[str, Any]):
        self.environ = environ
        self.body: IO[bytes] = environ["wsgi.input"]
        self._connection = connection
        self._application = application
        self._status = ""
        self._headers: Headers = []
        self._started = False  # whether anything has gone to the loop
        self._written: list[bytes] = []

    def run(self) -> None:
        """Call the application and pass its answer on."""
        try:
            self._answer()
        except ReaderGone:
            pass
        except Exception:
            logger.exception("server.application_failed")
            self._connection.call(self._connection.fail, self)
        finally:
            self.body.close()

    def _answer(self) -> None:
        result = self._application(self.environ, self._start_response)
        try:
            parts, size, since = self._written, 0, time.monotonic()
            for part in result:
                parts.append(part)
                size += len(part)
                if size >= PART or (len(parts) > 1 and time.monotonic() - since > _PART_SECONDS):
                    self._pass_on(b"".join(parts))
                    parts, size, since = [], 0, time.monotonic()
            self._connection.call(self._connection.answer, self, *self._head(), b"".join(parts), True, None)
            self._started = True
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        if exc_info and self._started:
            raise exc_info[1]
        self._status = status
        # Django begins the values of cookies with a blank.
        self._headers = [(name.encode("latin-1"), value.strip(" \t").encode("latin-1")) for name, value in headers]
        return self._written.append

    def _head(self) -> tuple[str, Headers]:
        """Status and headers for the first part, none for those after it."""
        return ("", []) if self._started else (self._status, self._headers)

    def _pass_on(self, part: bytes) -> None:
        """Hand a part to the loop, and wait until the reader has taken most of it. Raises ReaderGone."""
        taken = threading.Event()
        self._connection.call(self._connection.answer, self, *self._head(), part, False, taken)
        self._started = True
        if not taken.wait(READER_SECONDS):
            self._connection.call(self._connection.abort)
            raise ReaderGone
        if self._connection.gone:
            raise ReaderGone
