"""Identifiers: made in order of time, read leniently."""

import re
import secrets
import time
from typing import Final
from uuid import UUID

_GUID: Final = re.compile(
    r"(?P<open>\{)?"
    r"(?P<hex>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})"
    r"(?(open)\})"
    r"(?:@[0-9])?",
    re.ASCII | re.IGNORECASE,
)


def new_id() -> UUID:
    """Return a new UUIDv7 (RFC 9562 §5.7): rows made one after the other lie side by side in an index.

    The twelve bits after the milliseconds hold the fraction of the millisecond (RFC 9562 §6.2, method 3), so
    that two ids of one process sort in the order they were made; 62 random bits follow.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    return UUID(
        int=(milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62)
    )


def parse_guid(text: object) -> UUID | None:
    """Return the GUID in ``text``, or None when there is none.

    Old programs send group ids with ``@`` and a digit behind (wire protocol §6), in either case, and some in
    braces or without hyphens, as .NET prints them. Anything else is None, never an exception.
    """
    if isinstance(text, UUID):
        return text
    if not isinstance(text, str):
        return None
    match = _GUID.fullmatch(text.strip())
    return UUID(hex=match["hex"]) if match else None
