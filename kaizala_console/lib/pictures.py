"""Small still pictures, PNG, JPEG or WebP: are they what they claim, how large are they, and what of them is kept.

Nothing is decoded: the parts that a file is made of are walked, each checked for where it ends. What says how the
picture looks is kept; texts, places, cameras, thumbnails, and whatever follows its end, are left out. Of Exif, which
is all that and by which side a camera was held, that side alone is kept: browsers turn the picture by it.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

PNG, JPEG, WEBP = "image/png", "image/jpeg", "image/webp"
EXTENSIONS: Final = {".png": PNG, ".jpg": JPEG, ".jpeg": JPEG, ".webp": WEBP}
_OTHER_NAMES: Final = {"image/jpg": JPEG, "image/pjpeg": JPEG, "image/x-png": PNG}
_SAYS_NOTHING: Final = frozenset({"", "application/octet-stream"})

_PNG_BEGINS: Final = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT"})
_WEBP_KEPT: Final = frozenset({b"VP8X", b"ICCP", b"ALPH", b"VP8 ", b"VP8L"})
_WEBP_MOVES, _WEBP_TELLS, _WEBP_EXIF = 0x02, 0x0C, 0x08  # flags of VP8X: animation; Exif and XMP; Exif

# JPEG (ITU T.81, table B.1): frames, what is kept beside them, and markers within the coded data.
_JPEG_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})  # what browsers show
_JPEG_KEPT: Final = frozenset({0xC4, 0xDA, 0xDB, 0xDD, 0xE0, 0xEE}) | _JPEG_FRAMES  # 0xEE: Adobe's word on colours
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_COLOURS: Final = b"ICC_PROFILE\0"
_JPEG_EXIF: Final = b"Exif\0\0"
_ORIENTATION, _SHORT = 0x0112, 3  # of TIFF, in which Exif is written
_ON_ITS_SIDE: Final = frozenset({5, 6, 7, 8})

_JPEG_MARKER: Final = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")


class NotAPicture(ValueError):
    """The content is none of the three formats, is damaged, or moves."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture without what tells of more than its looks; as wide and high as it is shown."""

    content_type: str
    width: int
    height: int
    content: bytes


def read(content: bytes) -> Picture:
    """The picture that this is. Raises NotAPicture."""
    try:
        if content.startswith(_PNG_BEGINS):
            return _png(content)
        if content.startswith(b"\xff\xd8\xff"):
            return _jpeg(content)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return _webp(content)
    except (struct.error, IndexError):
        raise NotAPicture("cut off") from None
    raise NotAPicture("no format that is read here")


def claimed(name: str, content_type: str) -> str | None:
    """What a file claims to be by its name and its declared type; None when that is no picture, or both disagree."""
    declared = content_type.partition(";")[0].strip().lower()
    declared = _OTHER_NAMES.get(declared, declared)
    by_name = EXTENSIONS.get(PurePosixPath(name).suffix.lower())
    return by_name if declared in _SAYS_NOTHING or declared == by_name else None


# ---------------------------------------------------------------- Which side is up (Exif 2.3, §4.6.4)


def _side_up(exif: bytes) -> int:
    """How the picture is to be turned or mirrored: 2 to 8; 0 when it stands as it is, or when this tells nothing."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 0
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, at)
        for entry in range(at + 2, at + 2 + entries * 12, 12):
            tag, kind, count, value = struct.unpack_from(f"{order}HHIH", exif, entry)
            if tag == _ORIENTATION:
                return value if kind == _SHORT and count == 1 and 2 <= value <= 8 else 0
    except struct.error:  # what is damaged is left out like the rest
        return 0
    return 0


def _saying(side_up: int) -> bytes:
    """Exif that says this alone."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, _ORIENTATION, _SHORT, 1, side_up, 0, 0)


# ---------------------------------------------------------------- PNG (W3C, third edition)


def _png(content: bytes) -> Picture:
    kept, size, side_up = [_PNG_BEGINS], (0, 0), 0
    names: list[bytes] = []
    for name, data, whole in _png_chunks(content):
        if not names:
            if name != b"IHDR" or len(data) != 13:
                raise NotAPicture("no header")
            size = struct.unpack(">II", data[:8])
        names.append(name)
        if name in _PNG_KEPT:
            kept.append(whole)
        elif name == b"eXIf" and names.count(name) == 1:
            side_up = _side_up(data)
            kept.append(_png_chunk(name, _saying(side_up)) if side_up else b"")
        elif name[:1].isupper():  # one may not go on without it
            raise NotAPicture("an unknown critical part")
    if names.count(b"IHDR") != 1 or b"IDAT" not in names or names[-1:] != [b"IEND"]:
        raise NotAPicture("parts are missing")
    return _sized(PNG, size[0], size[1], b"".join(kept), side_up)


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Name, data, and the chunk as it stands, up to the end of the picture."""
    at, name = len(_PNG_BEGINS), b""
    while name != b"IEND":
        (length,) = struct.unpack(">I", content[at : at + 4])
        end = at + 12 + length
        name, data = content[at + 4 : at + 8], content[at + 8 : end - 4]
        (check,) = struct.unpack(">I", content[end - 4 : end])
        if zlib.crc32(name + data) != check:
            raise NotAPicture("a damaged part")
        yield name, data, content[at:end]
        at = end


# ---------------------------------------------------------------- JPEG (ITU T.81, annex B)


def _jpeg(content: bytes) -> Picture:
    kept, size, at = [b"\xff\xd8"], (0, 0), 2
    seen: set[int] = set()
    side_up: int | None = None
    while True:
        if content[at] != 0xFF:
            raise NotAPicture("no marker where one belongs")
        while content[at] == 0xFF:
            at += 1
        marker, at = content[at], at + 1
        if marker == _JPEG_END:
            break
        (length,) = struct.unpack(">H", content[at : at + 2])
        end = at + length
        data = content[at + 2 : end]
        if marker < 0xC0 or 0xD0 <= marker <= 0xD8 or length < 2 or len(data) != length - 2:
            raise NotAPicture("a damaged part")
        if marker in _JPEG_FRAMES:
            size = _jpeg_size(data, seen)
        if marker == _JPEG_SCAN:
            end = _end_of_scan(content, end)
        if marker in _JPEG_KEPT or (marker == 0xE2 and data.startswith(_JPEG_COLOURS)):
            kept.append(b"\xff" + bytes([marker]) + content[at:end])
            seen.add(marker)
        elif marker == 0xE1 and data.startswith(_JPEG_EXIF) and side_up is None and _JPEG_SCAN not in seen:
            side_up = _side_up(data[len(_JPEG_EXIF) :])
            said = _JPEG_EXIF + _saying(side_up)
            kept.append(b"\xff\xe1" + struct.pack(">H", len(said) + 2) + said if side_up else b"")
        elif not (0xE0 <= marker <= 0xEF or marker == 0xFE):  # neither an application's nor a comment
            raise NotAPicture("a kind that browsers do not show")
        at = end
    if _JPEG_SCAN not in seen or not seen & _JPEG_FRAMES:
        raise NotAPicture("parts are missing")
    return _sized(JPEG, size[0], size[1], b"".join([*kept, b"\xff\xd9"]), side_up or 0)


def _jpeg_size(frame: bytes, seen: set[int]) -> tuple[int, int]:
    if seen & _JPEG_FRAMES:
        raise NotAPicture("two frames")
    height, width = struct.unpack(">HH", frame[1:5])
    return width, height


def _end_of_scan(content: bytes, at: int) -> int:
    """Where the next part begins after coded data."""
    found = _JPEG_MARKER.search(content, at)
    if found is None:
        raise NotAPicture("without an end")
    return found.start()


# ---------------------------------------------------------------- WebP (RFC 9649)


def _webp(content: bytes) -> Picture:
    (length,) = struct.unpack("<I", content[4:8])
    kept: list[bytes] = []
    names: list[bytes] = []
    canvas, size, at, side_up = None, None, 12, 0
    end = 8 + length
    if end > len(content):
        raise NotAPicture("cut off")
    while at < end:
        name = content[at : at + 4]
        (length,) = struct.unpack("<I", content[at + 4 : at + 8])
        data, following = content[at + 8 : at + 8 + length], at + 8 + length + length % 2
        if following > end:
            raise NotAPicture("a damaged part")
        if name == b"VP8X" and not names:
            if data[0] & _WEBP_MOVES:
                raise NotAPicture("it moves")
            canvas = _three(data[4:7]) + 1, _three(data[7:10]) + 1
            data = bytes([data[0] & ~_WEBP_TELLS]) + data[1:]
        elif name in (b"VP8 ", b"VP8L") and size is None:
            size = _vp8_size(data) if name == b"VP8 " else _vp8l_size(data)
        elif name in (b"VP8X", b"VP8 ", b"VP8L", b"ANIM", b"ANMF"):
            raise NotAPicture("more than one picture")
        elif name == b"EXIF" and canvas and name not in names:
            side_up = _side_up(data.removeprefix(_JPEG_EXIF))
        names.append(name)
        if name in _WEBP_KEPT:
            kept.append(name + struct.pack("<I", length) + data + b"\0" * (length % 2))
        at = following
    if size is None or canvas not in (None, size):
        raise NotAPicture("no picture, or one of another size than it says")
    if side_up:
        first, said = kept[0], _saying(side_up)
        kept[0] = first[:8] + bytes([first[8] | _WEBP_EXIF]) + first[9:]
        kept.append(b"EXIF" + struct.pack("<I", len(said)) + said)
    body = b"WEBP" + b"".join(kept)
    return _sized(WEBP, size[0], size[1], b"RIFF" + struct.pack("<I", len(body)) + body, side_up)


def _vp8_size(data: bytes) -> tuple[int, int]:
    """From the header of a key frame (RFC 6386, §9.1)."""
    if data[0] & 1 or data[3:6] != b"\x9d\x01\x2a":
        raise NotAPicture("no key frame")
    width, height = struct.unpack("<HH", data[6:10])
    return width & 0x3FFF, height & 0x3FFF


def _vp8l_size(data: bytes) -> tuple[int, int]:
    if data[0] != 0x2F:
        raise NotAPicture("no lossless picture")
    (bits,) = struct.unpack("<I", data[1:5])
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _three(data: bytes) -> int:
    if len(data) != 3:
        raise NotAPicture("cut off")
    return int.from_bytes(data, "little")


def _sized(content_type: str, width: int, height: int, content: bytes, side_up: int) -> Picture:
    if not width or not height:
        raise NotAPicture("without a size")
    if side_up in _ON_ITS_SIDE:
        width, height = height, width
    return Picture(content_type, width, height, content)
