"""Facts put into words, for messages to people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from connectors import permissions as scopes
from connectors.permissions import Permission
from kaizala_console.lib import moments


def moment(at: dt.datetime) -> str:
    """The moment in the reader's zone and language, with the zone's name: `17 Dec 2026, 14:05 IST`."""
    return moments.exact(at)


def utc(at: dt.datetime) -> str:
    """The moment for programs' logs, the same everywhere: `2026-12-17 08:35 UTC`."""
    return at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def names(permissions: Collection[Permission]) -> list[str]:
    """The permissions as an audit row keeps them, in the portal's order."""
    return [str(permission) for permission in scopes.in_order(permissions)]


def labels(permissions: Collection[Permission]) -> list[str]:
    """The permissions as the portal calls them, in its order, in the active language."""
    return [str(scopes.DESCRIPTIONS[permission].label) for permission in scopes.in_order(permissions)]
