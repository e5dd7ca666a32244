"""Files of a multipart body that come without a name."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groups.media.upload import NamedParts

pytestmark = pytest.mark.once

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
