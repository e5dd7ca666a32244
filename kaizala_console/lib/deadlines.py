"""A hard end for a call to the outside, whatever it is at: connecting, shaking hands, headers or body.

The time-outs of a socket begin anew with every byte, so that a side which sends one now and then holds a caller for
ever. Here a timer shuts the connection down, which wakes whoever waits for it.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TypeVar

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

Found = TypeVar("Found")

_here = threading.local()


class Deadline:
    """What is open in one call, and whether its time is over."""

    def __init__(self) -> None:
        self.is_over = False
        self.ends = math.inf  # of the monotonic clock
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._timers: list[threading.Timer] = []

    def within(self, seconds: float) -> None:
        """Have the call end so many seconds from now at the latest; what was said before still counts."""
        self.ends = min(self.ends, time.monotonic() + seconds)
        timer = threading.Timer(max(seconds, 0), self.cut)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def watch(self, connected: socket.socket) -> None:
        """Have this connection shut down at the end. A duplicate is kept: TLS takes the socket itself over."""
        with self._lock:
            self._open.append(connected.dup())
            if self.is_over:
                self._shut_down()

    def cut(self) -> None:
        """Shut down what is open."""
        with self._lock:
            self.is_over = True
            self._shut_down()

    def release(self) -> None:
        """Forget what was open; the call is done with it."""
        for timer in self._timers:
            timer.cancel()
        with self._lock:
            for kept in self._open:
                kept.close()
            self._open.clear()

    def _shut_down(self) -> None:
        for kept in self._open:
            with suppress(OSError):  # the other side was first
                kept.shutdown(socket.SHUT_RDWR)


@contextmanager
def deadline(seconds: float) -> Iterator[Deadline]:
    """Shut down, `seconds` from now, every connection that this thread opens inside the block."""
    begun = Deadline()
    _here.deadline = begun
    begun.within(seconds)
    try:
        yield begun
    finally:
        _here.deadline = None
        begun.release()


def resolve_in_time(look_up: Callable[[], Found]) -> Found:
    """Return what `look_up` returns, or raise TimeoutError at the end of the call that this thread is in.

    A name server is asked by the C library, which nothing can interrupt: the look-up runs in a thread of its own, which
    is left behind when it takes too long.
    """
    current: Deadline | None = getattr(_here, "deadline", None)
    if current is None:
        return look_up()
    found: Future[Found] = Future()

    def run() -> None:
        try:
            found.set_result(look_up())
        except Exception as problem:  # noqa: BLE001 (raised again by `result`)
            found.set_exception(problem)

    threading.Thread(target=run, name="resolve", daemon=True).start()
    return found.result(timeout=max(0, current.ends - time.monotonic()))


def watch_connections(manager: PoolManager) -> None:
    """Have the connections of a urllib3 pool manager watched."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


def _watched(connected: socket.socket) -> socket.socket:
    current: Deadline | None = getattr(_here, "deadline", None)
    if current is not None:
        current.watch(connected)
    return connected


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _watched(super()._new_conn())


class _SecureConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _watched(super()._new_conn())


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
