"""Small still pictures, PNG, JPEG or WebP, decoded and encoded again: what is kept holds pixels and nothing else."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, Final

from PIL import Image, ImageOps, UnidentifiedImageError

PNG, JPEG, WEBP = "image/png", "image/jpeg", "image/webp"
EXTENSIONS: Final = {".png": PNG, ".jpg": JPEG, ".jpeg": JPEG, ".webp": WEBP}
_OTHER_NAMES: Final = {"image/jpg": JPEG, "image/pjpeg": JPEG, "image/x-png": PNG}
_SAYS_NOTHING: Final = frozenset({"", "application/octet-stream"})
_FORMATS: Final = {"PNG": PNG, "JPEG": JPEG, "WEBP": WEBP}
_ENCODING: Final[dict[str, dict[str, object]]] = {
    "PNG": {"optimize": True},
    "JPEG": {"quality": 90},
    "WEBP": {"quality": 90},
}
_MODES: Final = frozenset({"L", "LA", "P", "RGB", "RGBA"})  # what all that show pictures know
# What Pillow raises for files that are damaged or made to harm it.
_UNREADABLE: Final = (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
Image.MAX_IMAGE_PIXELS = None  # nothing is decoded here before its size was checked


class NotAPicture(ValueError):
    """The content is none of the three formats, is damaged, or moves."""


class TooManyPixels(ValueError):
    """The picture is too wide or too high to be decoded; it has its sides as `width` and `height`."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(f"{width} x {height} pixels")
        self.width, self.height = width, height


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture without metadata; as wide and high as it is shown."""

    content_type: str
    width: int
    height: int
    content: bytes


def read(content: bytes, *, most_pixels: int) -> Picture:
    """Return the picture, encoded again. Raises NotAPicture, or TooManyPixels when a side has over `most_pixels`."""
    try:
        with Image.open(io.BytesIO(content), formats=list(_FORMATS)) as opened:
            kind = str(opened.format)
            if getattr(opened, "n_frames", 1) > 1:
                raise NotAPicture("it moves")
            if max(opened.size) > most_pixels:
                raise TooManyPixels(*opened.size)
            picture = ImageOps.exif_transpose(opened)
    except TooManyPixels:
        raise
    except _UNREADABLE:
        raise NotAPicture("damaged, or no format that is read here") from None
    if picture.mode not in _MODES or (kind == "JPEG" and picture.mode == "P"):
        picture = picture.convert("RGB")
    kept = io.BytesIO()
    colours = picture.info.get("icc_profile")
    picture.info.clear()
    picture.save(kept, kind, icc_profile=colours, **_ENCODING[kind])
    return Picture(_FORMATS[kind], picture.width, picture.height, kept.getvalue())


def read_size(file: BinaryIO) -> tuple[int, int] | None:
    """Return width and height as the header of a PNG or JPEG says, undecoded; None when it cannot be read."""
    try:
        with Image.open(file, formats=["PNG", "JPEG"]) as opened:
            return opened.size
    except _UNREADABLE:
        return None


def get_claimed_type(name: str, content_type: str) -> str | None:
    """What a file claims to be by its name and its declared type; None when that is no picture, or both disagree."""
    declared = content_type.partition(";")[0].strip().lower()
    declared = _OTHER_NAMES.get(declared, declared)
    by_name = EXTENSIONS.get(PurePosixPath(name).suffix.lower())
    return by_name if declared in _SAYS_NOTHING or declared == by_name else None
