"""Starts the web processes, starts those again that die, and ends them together."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from types import FrameType

from kaizala_console.processes import follow_parent
from kaizala_console.server.worker import STOP_SECONDS, bound, run

POLL_SECONDS = 0.1
AGAIN_SECONDS = 1  # between two starts of one process: who cannot start at all shall not fill the log


class Supervisor:
    """Keeps so many workers alive until it is asked to stop."""

    def __init__(self, command: list[str], workers: int) -> None:
        self._command = command
        self._workers: list[subprocess.Popen[bytes] | None] = [None] * workers
        self._started_at = [0.0] * workers
        self._stop_asked = False

    def run(self) -> None:
        """Returns when all have ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stop_asked:
            for place, worker in enumerate(self._workers):
                self._look_after(place, worker)
            time.sleep(POLL_SECONDS)
        self._end()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stop_asked = True

    def _look_after(self, place: int, worker: subprocess.Popen[bytes] | None) -> None:
        if worker is not None:
            if worker.poll() is None:
                return
            sys.stderr.write(f"A web process ended by itself ({worker.returncode}); it is started again.\n")
            self._workers[place] = None
        if time.monotonic() - self._started_at[place] >= AGAIN_SECONDS or not self._started_at[place]:
            self._started_at[place] = time.monotonic()
            self._workers[place] = subprocess.Popen(self._command)  # noqa: S603 - our own command line

    def _end(self) -> None:
        alive = [worker for worker in self._workers if worker is not None]
        for worker in alive:
            worker.terminate()
        deadline = time.monotonic() + STOP_SECONDS + 1
        for worker in alive:
            try:
                worker.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def refuse_a_busy_port(host: str, port: int) -> None:
    """Ends the process when somebody listens there: sockets of one user would share the port without a word."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.exit(f"{host}:{port} cannot be used: {os.strerror(error.errno or 0).lower()}.")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m kaizala_console.server", description="Runs the web processes.")
    parser.add_argument("--host", default=os.environ.get("CONSOLE_HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("CONSOLE_PORT", "8000")))
    parser.add_argument("--workers", type=int, default=int(os.environ.get("CONSOLE_WORKERS", "2")))
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        run(options.host, options.port)
        return
    if sys.platform == "linux":
        follow_parent()
    refuse_a_busy_port(options.host, options.port)
    with bound(options.host, options.port):  # kept from others for as long as we are here, while workers come and go
        where = ["--host", options.host, "--port", str(options.port)]
        Supervisor([sys.executable, "-m", "kaizala_console.server", "--worker", *where], options.workers).run()


if __name__ == "__main__":
    main()
