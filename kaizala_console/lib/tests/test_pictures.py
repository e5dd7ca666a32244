"""What is a small still picture, how large it is, and what of it is kept."""

from __future__ import annotations

import pytest

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
