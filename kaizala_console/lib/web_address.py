"""Web addresses as they go over the wire: ASCII alone."""

from __future__ import annotations

from urllib.parse import urlsplit

import idna
from django.utils.encoding import iri_to_uri


def to_ascii(url: str) -> str:
    """Return the address with its host in punycode, as browsers resolve it (UTS 46), and the rest percent-encoded.

    Every character that an address may have stays as it is. Raises ValueError for a host that cannot be.
    """
    parts = urlsplit(url)
    if not parts.netloc.isascii():
        userinfo, at, _host = parts.netloc.rpartition("@")
        host = idna.encode(parts.hostname or "", uts46=True).decode("ascii")
        port = "" if parts.port is None else f":{parts.port}"
        url = url.replace(f"//{parts.netloc}", f"//{userinfo}{at}{host}{port}", 1)
    return iri_to_uri(url)
