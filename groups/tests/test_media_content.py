"""Whether files are what their names and types claim, and files of a multipart body that come without a name."""

from __future__ import annotations

import io
import struct
import zipfile
from io import BytesIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from groups.media import content as kinds
from groups.media import content as media_content
from groups.media.content import FILE_TYPES, FileType
from groups.media.upload import NamedParts
from groups.tests.media_files import FILES, FRAME, JPEG, KINDS, PDF, iso_media, office, ole, zipped

pytestmark = pytest.mark.once


def types_of(content: bytes) -> set[FileType]:
    return {each for each in FILE_TYPES if media_content.holds(io.BytesIO(content), each)}


def test_the_wire_takes_exactly_the_types_of_the_protocol() -> None:
    assert {extension: each.kind.value for each in FILE_TYPES for extension in each.extensions} == KINDS


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_what_its_name_claims_and_nothing_else(name: str) -> None:
    claim = media_content.claimed(name, "")
    assert claim is not None
    also = {kinds.MP4} if claim is kinds.THREE_GP else set()  # phones name the same film either way
    assert types_of(FILES[name]) == {claim} | also
    for content_type in ("application/octet-stream", *claim.content_types, f"{claim.content_type.upper()}; x=y"):
        assert media_content.claimed(name, content_type) is claim


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("page.html", ""),
        ("page.html", "image/png"),
        ("photo.png", "text/html"),
        ("photo.png", "image/jpeg"),
        ("photo.jpg.exe", "image/jpeg"),
        ("drawing.svg", "image/svg+xml"),
        ("photo", ""),
        ("photo", "image/gif"),
        ("photo.jpg.", ""),
        (".jpg", ""),
        ("", ""),
        ("letter.docm", ""),
    ],
)
def test_what_claims_nothing_that_is_taken_claims_nothing(name: str, content_type: str) -> None:
    assert media_content.claimed(name, content_type) is None
    assert media_content.claimed("blob", "image/png") is kinds.PNG


NOTHING = {
    "nothing": b"",
    "a page": b"<html><script>alert(1)</script></html>",
    "a drawing with a script": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "a page before a picture": b"<html>" + JPEG,
    "a program": b"MZ" + bytes(200) + b"%PDF-1.4",
    "blanks before a PDF": b"  " + PDF,
    "a plain zip": zipped({"word/document.xml": b"x", "letter.docx": b"y"}),
    "a zip behind something else": b"#!/bin/sh\n" + office("wordprocessingml.document"),
    "a document with macros": zipped(
        {"[Content_Types].xml": b"application/vnd.ms-word.document.macroEnabled.main+xml"}
    ),
    "a zip of a method that no document has": zipped(
        {"[Content_Types].xml": b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"},
        zipfile.ZIP_BZIP2,
    ),
    "a zip that breaks off": office("wordprocessingml.document")[:-30],
    "an OLE file of another program": ole("VisioDocument"),
    "an OLE file that breaks off": ole("WordDocument")[:700],
    "a head of an OLE file": ole("WordDocument")[:8],
    "a QuickTime film": iso_media(b"qt  "),
    "a picture of a new phone": iso_media(b"heic", b"mif1"),
    "sound in an MP4 file": iso_media(b"M4A ", b"mp42", b"isom"),
    "an ftyp box without brands": struct.pack(">I", 8) + b"ftyp",
    "an ftyp box of the largest size": b"\xff\xff\xff\xffftyp",
    "MPEG audio of layer I": b"\xff\xff\x90\x00" + bytes(413),
    "a byte-order mark": "\ufefftext".encode("utf-16-le"),
    "RIFF of another form": b"RIFF\x24\0\0\0AVI LIST",
}


@pytest.mark.parametrize("what", NOTHING)
def test_other_content_is_of_no_type(what: str) -> None:
    assert types_of(NOTHING[what]) == set()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (FRAME * 2, "song.mp3"),
        (b"\xff\xf3\x90\x00" + bytes(400), "song.mp3"),  # MPEG-2, as speech is
        (iso_media(b"isom"), "clip.mp4"),
        (iso_media(b"avc1", b"isom"), "clip.mp4"),
        (iso_media(b"dash"), "clip.mp4"),
        (iso_media(b"MSNV", b"mp42"), "clip.mp4"),
        (JPEG + b"<html><script>alert(1)</script></html>", "photo.jpg"),  # harmless: never served as a page
    ],
)
def test_the_variants_that_there_are_are_known(content: bytes, expected: str) -> None:
    assert types_of(content) == {media_content.claimed(expected, "")}


def test_a_zip_with_a_huge_table_of_contents_is_not_read_to_its_end() -> None:
    members = {f"{number:0250}": b"" for number in range(8_000)}
    listing = {"[Content_Types].xml": b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"}
    assert types_of(zipped({**listing, **members}, zipfile.ZIP_STORED)) == set()
    assert types_of(zipped(listing)) == {kinds.XLSX}


def test_a_bomb_in_the_list_of_content_types_is_not_unpacked() -> None:
    bomb = zipped({"[Content_Types].xml": bytes(50_000_000) + b"wordprocessingml.document.main+xml"})
    assert types_of(bomb) == set()


@given(st.sampled_from(sorted(FILES)), st.data())
def test_no_damage_makes_a_check_fail(name: str, data: st.DataObject) -> None:
    content = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    types_of(bytes(content[: data.draw(st.integers(0, len(content)))]))


# ---------------------------------------------------------------- Names


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\Users\\me\\photo.png", "photo.png"),
        ("", "file.png"),
        ("photo", "photo.png"),
        (".png", "png.png"),
        ("photo.png\u202egnp.exe", "photo.png gnp.exe.png"),
        ('a"b<c>d.png', "abcd.png"),
        ("a\r\nSet-Cookie: x=y.png", "a Set-Cookie x=y.png"),
        ("योजना.png", "योजना.png"),
        ('e"\u0301.png', "é.png"),
    ],
)
def test_names_are_made_harmless(given_name: str, kept: str) -> None:
    assert media_content.clean_name(given_name, kinds.PNG) == kept


@given(st.text(max_size=400))
@example('e"\u0301')
def test_every_name_becomes_one_that_a_path_and_a_header_can_hold(name: str) -> None:
    clean = media_content.clean_name(name, kinds.JPEG)
    assert clean.isprintable()
    assert 5 <= len(clean) <= 200
    assert not set(clean) & set('/\\"<>|:*?\r\n\0')
    assert clean.lower().endswith((".jpg", ".jpeg"))
    assert clean[0] not in ". "
    assert media_content.clean_name(clean, kinds.JPEG) == clean


PIECES = [b"--x", b"--x--", b"--", b"\r\n", b"\r\n\r\n", b"x", b"Content-Type: text/plain", b'name="a"; filename="b"']


def through(body: bytes, size: int) -> bytes:
    source = BytesIO(body)
    parts = NamedParts(lambda most: source.read(min(most, size)), "x")
    return b"".join(iter(lambda: parts.read(65_536), b""))


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=9), max_size=30).map(b"".join), st.integers(1, 40))
def test_what_needs_no_name_goes_through_untouched(body: bytes, size: int) -> None:
    assert through(body, size) == body


@given(st.integers(1, 60))
def test_names_are_given_however_the_body_arrives(size: int) -> None:
    file = b"Content-Type: image/png\r\n\r\n\x89--\r\n\r\nPNG\r\n"
    text = b'Content-Disposition: form-data; name="a"\r\n\r\nb\r\n'
    named = b'\r\nContent-Disposition: form-data; name="files"; filename="file"\r\n' + file
    assert through(b"--x\r\n" + file + b"--x\r\n" + text + b"--x\r\n" + file + b"--x--\r\n", size) == (
        b"--x" + named + b"--x\r\n" + text + b"--x" + named + b"--x--\r\n"
    )


def test_headers_without_end_are_not_held() -> None:
    assert (
        through(b"--x\r\n" + b"a" * 100_000 + b"--x\r\nContent-Type: image/png\r\n\r\n", 4096).count(b"filename") == 1
    )
