"""What is a small still picture, how large it is, and what of it is kept."""

from __future__ import annotations

import struct
from base64 import b64encode

import pytest
from playwright.sync_api import Browser

from kaizala_console.lib import pictures
from kaizala_console.lib.tests import picture_files as files

SAMPLES = {
    "png": (files.WITH_TEXTS, "image/png"),
    "jpeg": (files.JPEG, "image/jpeg"),
    "progressive": (files.PROGRESSIVE, "image/jpeg"),
    "webp": (files.WEBP, "image/webp"),
    "lossless": (files.LOSSLESS, "image/webp"),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_each_format_is_told_with_its_size(kind: str) -> None:
    content, content_type = SAMPLES[kind]
    found = pictures.read(content)
    assert (found.content_type, found.width, found.height) == (content_type, 40, 33)


@pytest.mark.parametrize("kind", SAMPLES)
def test_what_it_says_beside_its_looks_is_left_out(kind: str) -> None:
    content = SAMPLES[kind][0]
    tells = [words for words in (b"taken at home", b"<svg", b"<script>", b"Exif", b"EXIF", b"XMP ") if words in content]
    assert tells or kind == "lossless"
    kept = pictures.read(content).content
    assert [words for words in tells if words in kept] == []
    assert pictures.read(kept).content == kept


WITH_EXIF = {"jpeg": files.jpeg_with, "webp": files.webp_with, "png": files.png_with}


@pytest.mark.parametrize("kind", WITH_EXIF)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("side_up", range(2, 9))
def test_which_side_is_up_is_kept_and_nothing_else_of_exif(kind: str, order: str, side_up: int) -> None:
    content = WITH_EXIF[kind](files.held(side_up, order))
    found = pictures.read(content)
    assert b"taken at home" not in found.content
    assert struct.pack(">HHIHH", 0x0112, 3, 1, side_up, 0) in found.content
    assert (found.width, found.height) == ((33, 40) if side_up > 4 else (40, 33))
    assert pictures.read(found.content) == found


@pytest.mark.parametrize("kind", WITH_EXIF)
@pytest.mark.parametrize(
    "exif",
    [
        files.held(1),
        files.held(0),
        files.held(9),
        files.held(6, kind=4),
        files.held(6)[:20],
        files.held(6)[:9],
        files.held(6)[4:],
        b"MM\0*\xff\xff\xff\xff" + files.held(6)[8:],
        b"",
    ],
)
def test_exif_that_says_nothing_of_it_or_is_damaged_is_left_out(kind: str, exif: bytes) -> None:
    content = WITH_EXIF[kind](exif)
    assert pictures.read(content) == pictures.read(SAMPLES[kind][0])


def test_of_two_exif_parts_the_first_counts_as_in_browsers() -> None:
    one, other = files.jpeg_with(files.held(6)), files.jpeg_with(files.held(3))
    begin, end = other.index(b"\xff\xe1"), other.index(b"\xff\xfe")
    both = one[: one.index(b"\xff\xfe")] + other[begin:end] + one[one.index(b"\xff\xfe") :]
    assert pictures.read(both) == pictures.read(one)


@pytest.mark.journey
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_browser_turns_what_is_kept(browser: Browser, kind: str) -> None:
    found = pictures.read(WITH_EXIF[kind](files.held(6)))
    page = browser.new_page()
    page.set_content(f'<img src="data:{found.content_type};base64,{b64encode(found.content).decode()}">')
    page.wait_for_function("document.images[0].complete")
    sides = page.evaluate("[document.images[0].naturalWidth, document.images[0].naturalHeight]")
    page.close()
    assert sides == [found.width, found.height] == [33, 40]


@pytest.mark.parametrize("kind", SAMPLES)
def test_what_follows_its_end_is_left_out(kind: str) -> None:
    content = SAMPLES[kind][0]
    behind = pictures.read(content + b"<html><script>alert(1)</script>")
    assert behind.content == pictures.read(content).content


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_picture_that_is_cut_off_anywhere_is_none(kind: str) -> None:
    content = SAMPLES[kind][0]
    for length in range(len(content) - 1):
        with pytest.raises(pictures.NotAPicture):
            pictures.read(content[:length])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<!doctype html><script>alert(1)</script>",
        b"GIF89a" + b"\0" * 40,
        b"\x89PNG\r\n\x1a\n<svg onload='alert(1)'/>",
        b"\xff\xd8\xff<html><script>alert(1)</script>",
        b"RIFF\x30\0\0\0WEBP<html><script>alert(1)</script>" + b"\0" * 20,
        files.MOVING,
        files.png(0, 48),
        files.begun(files.chunk(b"IEND", b"")),
        files.png().replace(b"IDAT", b"IDOT"),
    ],
)
def test_anything_else_is_no_picture(content: bytes) -> None:
    with pytest.raises(pictures.NotAPicture):
        pictures.read(content)


@pytest.mark.parametrize(
    ("name", "declared", "claim"),
    [
        ("logo.png", "image/png", "image/png"),
        ("LOGO.JPG", "image/jpeg; q=1", "image/jpeg"),
        ("logo.jpeg", "image/pjpeg", "image/jpeg"),
        ("logo.webp", "", "image/webp"),
        ("logo.webp", "application/octet-stream", "image/webp"),
        ("logo.png", "image/jpeg", None),
        ("logo.png", "image/svg+xml", None),
        ("logo.svg", "image/svg+xml", None),
        ("logo.png.html", "image/png", None),
        ("logo", "image/png", None),
    ],
)
def test_a_claim_is_the_name_and_the_declared_type_together(name: str, declared: str, claim: str | None) -> None:
    assert pictures.claimed(name, declared) == claim
