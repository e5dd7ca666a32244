"""What is a small still picture, how large it is, and what of it is kept."""

from __future__ import annotations

import io
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kaizala_console.lib import pictures
from kaizala_console.lib.tests import picture_files as files

# Pillow warns of damaged metadata, which is dropped.
pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore::UserWarning:PIL")]
SIDE: Final = 1024
SAMPLES = {
    "png": (files.WITH_TEXTS, "image/png"),
    "jpeg": (files.JPEG, "image/jpeg"),
    "webp": (files.WEBP, "image/webp"),
    "lossless": (files.LOSSLESS, "image/webp"),
}


def read(content: bytes) -> pictures.Picture:
    return pictures.read(content, most_pixels=SIDE)


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_picture_keeps_its_format_and_size_and_loses_what_is_hidden_in_it(kind: str) -> None:
    content, content_type = SAMPLES[kind]
    found = read(content + b"<html><script>alert(1)</script>")
    assert (found.content_type, found.width, found.height) == (content_type, 40, 33)
    for hidden in (b"taken at home", b"<svg", b"<script>", b"Exif", b"EXIF", b"XMP "):
        assert hidden not in found.content


def test_a_picture_taken_sideways_is_turned_upright() -> None:
    with Image.open(io.BytesIO(files.JPEG)) as original, Image.open(io.BytesIO(_turned(6))) as turned:
        assert (turned.size, len(turned.getexif())) == ((33, 40), 0)
        expected = original.convert("L").transpose(Image.Transpose.ROTATE_270)
        difference = max(
            abs(one - other) for one, other in zip(expected.tobytes(), turned.convert("L").tobytes(), strict=True)
        )
    assert difference < 40  # JPEG encodes it a second time


def _turned(side_up: int) -> bytes:
    return read(files.jpeg_with(files.held(side_up))).content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a" + b"\0" * 40,
        b"\x89PNG\r\n\x1a\n<svg onload='alert(1)'/>",
        b"\xff\xd8\xff<html><script>alert(1)</script>",
        files.MOVING,
        files.png(0, 48),
        files.JPEG[:400],
        files.WITH_TEXTS[:150],
    ],
)
def test_anything_else_is_no_picture(content: bytes) -> None:
    with pytest.raises(pictures.NotAPicture):
        read(content)


@given(st.data())
def test_a_damaged_picture_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([content for content, _type in SAMPLES.values()])))
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[at] = data.draw(st.integers(0, 255))
    try:
        read(bytes(content))
    except (pictures.NotAPicture, pictures.TooManyPixels):
        return


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    header_only = files.begun(files.header(60_000, 60_000), files.chunk(b"IEND", b""))
    with pytest.raises(pictures.TooManyPixels) as refused:
        read(header_only)
    assert (refused.value.width, refused.value.height) == (60_000, 60_000)


@pytest.mark.parametrize(
    ("name", "declared", "claim"),
    [
        ("logo.png", "image/png", "image/png"),
        ("LOGO.JPG", "image/jpeg; q=1", "image/jpeg"),
        ("logo.jpeg", "image/pjpeg", "image/jpeg"),
        ("logo.webp", "", "image/webp"),
        ("logo.png", "image/jpeg", None),
        ("logo.svg", "image/svg+xml", None),
        ("logo.png.html", "image/png", None),
        ("logo", "image/png", None),
    ],
)
def test_a_claim_is_the_name_and_the_declared_type_together(name: str, declared: str, claim: str | None) -> None:
    assert pictures.get_claimed_type(name, declared) == claim
