"""One connection: h11 reads what arrives, threads answer it, and everything that cannot be read gets the three fields.

A protocol class for uvicorn's server, which keeps the loop and the end (`connections` and `shutdown` are its contract).
The application is plain WSGI: nothing of ASGI is in between.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, Final, cast
from uuid import uuid4

import h11
import structlog
from django.conf import settings
from uvicorn.config import Config
from uvicorn.server import ServerState

from kaizala_console.api.errors import ApiError, InternalError, PayloadTooLarge, ServiceUnavailable
from kaizala_console.api.routing import ROUTE
from kaizala_console.server import heads, refusals
from kaizala_console.server.exchange import READER_SECONDS, Exchange, Headers, ReaderGone
from kaizala_console.server.serving import Phase, Worker

logger = structlog.get_logger(__name__)

TICK_SECONDS: Final = 5  # how often a connection looks at the clock
LINGER_SECONDS: Final = 2  # for a refusal to arrive before what is still being sent is cut off
AHEAD_MOST: Final = 65_536  # bytes that are read of what comes after the request at hand
CHUNKS_MOST: Final = 20_000  # of a body, when they are smaller on average than
CHUNK_LEAST: Final = 16  # bytes: each costs the loop as much as a request's head
IN_MEMORY_MOST: Final = 262_144  # bytes of a body; a longer one is a file without a name


class Connection(asyncio.Protocol):
    """Reads requests one after the other and writes their answers in that order."""

    worker: Worker  # set once in each process, before it listens

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.loop = _loop or asyncio.get_running_loop()
        self.gone = False
        self._state = server_state
        self._http = heads.reader()
        self._environ: dict[str, Any] | None = None  # of the request whose body arrives
        self._body: IO[bytes] | None = None
        self._size = self._chunks = 0
        self._exchange: Exchange | None = None  # the request that is being answered
        self._ahead = 0
        self._bodiless = False
        self._left = 0  # bytes that the system has not taken yet, of a connection that closes
        self._phase, self._deadline = Phase.IDLE, 0.0
        self._clock: asyncio.TimerHandle | None = None
        self._stopping = False  # no further request is taken
        self._lingering = False
        self._paused: list[threading.Event] | None = None  # who waits for the reader; None when nothing stands still

    # What the loop calls --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._address = peer[0] if isinstance(peer, tuple) else ""
        self._state.connections.add(self)  # type: ignore[arg-type] # its own classes
        self._wait_for(Phase.IDLE)
        self._tick()
        if len(self._state.connections) > self.worker.connections_most:
            self._refuse(ServiceUnavailable())

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._state.connections.discard(self)
        if self._clock is not None:
            self._clock.cancel()
        self._drop_body()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        self._http.receive_data(data)
        if self._exchange is not None or self._paused is not None:
            self._ahead += len(data)
            if self._ahead > AHEAD_MOST:
                self._transport.pause_reading()
            return
        if self._environ is not None:
            self._wait_for(Phase.BODY)
        self._read(new_line=b"\n" in data)

    def eof_received(self) -> bool:
        """Returns whether the connection stays open: who has said all may still wait for the answer."""
        if self._lingering or self._http.our_state is h11.ERROR:
            return False
        self._http.receive_data(b"")
        if self._exchange is None:
            self._read(new_line=True)
        return self._exchange is not None or self._paused is not None or self._lingering

    def pause_writing(self) -> None:
        self._paused = []

    def resume_writing(self) -> None:
        waiting, self._paused = self._paused or [], None
        for taken in waiting:
            taken.set()
        if not self.gone and self._exchange is None:
            self._go_on()

    def shutdown(self) -> None:
        """The process is asked to end: what has begun to arrive is answered, and nothing after it."""
        self._stopping = True
        if self._exchange is None and self._environ is None:
            self._transport.close()

    # Reading --------------------------------------------------------------------------------------------------------

    def _read(self, new_line: bool) -> None:
        """Take from h11 what has arrived, up to the end of one request."""
        try:
            while self._exchange is None and self._paused is None and not self._lingering:
                if new_line and self._http.their_state is h11.IDLE:
                    self._http = heads.checked(self._http)
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    self._need_data()
                    return
                if isinstance(event, h11.Request):
                    self._begin(event)
                elif isinstance(event, h11.Data):
                    self._take(event)
                elif isinstance(event, h11.EndOfMessage):
                    self._answer()
                else:  # the client has closed
                    self._transport.close()
                    return
        except h11.RemoteProtocolError as problem:
            refusal = refusals.of(problem)
            if isinstance(refusal, refusals.HeadersTooLarge):
                refusal = heads.too_large(self._http.trailing_data[0])
            self._refuse(refusal)
        except ApiError as refusal:
            self._refuse(refusal)
        except OSError:
            logger.exception("server.body_not_stored")
            self._refuse(ServiceUnavailable())

    def _need_data(self) -> None:
        if self._environ is not None:
            if self._http.they_are_waiting_for_100_continue:
                self._send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
        elif self._phase is Phase.IDLE and self._http.trailing_data[0]:
            self._wait_for(Phase.HEAD)

    def _begin(self, request: h11.Request) -> None:
        environ = heads.environment(request, self.worker.basis)
        environ["REMOTE_ADDR"] = self._address
        if int(environ.get("CONTENT_LENGTH", 0)) > self.worker.body_most:
            raise PayloadTooLarge
        self._environ, self._size, self._chunks = environ, 0, 0
        folder = str(settings.MEDIA_INCOMING_DIR)
        self._body = tempfile.SpooledTemporaryFile(IN_MEMORY_MOST, dir=folder)  # noqa: SIM115 (closed by the exchange)
        self._wait_for(Phase.BODY)

    def _take(self, event: h11.Data) -> None:
        data = event.data
        self._size += len(data)
        self.worker.arriving += len(data)
        self._chunks += event.chunk_start
        if self._chunks > CHUNKS_MOST and self._size < self._chunks * CHUNK_LEAST:
            raise refusals.malformed("The chunks of the body are too small.")
        if self._size > self.worker.body_most:
            raise PayloadTooLarge
        if self.worker.arriving > self.worker.arriving_most:
            raise ServiceUnavailable
        if self._body is not None:
            self._body.write(data)

    def _answer(self) -> None:
        """The request is here: a thread answers it."""
        environ, body = self._environ, self._body
        if environ is None or body is None:  # pragma: no cover - h11 says Request first
            return
        self._environ = self._body = None
        self.worker.arriving -= self._size
        self._wait_for(Phase.ANSWER)
        body.seek(0)
        environ["wsgi.input"] = body
        if environ.pop("HTTP_TRANSFER_ENCODING", ""):
            environ["CONTENT_LENGTH"] = str(self._size)
        self._size = self._ahead = 0
        self._exchange = Exchange(self, self.worker.application, environ)
        self.worker.threads.put(self._exchange)

    def _drop_body(self) -> None:
        if self._body is not None:
            self._body.close()
        self.worker.arriving -= self._size
        self._body, self._size = None, 0

    # Answering ------------------------------------------------------------------------------------------------------

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """From a thread: have the loop call it."""
        try:
            self.loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError as problem:  # the process ends
            raise ReaderGone from problem

    def answer(
        self, exchange: Exchange, status: str, headers: Headers, part: bytes, last: bool, taken: threading.Event | None
    ) -> None:
        """Write a part of the answer, with its head when there is a status. `taken` is set when there is room again."""
        if exchange is self._exchange and not self.gone:
            try:
                self._write(exchange.environ["REQUEST_METHOD"], status, headers, part, last)
            except h11.LocalProtocolError:
                # Without what h11 says: it repeats the header that it refuses, which may be a cookie.
                logger.error("server.answer_is_no_http", route=exchange.environ.get(ROUTE, ""))  # noqa: TRY400
                self.fail(exchange)
        if taken is not None:
            if self._paused is None or self.gone:
                taken.set()
            else:
                self._paused.append(taken)

    def _write(self, method: str, status: str, headers: Headers, part: bytes, last: bool) -> None:
        if status:
            code = int(status[:3])
            self._bodiless = method == "HEAD" or code in (204, 304)
            if last and not self._bodiless and not any(name.lower() == b"content-length" for name, _value in headers):
                headers = [*headers, (b"Content-Length", str(len(part)).encode())]
            if self._stopping:
                headers = [*headers, (b"Connection", b"close")]
            headers = [*headers, *self._state.default_headers]
            head = self._http.send(h11.Response(status_code=code, headers=headers, reason=status[4:].encode("latin-1")))
            body = self._http.send(h11.Data(data=part)) if part and not self._bodiless else b""
            self._transport.write((head or b"") + (body or b""))
        elif part and not self._bodiless:
            self._send(h11.Data(data=part))
        if last:
            self._send(h11.EndOfMessage())
            self._next()

    def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._transport.write(data)

    def _next(self) -> None:
        """The answer is written: on to the next request, or the end."""
        self._exchange = None
        if self._stopping or self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            self._linger()
            return
        self._http.start_next_cycle()
        self._wait_for(Phase.IDLE)
        self._go_on()

    def _go_on(self) -> None:
        """Read the next request, or that there is none. Who reads no answers waits with his requests, too."""
        if self._paused is not None or self._transport.is_closing():
            return
        self._ahead = 0
        self._transport.resume_reading()
        if any(self._http.trailing_data):
            self._read(new_line=True)

    def fail(self, exchange: Exchange) -> None:
        """The application raised, or answered what is no HTTP."""
        if exchange is not self._exchange or self.gone:
            return
        if self._http.our_state is h11.SEND_RESPONSE:
            self._refuse(InternalError())
        else:
            self.abort()

    def _refuse(self, refusal: ApiError) -> None:
        """Answer with the three fields, and close."""
        request_id = uuid4().hex
        logger.info("server.refused", status=refusal.status, reason=refusal.error_code, request_id=request_id)
        self._drop_body()
        self._exchange = self._environ = None
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.abort()
            return
        head, body = refusals.answer(refusal, [(b"X-Request-ID", request_id.encode()), *self._state.default_headers])
        self._send(head)
        with suppress(h11.LocalProtocolError):  # an answer to HEAD has no body
            self._send(body)
        self._linger()

    def _linger(self) -> None:
        """Close when the client has closed, or soon: closing at once while he still sends would cut the answer off."""
        self._lingering = True
        if self._http.trailing_data[1]:  # he has closed
            self._transport.close()
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()
        self.loop.call_later(LINGER_SECONDS, self._transport.close)

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    # Time -----------------------------------------------------------------------------------------------------------

    def _wait_for(self, phase: Phase) -> None:
        self._phase, self._deadline = phase, self.loop.time() + phase.value

    def _tick(self) -> None:
        """One coarse clock a connection: a timer for each wait of each request would cost more than the request."""
        self._clock = self.loop.call_later(TICK_SECONDS, self._tick)
        if self._transport.is_closing():
            self._give_up_who_reads_nothing()
        elif self._phase is Phase.ANSWER or self._lingering or self.loop.time() < self._deadline:
            return
        elif self._phase is Phase.IDLE:
            self._transport.close()
        else:
            self._refuse(refusals.RequestTimeout())

    def _give_up_who_reads_nothing(self) -> None:
        """A connection closes when all is written, which may be never."""
        left = self._transport.get_write_buffer_size()
        if left != self._left:
            self._left, self._deadline = left, self.loop.time() + READER_SECONDS
        elif self.loop.time() > self._deadline:
            self.abort()
