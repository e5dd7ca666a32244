"""`POST /v1/media` with files, its limits, and pictures of people, bots and groups (wire protocol §6; ADR 0061)."""

from __future__ import annotations

import datetime as dt
import errno
import io
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.test import Client
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from accounts.models import AuditEvent, User
from connectors.models import Bot
from connectors.permissions import PERMISSIONS
from groups.media import storage
from groups.models import Group, MediaFile, MediaResource, MediaStore
from groups.services import media as services
from groups.tests.cards import make_media
from groups.tests.conftest import invalid, refused
from groups.tests.factories import Program, let_in, make_connector, person_of, unknown_id
from groups.tests.media_files import (
    BOUNDARY,
    FILES,
    JPEG,
    KINDS,
    MULTIPART,
    PDF,
    PNG,
    body,
    kept_on,
    nothing_kept,
    part,
    upload,
)
from kaizala_console.lib.tests.picture_files import begun, chunk, header

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shelf")]


# ---------------------------------------------------------------- What is taken


@pytest.mark.parametrize("name", FILES)
def test_every_type_of_the_protocol_is_taken(program: Program, shelf: Path, name: str) -> None:
    answer = upload(program, part(FILES[name], name))
    assert answer.status_code == 200, answer.content
    media = MediaResource.objects.get()
    assert answer.json() == {"mediaResource": str(media.pk)}
    assert media.kind == KINDS[name[name.rindex(".") :]]
    assert (media.connector, media.grant, media.person) == (program.connector, program.grant, program.grant.person)
    assert media.stored_at is not None
    file = media.files.get()
    assert (file.name, file.size, file.position) == (name, len(FILES[name]), 0)
    assert kept_on(shelf) == [FILES[name]]


@pytest.mark.parametrize("field", ["FileName", "", "a b", "имя", "files[]", "x" * 200])
def test_the_field_may_have_any_name(program: Program, field: str) -> None:
    text = part(b"a caption", None, "caption")
    assert upload(program, text, part(PNG, "plan.png", field)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Type: image/png\r\nContent-Disposition: form-data; name=files",
        b"content-disposition: form-data\r\ncontent-type: image/png",
        b"Content-Type: image/png",
        b"Content-Type: image/png\r\nContent-Disposition: form-data; name=files; filename*=utf-8''file.png",
    ],
)
def test_a_file_may_come_without_a_name_as_net_sends_it(program: Program, shelf: Path, headers: bytes) -> None:
    """ADR 0061. A field of text beside it stays one."""
    line = f"--{BOUNDARY}\r\n".encode()
    text = line + b"Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=x\r\n\r\nhello\r\n"
    answer = upload(program, text, line + headers + b"\r\n\r\n" + PNG + b"\r\n", text)
    assert answer.status_code == 200, answer.content
    assert MediaFile.objects.get().name == "file.png"
    assert kept_on(shelf) == [PNG]


def test_several_images_make_an_album_in_their_order(program: Program, shelf: Path) -> None:
    answer = upload(program, part(PNG, "b.png", "2"), part(JPEG, "a.jpg", "1"), part(PNG, "c.png", "2"))
    assert answer.status_code == 200, answer.content
    media = MediaResource.objects.get()
    assert media.kind == "Album"
    assert [(file.position, file.name) for file in media.files.all()] == [(0, "b.png"), (1, "a.jpg"), (2, "c.png")]
    assert sorted(kept_on(shelf)) == sorted([PNG, JPEG, PNG])


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("form-data; name=\"f\"; filename*=UTF-8''%E0%A4%B5%E0%A4%B0%E0%A5%8D%E0%A4%B7%E0%A4%BE.png", "वर्षा.png"),
        ("form-data; name=f; filename=plan.png", "plan.png"),
        ('form-data; filename="../../../plan.png"; name="f"', "plan.png"),
        ('form-data; name="f"; filename="C:\\\\temp\\\\plan.png"', "plan.png"),
        ('form-data; name="f"; filename="pl\0an.png"', "plan.png"),
        ('form-data; name="f"; filename="वर्षा.png"', "वर्षा.png"),
    ],
)
def test_file_names_are_read_as_programs_write_them_and_kept_harmless(
    program: Program, disposition: str, name: str
) -> None:
    answer = upload(program, part(PNG, raw=disposition))
    assert answer.status_code == 200, answer.content
    file = MediaFile.objects.get()
    assert file.name == name
    assert "plan" not in file.key


def test_the_audit_trail_tells_of_it_without_its_name(program: Program) -> None:
    upload(program, part(PNG, "wages of Meera.png"))
    event = AuditEvent.objects.get(tag="media:file:uploaded")
    assert event.after == {"kind": "Image", "files": 1, "bytes": len(PNG)}
    assert event.connector_id == program.connector.pk
    assert "Meera" not in f"{event.subject_name}{event.after}{event.before}"


# ---------------------------------------------------------------- What is not

WEB_PAGE = b"<html><script>alert(1)</script></html>"
UNSUPPORTED: dict[str, tuple[list[bytes], str]] = {
    "a page called a picture": ([part(WEB_PAGE, "photo.jpg")], "photo.jpg: the content is no .jpg"),
    "a page": ([part(WEB_PAGE, "page.html", content_type="text/html")], "page.html"),
    "a picture said to be another": (
        [part(PNG, "plan.png", content_type="image/jpeg")],
        "plan.png: the Content-Type is image/jpeg",
    ),
    "a program": ([part(b"MZ" + bytes(100), "setup.exe")], "setup.exe: "),
    "no end of a name": ([part(PNG, "plan")], "plan"),
    "one wrong file of an album": ([part(PNG, "a.png"), part(b"no picture", "b.png")], "b.png"),
}


@pytest.mark.parametrize("what", UNSUPPORTED)
def test_what_is_not_what_it_claims_is_refused(program: Program, shelf: Path, what: str) -> None:
    parts, says = UNSUPPORTED[what]
    message = refused(upload(program, *parts), 415, "UnsupportedMediaType", "ValidationException")
    assert ".jpg, .jpeg, .png, .mp3, .wav, .doc, .docx, .xls, .xlsx, .ppt, .pptx, .pdf, .mp4, .3gp, .3gpp" in message
    assert says in message
    assert nothing_kept(shelf)


@pytest.mark.parametrize("content_type", ["application/json", "application/octet-stream"])
@pytest.mark.parametrize("sent", [PNG, body(part(PNG)), PNG * 20_000], ids=["raw", "multipart", "large"])
def test_a_file_under_another_type_is_told_how_files_are_sent(program: Program, content_type: str, sent: bytes) -> None:
    answer = program.post("/v1/media", sent, content_type=content_type)
    assert "multipart/form-data" in invalid(answer)


INVALID = {
    "no part": body(),
    "no file": body(part(b"text", None, "caption")),
    "a file without a name": body(part(PNG, "")),
    "an empty file": body(part(b"", "plan.png")),
    "an album of other things": body(part(PNG, "a.png"), part(PDF, "b.pdf")),
    "no boundary at the end": body(part(PNG, "plan.png"))[:-10],
    "the middle of a file": body(part(JPEG, "photo.jpg"))[:150],
    "another boundary": body(part(PNG, "plan.png")).replace(BOUNDARY.encode(), b"another"),
    "noise": bytes(range(256)) * 20,
    "10,000 parts": body(*[part(b"x", f"{number}.png") for number in range(10_000)]),
    "10,000 fields": body(*[part(b"x", None, str(number)) for number in range(10_000)]),
    "10,000 parts with nothing": (f"--{BOUNDARY}\r\n\r\n\r\n" * 10_000).encode() + body(),
    "bad base64": body(
        part(b"!!!!!", raw='form-data; name="f"; filename="a.png"\r\nContent-Transfer-Encoding: base64')
    ),
}


@pytest.mark.parametrize("what", INVALID)
def test_a_body_that_makes_no_sense_is_refused_in_words(program: Program, shelf: Path, what: str) -> None:
    answer = program.post("/v1/media", INVALID[what], content_type=MULTIPART)
    invalid(answer)
    assert nothing_kept(shelf)


@pytest.mark.parametrize("boundary", ["", "; boundary=", '; boundary="', "; boundary=" + "x" * 500, "; boundary=ü"])
def test_a_boundary_that_makes_no_sense_is_refused_in_words(program: Program, boundary: str) -> None:
    answer = program.post("/v1/media", body(part(PNG)), content_type=f"multipart/form-data{boundary}")
    said = invalid(answer)
    assert boundary or "no boundary" in said


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    disposition=st.text(st.characters(codec="utf-8"), max_size=60),
    content_type=st.text(st.characters(codec="utf-8"), max_size=30),
    name=st.text(st.characters(codec="utf-8"), max_size=40),
)
@example(disposition="; filename*=utf-16''%00%00; filename*0=\"a\"", content_type="", name="a.png")
@example(disposition="; filename*=nonsense''a.png", content_type="", name="")
def test_no_header_of_a_part_makes_the_door_fail(
    program: Program, disposition: str, content_type: str, name: str
) -> None:
    headers = f'form-data; name="f"; filename="{name}"{disposition}\r\nContent-Type: {content_type}'
    answer = upload(program, part(PNG, raw=headers))
    assert answer.status_code in (200, 400, 415), answer.content


# ---------------------------------------------------------------- Who may

MIB = 1024 * 1024

# ---------------------------------------------------------------- How much

WIDE = begun(header(60_000, 60_000), chunk(b"IDAT", b""), chunk(b"IEND", b""))
LARGE = part(PNG + bytes(MIB), "plan.png")


@pytest.mark.parametrize(
    ("limits", "parts", "says"),
    [
        ({"MEDIA_MAX_MB": 1}, [LARGE], "1 MB"),
        ({"MEDIA_MAX_REQUEST_MB": 1}, [LARGE] * 3, "1 MB"),
        ({}, [part(WIDE, "plan.png")], "60000 x 60000 pixels"),
        ({}, [part(bytes(3 * MIB), None, "caption"), part(PNG, "plan.png")], ""),
        ({"MEDIA_MAX_FILES": 2}, [part(PNG, "plan.png")] * 3, "1 to 2 files"),
    ],
    ids=["a file", "all together", "pixels", "fields", "files"],
)
def test_what_is_too_much_is_refused(
    program: Program, shelf: Path, settings: Settings, limits: dict[str, int], parts: list[bytes], says: str
) -> None:
    for name, most in limits.items():
        setattr(settings, name, most)
    answer = upload(program, *parts)
    if "files" in says:
        assert says in invalid(answer)
    else:
        assert says in refused(answer, 413, "PayloadTooLarge", "ValidationException")
    assert nothing_kept(shelf)


def test_a_file_at_the_limit_is_taken(program: Program, settings: Settings) -> None:
    settings.MEDIA_MAX_MB = 1
    assert upload(program, part(PNG + bytes(MIB - len(PNG)), "plan.png")).status_code == 200


def test_an_organisation_whose_space_is_used_up_is_told_so(program: Program, shelf: Path, settings: Settings) -> None:
    settings.MEDIA_QUOTA_GB = 1
    MediaStore.objects.create(organisation=program.connector.organisation, bytes_used=1024**3 - len(PNG) - 1)
    assert upload(program, part(PNG, "plan.png")).status_code == 200
    answer = upload(program, part(PNG, "plan.png"))
    assert "1 GB" in refused(answer, 413, "PayloadTooLarge", "ValidationException")
    assert MediaResource.objects.count() == 1
    assert MediaStore.objects.get().bytes_used == 1024**3 - 1


# ---------------------------------------------------------------- In chunks, and not in memory


class Chunks:
    """What a server hands on pieces_of a chunked body: pieces, then nothing."""

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


def chunked(program: Program, source: Chunks, length: str = "") -> Any:
    environment: dict[str, Any] = {"wsgi.input": source, "CONTENT_LENGTH": length, "CONTENT_TYPE": MULTIPART}
    return Client().generic(
        "POST",
        "/v1/media",
        headers={"accessToken": program.access_token, "Transfer-Encoding": "chunked"},
        **environment,
    )


def pieces_of(content: bytes, size: int = 100) -> Chunks:
    return Chunks(iter([content[at : at + size] for at in range(0, len(content), size)]))


@pytest.mark.parametrize("length", ["", "9" * 40])
def test_a_body_in_chunks_without_a_length_is_read(program: Program, shelf: Path, length: str) -> None:
    answer = chunked(program, pieces_of(body(part(JPEG, "photo.jpg"), part(PNG, "plan.png"))), length)
    assert answer.status_code == 200, answer.content
    assert sorted(kept_on(shelf)) == sorted([JPEG, PNG])


def test_an_endless_body_in_chunks_is_cut_off(program: Program, shelf: Path, settings: Settings) -> None:
    settings.MEDIA_MAX_REQUEST_MB = 1
    endless = Chunks(chain([part(PNG, "plan.png")[:-2]], iter(lambda: bytes(65_536), b"never")))
    answer = chunked(program, endless)
    refused(answer, 413, "PayloadTooLarge", "ValidationException")
    assert endless.given < 3 * MIB
    assert nothing_kept(shelf)


def test_a_client_that_goes_away_and_a_body_that_breaks_off_leave_nothing(program: Program, shelf: Path) -> None:
    class Gone(Chunks):
        def read(self, size: int = -1) -> bytes:
            raise OSError("connection reset")

    invalid(chunked(program, Gone(iter(()))))
    assert "breaks off" in invalid(chunked(program, pieces_of(body(part(JPEG, "photo.jpg"))[:-20])))
    assert nothing_kept(shelf)


def test_a_large_upload_is_never_in_memory(program: Program, shelf: Path) -> None:
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


def test_a_full_disk_keeps_nothing(program: Program, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _content: Any, /) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("groups.media.upload.tempfile.TemporaryFile", lambda **_options: Full())
    answer = upload(program, part(PNG, "plan.png"))
    assert "no room" in refused(answer, 503, "ServiceUnavailable", "ServiceException")
    assert nothing_kept(shelf)


def test_a_store_that_fails_halfway_keeps_nothing(
    program: Program, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[str] = []
    real = storages["media"].save

    def failing(name: str, content: Any, **options: Any) -> str:
        if saved:
            raise OSError(errno.ENOSPC, "No space left on device")
        saved.append(real(name, content, **options))
        return saved[0]

    monkeypatch.setattr(storages["media"], "save", failing)
    answer = upload(program, part(PNG, "a.png"), part(PNG, "b.png"))
    refused(answer, 503, "ServiceUnavailable", "ServiceException")
    assert saved
    assert nothing_kept(shelf)


def test_a_store_that_is_down_altogether_leaves_the_rest_to_the_sweeper(
    program: Program, shelf: Path, monkeypatch: pytest.MonkeyPatch, travel: Any
) -> None:
    def down(*_arguments: Any, **_options: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(storages["media"], "save", down)
        patch.setattr(storages["media"], "delete", down)
        refused(upload(program, part(PNG, "a.png")), 503, "ServiceUnavailable", "ServiceException")
        assert MediaResource.objects.get().stored_at is None
        travel(hours=7)
        assert services.sweep() == 0
    assert services.sweep() == 1
    assert nothing_kept(shelf)


def test_nothing_is_kept_when_the_audit_trail_cannot_be_written(
    program: Program, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise RuntimeError("no audit row")

    monkeypatch.setattr(services, "record", fail)
    with pytest.raises(RuntimeError, match="no audit row"):
        upload(program, part(PNG, "a.png"))
    assert nothing_kept(shelf)


def test_keys_of_the_store_cannot_be_guessed() -> None:
    keys = {storage.new_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {65}


Send = Callable[[str], Any]


@pytest.fixture(params=["bot", "changed bot", "user", "sub-group"])
def door(request: pytest.FixtureRequest, program: Program, group: Group) -> tuple[str, Send]:
    """The name of the field, and what sends a picture there."""
    if request.param == "sub-group":
        path = f"/v1/groups/{group.pk}/subGroups"
        return "groupImageUrl", lambda said: program.post(path, {"name": "Below", "groupImageUrl": said})
    if request.param == "user":
        return "profilePic", lambda said: program.put("/v1/users/me", {"profilePic": said})
    if request.param == "bot":
        return "profilePic", lambda said: program.post("/v1/bot", {"name": "B", "profilePic": said})
    made = program.post("/v1/bot", {"name": "Rota"}).json()["id"]
    return "profilePic", lambda said: program.put(f"/v1/bot/{made}", {"profilePic": said})


def shown(field: str, group_admin: User) -> str:
    """The address that is kept."""
    if field == "groupImageUrl":
        return Group.objects.get(name="Below").image_url
    bot = Bot.objects.first()
    return bot.picture_url if bot else person_of(group_admin).picture_url


def test_an_uploaded_picture_has_an_address_that_lasts(
    program: Program, door: tuple[str, Send], group_admin: User, travel: Callable[..., dt.datetime], settings: Any
) -> None:
    field, send = door
    resource = upload(program, part(PNG, "Farah Khan, private.PNG")).json()["mediaResource"]
    answer = send(resource)
    assert answer.status_code == 200, answer.content
    kept = shown(field, group_admin)
    assert kept.startswith(f"{settings.CONSOLE_BASE_URL}/media/")
    assert not [word for word in ("Farah", "private") if word in kept]  # shorter ones stand in signatures by chance
    assert answer.json().get("profilePic", kept) == kept
    travel(days=3650)
    found: Any = Client().get(kept.removeprefix(settings.CONSOLE_BASE_URL))
    assert (found.status_code, b"".join(found.streaming_content)) == (200, PNG)
    assert MediaResource.objects.get().used_at is not None  # or it would be swept


def test_an_address_is_kept_as_it_is_and_what_is_no_picture_of_this_program_refused(
    program: Program, door: tuple[str, Send], group: Group, group_admin: User, developer: User
) -> None:
    field, send = door
    other = let_in(make_connector(developer, name="Canteen", permissions=PERMISSIONS), group, group_admin)
    for said in (unknown_id(), make_media(other), make_media(program, "Document", "plan.pdf")):
        assert field in invalid(send(str(said)))
    assert send("https://pics.example/rota.png").status_code == 200
    assert shown(field, group_admin) == "https://pics.example/rota.png"
