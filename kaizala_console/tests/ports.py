"""A port of this machine for a server of a test's own."""

from __future__ import annotations

import socket


def free_port() -> int:
    """One that nobody listens on, as far as can be known: it is let go again before it is used."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number
