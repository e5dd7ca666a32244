"""Uploading media as a program does, and looking at what was kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from groups.models import MediaFile, MediaResource, MediaStore
from groups.tests.conftest import Wire
from groups.tests.factories import Program
from groups.tests.media_files import MULTIPART, body


def on(shelf: Path) -> list[bytes]:
    return [path.read_bytes() for path in shelf.rglob("*") if path.is_file()]


def nothing_kept(shelf: Path) -> bool:
    stores = MediaStore.objects.exclude(bytes_used=0)
    return not (on(shelf) or MediaResource.objects.exists() or MediaFile.objects.exists() or stores.exists())


def upload(wire: Wire, token: Program | str | None, *parts: bytes, path: str = "/v1/media", **headers: str) -> Any:
    return wire.post(path, body(*parts), token, content_type=MULTIPART, **headers)
