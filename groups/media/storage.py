"""Where media files are kept: the storage "media" of the settings, a folder or an S3-compatible bucket.

The only module that touches it. Whatever goes wrong there becomes GatewayDown, and is logged without the key.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast
from urllib.parse import urlsplit

import structlog
from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils.translation import gettext as _

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
