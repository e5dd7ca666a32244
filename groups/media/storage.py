"""Where media files are kept: the storage "media" of the settings, a folder or an S3-compatible bucket.

The only module that touches it. Whatever goes wrong there becomes GatewayDown, and is logged without the key.

Also the addresses of files: signed, and good for a limited time (wire protocol §6, Media). Who has one may read the
file until it ends without a token, because programs hand these addresses on to browsers and to people. Pictures of
people, groups and bots are for everybody who sees these: their addresses last (ADR 0061).
"""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import BinaryIO, Final, cast
from urllib.parse import quote, urlsplit
from uuid import UUID

import structlog
from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils.translation import gettext as _

from groups.models import MediaFile
from kaizala_console.lib import clock, crypto
from kaizala_console.lib.errors import GatewayDown

logger = structlog.get_logger(__name__)


def new_key() -> str:
    """A place for a file: 256 random bits, nothing that a user wrote, in one of 256 folders."""
    key = secrets.token_hex(32)
    return f"{key[:2]}/{key[2:]}"


def save(key: str, file: BinaryIO) -> None:
    """Stores a file, from its beginning. Raises GatewayDown; then a part of it may be there."""
    with _translated("save"):
        file.seek(0)
        _storage().save(key, File(file))


def delete(key: str) -> None:
    """Deletes a file, also when it is not there. Raises GatewayDown."""
    with _translated("delete"):
        _storage().delete(key)


def opened(key: str) -> BinaryIO | None:
    """The file, when it is kept in a folder; None for a bucket (`address`). Raises FileNotFoundError, GatewayDown."""
    storage = _storage()
    if not isinstance(storage, FileSystemStorage):
        return None
    with _translated("open"):
        return cast("BinaryIO", storage.open(key, "rb").file)


def address(key: str, *, content_type: str, disposition: str, seconds: int) -> str:
    """An address in the bucket that opens for so many seconds, and answers with these headers. Calls nobody."""
    with _translated("sign"):
        parameters = {"ResponseContentType": content_type, "ResponseContentDisposition": disposition}
        return str(_storage().url(key, parameters=parameters, expire=seconds))  # type: ignore[call-arg]


def origin() -> str:
    """Where a bucket's addresses lead, for the policies of pages that show pictures; "" for a folder. Calls nobody."""
    if isinstance(_storage(), FileSystemStorage):
        return ""
    parts = urlsplit(address("x", content_type="image/png", disposition="inline", seconds=1))
    return f"{parts.scheme}://{parts.netloc}"


def _storage() -> Storage:
    return storages["media"]


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as problem:
        logger.exception("media.storage_failed", what=what)
        raise GatewayDown(
            _("The store of media does not answer at the moment. Nothing was changed; please try again later.")
        ) from problem


# ---------------------------------------------------------------- Addresses

_PURPOSE: Final = "media-url"
_HOUR_MS: Final = 3_600_000
_NEVER: Final = 253_402_300_799_000  # the last second of the year 9999
_SIGNATURE: Final = re.compile(r"(?P<key_id>[a-z0-9]{1,16})\.(?P<tag>[A-Za-z0-9_-]{43})", re.ASCII)


def get_url(file: MediaFile) -> str:
    """The absolute address of a file. It opens for MEDIA_URL_HOURS, and at most an hour longer.

    Its end is a full hour, so that everybody who asks within an hour gets the same address, which browsers keep.
    """
    ends_at = clock.now() + timedelta(hours=settings.MEDIA_URL_HOURS)
    return _address(file, file.name, -(-clock.epoch_ms(ends_at) // _HOUR_MS) * _HOUR_MS)


def get_lasting_url(file: MediaFile) -> str:
    """The absolute address of a picture of a person, a group or a bot, to be kept with them: it does not end.

    It says nothing of how the file was called.
    """
    return _address(file, f"picture{PurePosixPath(file.name).suffix}", _NEVER)


def is_valid_address(file_id: UUID, name: str, *, expires: str, signature: str, at: datetime) -> bool:
    """Whether an address with these parts was made by `get_url` and has not ended at `at`. Reads nothing else."""
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
