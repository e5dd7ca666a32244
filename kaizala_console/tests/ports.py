"""A port of this machine for a server of a test's own."""

from __future__ import annotations

import itertools
import os
import secrets
import socket

# The system gives the ports from 32768 on to whoever asks for any, as receivers in other processes do all the time:
# also while a server of ours starts, or starts again.
BELOW = range(20_000, 32_000)
PROCESSES = 16
# Each process of a run has ports of its own: gw0, gw1 … Where it begins is left to chance, and not to the module
# `random`, which begins anew with each test.
_process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PROCESSES
_ours = BELOW[_process::PROCESSES]
_places = itertools.count(secrets.randbelow(len(_ours)))


def free_port() -> int:
    """One that nobody listens on, and that no other process of the run is given."""
    for place in itertools.islice(_places, len(_ours)):
        number = _ours[place % len(_ours)]
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
        return number
    raise AssertionError("every port is taken")
