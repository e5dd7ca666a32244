"""How much `POST /v1/media` takes, how it arrives, and what is kept when it cannot be (wire protocol §3, Errors)."""

from __future__ import annotations

import errno
import io
import tracemalloc
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.http import HttpRequest
from django.test import Client
from pytest_django import Settings

from groups.media import storage
from groups.media.upload import Incoming
from groups.models import MediaFile, MediaResource, MediaStore
from groups.platform_service import media
from groups.services import media as services
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program
from groups.tests.media_files import JPEG, MULTIPART, PNG, body, part
from groups.tests.media_uploads import nothing_kept, on, upload
from kaizala_console.api.errors import PayloadTooLarge
from kaizala_console.lib.tests.picture_files import begun, chunk, header

MIB = 1024 * 1024


pytestmark = pytest.mark.usefixtures("shelf")


# ---------------------------------------------------------------- How much


def test_a_file_over_the_limit_is_refused(wire: Wire, program: Program, shelf: Path, settings: Settings) -> None:
    settings.MEDIA_MAX_MB = 1
    answer = upload(wire, program, part(PNG + bytes(MIB), "plan.png"))
    assert "1 MB" in refused(answer, 413, "PayloadTooLarge", "ValidationException")
    assert nothing_kept(shelf)
    assert upload(wire, program, part(PNG + bytes(MIB - len(PNG)), "plan.png")).status_code == 200


def test_a_picture_of_too_many_pixels_is_refused(wire: Wire, program: Program, shelf: Path) -> None:
    wide = begun(header(60_000, 60_000), chunk(b"IDAT", b""), chunk(b"IEND", b""))
    answer = upload(wire, program, part(wide, "plan.png"))
    assert "60000 x 60000 pixels" in refused(answer, 413, "PayloadTooLarge", "ValidationException")
    assert nothing_kept(shelf)


def test_too_many_files_are_refused(wire: Wire, program: Program, shelf: Path, settings: Settings) -> None:
    settings.MEDIA_MAX_FILES = 2
    answer = upload(wire, program, *[part(PNG, "plan.png")] * 3)
    assert "1 to 2 files" in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert nothing_kept(shelf)


def test_files_that_are_too_large_together_are_refused_before_they_are_read(
    wire: Wire, program: Program, shelf: Path, settings: Settings
) -> None:
    settings.MEDIA_MAX_REQUEST_MB = 1
    answer = upload(wire, program, *[part(PNG + bytes(MIB), "plan.png")] * 3)
    assert "1 MB" in refused(answer, 413, "PayloadTooLarge", "ValidationException")
    assert nothing_kept(shelf)


def test_large_fields_are_refused(wire: Wire, program: Program) -> None:
    answer = upload(wire, program, part(bytes(3 * MIB), None, "caption"), part(PNG, "plan.png"))
    refused(answer, 413, "PayloadTooLarge", "ValidationException")


def test_an_organisation_whose_space_is_used_up_is_told_so(
    wire: Wire, program: Program, shelf: Path, settings: Settings
) -> None:
    settings.MEDIA_QUOTA_GB = 1
    MediaStore.objects.create(organisation=program.connector.organisation, bytes_used=1024**3 - len(PNG) - 1)
    assert upload(wire, program, part(PNG, "plan.png")).status_code == 200
    answer = upload(wire, program, part(PNG, "plan.png"))
    assert "1 GB" in refused(answer, 413, "PayloadTooLarge", "ValidationException")
    assert MediaResource.objects.count() == 1
    assert MediaStore.objects.get().bytes_used == 1024**3 - 1


# ---------------------------------------------------------------- In chunks, and not in memory


class Chunks:
    """What a server hands on of a chunked body: pieces, then nothing."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""
        self.given = 0
        self.readline = None  # WSGI asks for one, and nobody calls it

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        content, self._rest = self._rest[:size], self._rest[size:]
        self.given += len(content)
        return content


def chunked(program: Program, source: Chunks) -> Any:
    environment: dict[str, Any] = {"wsgi.input": source, "CONTENT_LENGTH": "", "CONTENT_TYPE": MULTIPART}
    return Client().generic(
        "POST",
        "/v1/media",
        headers={"accessToken": program.access_token, "Transfer-Encoding": "chunked"},
        **environment,
    )


def of(content: bytes, size: int = 100) -> Chunks:
    return Chunks(iter([content[at : at + size] for at in range(0, len(content), size)]))


def test_a_body_in_chunks_without_a_length_is_read(wire: Wire, program: Program, shelf: Path) -> None:
    answer = chunked(program, of(body(part(JPEG, "photo.jpg"), part(PNG, "plan.png"))))
    assert answer.status_code == 200, answer.content
    assert sorted(on(shelf)) == sorted([JPEG, PNG])


def test_a_body_in_chunks_that_breaks_off_is_refused(wire: Wire, program: Program, shelf: Path) -> None:
    answer = chunked(program, of(body(part(JPEG, "photo.jpg"))[:-20]))
    assert "breaks off" in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert nothing_kept(shelf)


def test_an_endless_body_in_chunks_is_cut_off(wire: Wire, program: Program, shelf: Path, settings: Settings) -> None:
    settings.MEDIA_MAX_REQUEST_MB = 1
    endless = Chunks(chain([part(PNG, "plan.png")[:-2]], iter(lambda: bytes(65_536), b"never")))
    answer = chunked(program, endless)
    refused(answer, 413, "PayloadTooLarge", "ValidationException")
    assert endless.given < 3 * MIB
    assert nothing_kept(shelf)


def test_a_client_that_goes_away_leaves_nothing(wire: Wire, program: Program, shelf: Path) -> None:
    class Gone(Chunks):
        def read(self, size: int = -1) -> bytes:
            raise OSError("connection reset")

    refused(chunked(program, Gone(iter(()))), 400, "InvalidParameters", "ValidationException")
    assert nothing_kept(shelf)


def test_a_large_upload_is_never_in_memory(wire: Wire, program: Program, shelf: Path) -> None:
    def sixty_megabytes() -> Iterator[bytes]:
        whole = body(part(PNG, "plan.png"))
        at = whole.index(PNG) + len(PNG)
        yield whole[:at]
        for _ in range(60 * 16):
            yield bytes(65_536)
        yield whole[at:]

    tracemalloc.start()
    try:
        answer = chunked(program, Chunks(sixty_megabytes()))
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status_code == 200, answer.content
    assert MediaFile.objects.get().size == 60 * MIB + len(PNG)
    assert peak < 8 * MIB


# ---------------------------------------------------------------- When it cannot be kept


def test_a_full_disk_keeps_nothing(wire: Wire, program: Program, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _content: Any, /) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("groups.media.upload.tempfile.TemporaryFile", lambda **_options: Full())
    answer = upload(wire, program, part(PNG, "plan.png"))
    assert "no room" in refused(answer, 503, "ServiceUnavailable", "ServiceException")
    assert nothing_kept(shelf)


def test_a_store_that_fails_halfway_keeps_nothing(
    wire: Wire, program: Program, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[str] = []
    real = storages["media"].save

    def failing(name: str, content: Any, **options: Any) -> str:
        if saved:
            raise OSError(errno.ENOSPC, "No space left on device")
        saved.append(real(name, content, **options))
        return saved[0]

    monkeypatch.setattr(storages["media"], "save", failing)
    answer = upload(wire, program, part(PNG, "a.png"), part(PNG, "b.png"))
    refused(answer, 503, "ServiceUnavailable", "ServiceException")
    assert saved
    assert nothing_kept(shelf)


def test_a_store_that_is_down_altogether_leaves_the_rest_to_the_sweeper(
    wire: Wire, program: Program, shelf: Path, monkeypatch: pytest.MonkeyPatch, travel: Any
) -> None:
    def down(*_arguments: Any, **_options: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(storages["media"], "save", down)
        patch.setattr(storages["media"], "delete", down)
        refused(upload(wire, program, part(PNG, "a.png")), 503, "ServiceUnavailable", "ServiceException")
        assert MediaResource.objects.get().stored_at is None
        travel(hours=7)
        assert services.sweep() == 0
    assert services.sweep() == 1
    assert nothing_kept(shelf)


def test_nothing_is_kept_when_the_audit_trail_cannot_be_written(
    wire: Wire, program: Program, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise RuntimeError("no audit row")

    monkeypatch.setattr(services, "record", fail)
    with pytest.raises(RuntimeError, match="no audit row"):
        upload(wire, program, part(PNG, "a.png"))
    assert nothing_kept(shelf)


def test_keys_of_the_store_cannot_be_guessed() -> None:
    keys = {storage.new_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {65}


def test_the_bound_of_a_file_holds_for_every_way_in(settings: Settings) -> None:
    settings.MEDIA_MAX_MB = 1
    with Incoming("a.png") as incoming:
        incoming.write(bytes(MIB))
        with pytest.raises(PayloadTooLarge):
            incoming.write(b"x")


def test_a_declared_length_that_is_no_number_counts_as_none(settings: Settings) -> None:
    request = HttpRequest()
    request.META = {"CONTENT_LENGTH": "9" * 40, "CONTENT_TYPE": MULTIPART}
    assert media._Bounded(request).declared == 0
