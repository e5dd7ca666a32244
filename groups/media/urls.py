"""Addresses of media files: signed, and good for a limited time (wire protocol §6, Media).

Whoever has such an address may read the file until it ends: no token is asked for, because programs hand these
addresses on to browsers and to people. So nothing else opens a file, and nobody can make an address but the console.
Pictures of people, groups and bots are for everybody who is told of these: their addresses last (ADR 0061).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote
from uuid import UUID

from django.conf import settings

from groups.models import MediaFile
from kaizala_console.lib import clock, crypto

_PURPOSE: Final = "media-url"
_HOUR_MS: Final = 3_600_000
_NEVER: Final = 253_402_300_799_000  # the last second of the year 9999
_SIGNATURE: Final = re.compile(r"(?P<key_id>[a-z0-9]{1,16})\.(?P<tag>[A-Za-z0-9_-]{43})", re.ASCII)


def url_of(file: MediaFile) -> str:
    """The absolute address of a file. It opens for MEDIA_URL_HOURS, and at most an hour longer.

    Its end is a full hour, so that everybody who asks within an hour gets the same address, which browsers keep.
    """
    ends_at = clock.now() + timedelta(hours=settings.MEDIA_URL_HOURS)
    return _address(file, file.name, -(-clock.epoch_ms(ends_at) // _HOUR_MS) * _HOUR_MS)


def lasting_url_of(file: MediaFile) -> str:
    """The absolute address of a picture of a person, a group or a bot, to be kept with them: it does not end.

    It says nothing of how the file was called.
    """
    return _address(file, f"picture{PurePosixPath(file.name).suffix}", _NEVER)


def opens(file_id: UUID, name: str, *, expires: str, signature: str, at: datetime) -> bool:
    """Whether an address with these parts was made by `url_of` and has not ended at `at`. Reads nothing else."""
    parts = _SIGNATURE.fullmatch(signature)
    if parts is None or not expires.isascii() or not expires.isdecimal() or len(expires) > 15:
        return False
    try:
        tag = _tag(file_id, name, int(expires), parts["key_id"])
    except crypto.UnknownKey:
        return False
    return crypto.tags_equal(tag, urlsafe_b64decode(parts["tag"] + "=")) and clock.epoch_ms(at) < int(expires)


def _address(file: MediaFile, name: str, expires: int) -> str:
    key_id = crypto.current_key_id()
    signature = f"{key_id}.{_encoded(_tag(file.pk, name, expires, key_id))}"
    return f"{settings.CONSOLE_BASE_URL}/media/{file.pk}/{quote(name, safe='')}?e={expires}&s={signature}"


def _tag(file_id: UUID, name: str, expires: int, key_id: str) -> bytes:
    return crypto.hmac_tag(_PURPOSE, file_id.bytes, name, str(expires), key_id=key_id)


def _encoded(tag: bytes) -> str:
    return urlsafe_b64encode(tag).decode("ascii").rstrip("=")
