"""`POST /v1/media` with files (wire protocol §6, Media; §3, Errors)."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.models import AuditEvent, User
from connectors.models import Connector
from connectors.permissions import Permission
from groups.models import Group, MediaFile, MediaResource
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, make_connector
from groups.tests.media_files import BOUNDARY, FILES, JPEG, KINDS, MULTIPART, PDF, PNG, body, part
from groups.tests.media_uploads import nothing_kept, on, upload

pytestmark = pytest.mark.usefixtures("shelf")


# ---------------------------------------------------------------- What is taken


@pytest.mark.parametrize("name", FILES)
def test_every_type_of_the_protocol_is_taken(wire: Wire, program: Program, shelf: Path, name: str) -> None:
    answer = upload(wire, program, part(FILES[name], name))
    assert answer.status_code == 200, answer.content
    media = MediaResource.objects.get()
    assert answer.json() == {"mediaResource": str(media.pk)}
    assert media.kind == KINDS[name[name.rindex(".") :]]
    assert (media.connector, media.grant, media.person) == (program.connector, program.grant, program.grant.person)
    assert media.stored_at is not None
    file = media.files.get()
    assert (file.name, file.size, file.position) == (name, len(FILES[name]), 0)
    assert on(shelf) == [FILES[name]]


@pytest.mark.parametrize("field", ["files", "FileName", "file", "", "a b", "имя", "files[]", "x" * 200])
def test_the_field_may_have_any_name(wire: Wire, program: Program, field: str) -> None:
    assert upload(wire, program, part(PNG, "plan.png", field)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Type: image/png\r\nContent-Disposition: form-data; name=files",
        b"content-disposition: form-data\r\ncontent-type: image/png",
        b"Content-Type: image/png",
        b"Content-Type: image/png\r\nContent-Disposition: form-data; name=files; filename*=utf-8''file.png",
    ],
)
def test_a_file_may_come_without_a_name_as_net_sends_it(
    wire: Wire, program: Program, shelf: Path, headers: bytes
) -> None:
    """ADR 0061. A field of text beside it stays one."""
    line = f"--{BOUNDARY}\r\n".encode()
    text = line + b"Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=x\r\n\r\nhello\r\n"
    answer = upload(wire, program, text, line + headers + b"\r\n\r\n" + PNG + b"\r\n", text)
    assert answer.status_code == 200, answer.content
    assert MediaFile.objects.get().name == "file.png"
    assert on(shelf) == [PNG]


def test_several_images_make_an_album_in_their_order(wire: Wire, program: Program, shelf: Path) -> None:
    answer = upload(wire, program, part(PNG, "b.png", "2"), part(JPEG, "a.jpg", "1"), part(PNG, "c.png", "2"))
    assert answer.status_code == 200, answer.content
    media = MediaResource.objects.get()
    assert media.kind == "Album"
    assert [(file.position, file.name) for file in media.files.all()] == [(0, "b.png"), (1, "a.jpg"), (2, "c.png")]
    assert sorted(on(shelf)) == sorted([PNG, JPEG, PNG])


def test_an_album_of_other_things_than_images_is_refused(wire: Wire, program: Program, shelf: Path) -> None:
    answer = upload(wire, program, part(PNG, "a.png"), part(PDF, "b.pdf"))
    assert "images only" in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert nothing_kept(shelf)


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
    wire: Wire, program: Program, disposition: str, name: str
) -> None:
    answer = upload(wire, program, part(PNG, raw=disposition))
    assert answer.status_code == 200, answer.content
    file = MediaFile.objects.get()
    assert file.name == name
    assert "plan" not in file.key


def test_the_content_type_is_read_in_any_case(wire: Wire, program: Program) -> None:
    answer = wire.post(
        "/v1/media", body(part(PNG, "a.png")), program, content_type=f"Multipart/Form-Data; Boundary={BOUNDARY}"
    )
    assert answer.status_code == 200, answer.content


def test_fields_beside_the_files_are_ignored(wire: Wire, program: Program) -> None:
    answer = upload(wire, program, part(b"a caption", None, "caption"), part(PNG, "plan.png"))
    assert answer.status_code == 200, answer.content


@pytest.mark.parametrize("path", ["/media", "//v1//media/", "/V1/MEDIA"])
def test_the_path_is_read_as_old_programs_write_it(wire: Wire, program: Program, path: str) -> None:
    assert upload(wire, program, part(PNG, "plan.png"), path=path).status_code == 200


def test_the_audit_trail_tells_of_it_without_its_name(wire: Wire, program: Program) -> None:
    upload(wire, program, part(PNG, "wages of Meera.png"))
    event = AuditEvent.objects.get(tag="media:file:uploaded")
    assert event.after == {"kind": "Image", "files": 1, "bytes": len(PNG)}
    assert event.connector_id == program.connector.pk
    assert "Meera" not in f"{event.subject_name}{event.after}{event.before}"


# ---------------------------------------------------------------- What is not

UNSUPPORTED = {
    "a page called a picture": part(b"<html><script>alert(1)</script></html>", "photo.jpg"),
    "a drawing with a script": part(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "photo.png"),
    "a page": part(b"<html></html>", "page.html", content_type="text/html"),
    "a picture said to be a page": part(PNG, "plan.png", content_type="text/html"),
    "a picture said to be another": part(PNG, "plan.png", content_type="image/jpeg"),
    "a PDF called a picture": part(PDF, "bill.jpg"),
    "a program": part(b"MZ" + bytes(100), "setup.exe"),
    "a plain zip called a document": part(FILES["table.xlsx"], "letter.docx"),
    "no end of a name": part(PNG, "plan"),
}


@pytest.mark.parametrize("what", UNSUPPORTED)
def test_what_is_not_what_it_claims_is_refused(wire: Wire, program: Program, shelf: Path, what: str) -> None:
    answer = upload(wire, program, UNSUPPORTED[what])
    message = refused(answer, 415, "UnsupportedMediaType", "ValidationException")
    assert ".jpg, .jpeg, .png, .mp3, .wav, .doc, .docx, .xls, .xlsx, .ppt, .pptx, .pdf, .mp4, .3gp, .3gpp" in message
    disagrees = {
        "a picture said to be another": "plan.png: the Content-Type is image/jpeg",
        "a PDF called a picture": "bill.jpg: the content is no .jpg",
        "a program": "setup.exe: ",
    }
    assert disagrees.get(what, "") in message
    assert nothing_kept(shelf)


def test_one_wrong_file_of_an_album_refuses_it_whole(wire: Wire, program: Program, shelf: Path) -> None:
    answer = upload(wire, program, part(PNG, "a.png"), part(b"no picture", "b.png"))
    refused(answer, 415, "UnsupportedMediaType", "ValidationException")
    assert nothing_kept(shelf)


@pytest.mark.parametrize("content_type", ["image/png", "application/pdf", "video/mp4"])
def test_a_file_without_a_wrapping_is_told_what_was_expected(wire: Wire, program: Program, content_type: str) -> None:
    answer = wire.post("/v1/media", PNG, program, content_type=content_type)
    assert "multipart/form-data" in refused(answer, 415, "UnsupportedMediaType", "ValidationException")


@pytest.mark.parametrize("content_type", ["application/json", "application/octet-stream", ""])
@pytest.mark.parametrize("sent", [PNG, body(part(PNG)), PNG * 20_000], ids=["raw", "multipart", "large"])
def test_a_file_under_another_type_is_told_how_files_are_sent(
    wire: Wire, program: Program, content_type: str, sent: bytes
) -> None:
    answer = wire.post("/v1/media", sent, program, content_type=content_type)
    said = refused(answer, 400, "InvalidParameters", "ValidationException")
    assert said.endswith("Files are sent as multipart/form-data, with a Content-Type that says so.")


def test_a_forgotten_boundary_is_named(wire: Wire, program: Program) -> None:
    answer = wire.post("/v1/media", body(part(PNG)), program, content_type="multipart/form-data")
    said = refused(answer, 400, "InvalidParameters", "ValidationException")
    assert "no boundary" in said


INVALID = {
    "no part": body(),
    "no file": body(part(b"text", None, "caption")),
    "a file without a name": body(part(PNG, "")),
    "an empty file": body(part(b"", "plan.png")),
    "no boundary at the end": body(part(PNG, "plan.png"))[:-10],
    "the middle of a file": body(part(JPEG, "photo.jpg"))[:150],
    "another boundary": body(part(PNG, "plan.png")).replace(BOUNDARY.encode(), b"another"),
    "nothing": b"",
    "noise": bytes(range(256)) * 20,
    "10,000 parts": body(*[part(b"x", f"{number}.png") for number in range(10_000)]),
    "10,000 fields": body(*[part(b"x", None, str(number)) for number in range(10_000)]),
    "10,000 parts with nothing": (f"--{BOUNDARY}\r\n\r\n\r\n" * 10_000).encode() + body(),
    "bad base64": body(
        part(b"!!!!!", raw='form-data; name="f"; filename="a.png"\r\nContent-Transfer-Encoding: base64')
    ),
}


@pytest.mark.parametrize("what", INVALID)
def test_a_body_that_makes_no_sense_is_refused_in_words(wire: Wire, program: Program, shelf: Path, what: str) -> None:
    answer = wire.post("/v1/media", INVALID[what], program, content_type=MULTIPART)
    refused(answer, 400, "InvalidParameters", "ValidationException")
    assert nothing_kept(shelf)


@pytest.mark.parametrize("boundary", ["", "; boundary=", '; boundary="', "; boundary=" + "x" * 500, "; boundary=ü"])
def test_a_boundary_that_makes_no_sense_is_refused_in_words(wire: Wire, program: Program, boundary: str) -> None:
    answer = wire.post("/v1/media", body(part(PNG)), program, content_type=f"multipart/form-data{boundary}")
    refused(answer, 400, "InvalidParameters", "ValidationException")


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    disposition=st.text(st.characters(codec="utf-8"), max_size=60),
    content_type=st.text(st.characters(codec="utf-8"), max_size=30),
    name=st.text(st.characters(codec="utf-8"), max_size=40),
)
@example(disposition="; filename*=utf-16''%00%00; filename*0=\"a\"", content_type="", name="a.png")
@example(disposition="; filename*=nonsense''a.png", content_type="", name="")
def test_no_header_of_a_part_makes_the_door_fail(
    wire: Wire, program: Program, disposition: str, content_type: str, name: str
) -> None:
    headers = f'form-data; name="f"; filename="{name}"{disposition}\r\nContent-Type: {content_type}'
    answer = upload(wire, program, part(PNG, raw=headers))
    assert answer.status_code in (200, 400, 415), answer.content


# ---------------------------------------------------------------- Who may


def test_nobody_uploads_without_a_token(wire: Wire, shelf: Path) -> None:
    refused(upload(wire, None, part(PNG, "a.png")), 401, "InvalidToken")
    assert nothing_kept(shelf)


def test_a_revoked_token_uploads_nothing(wire: Wire, program: Program, shelf: Path) -> None:
    program.grant.revoked_at = program.grant.granted_at
    program.grant.save()
    refused(upload(wire, program, part(PNG, "a.png")), 401, "InvalidToken")
    assert nothing_kept(shelf)


def test_the_permission_is_needed(wire: Wire, developer: User, group: Group, group_admin: User, shelf: Path) -> None:
    connector = make_connector(developer, permissions=[Permission.TEXT_MESSAGE])
    answer = upload(wire, let_in(connector, group, group_admin), part(PNG, "a.png"))
    assert '"Media"' in refused(answer, 403, "Unauthorized")
    assert nothing_kept(shelf)


def test_a_user_token_uploads_for_its_person(wire: Wire, connector: Connector, member: User) -> None:
    program = let_act_for(connector, member)
    assert upload(wire, program, part(PNG, "a.png")).status_code == 200
    assert MediaResource.objects.get().person == program.grant.person


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_other_methods_are_not_known(client: Client, program: Program, method: str) -> None:
    answer = getattr(client, method)("/v1/media", headers={"accessToken": program.access_token})
    refused(answer, 405, "MethodNotAllowed", "ValidationException")
    assert answer["Allow"] == "POST, OPTIONS"
