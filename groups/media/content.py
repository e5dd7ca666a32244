"""Whether a file is what its name and its declared type claim (wire protocol §6, Media). Pure: reads what it is given.

There are thirteen types and one question about each, so nothing is guessed: the claim is checked, with the rules of the
format itself. No sniffing library told all thirteen apart (ADR 0051). Nothing is decoded, and nothing decompressed but
for one small member of an Office file; what is damaged further in is the concern of those who read it.
"""

from __future__ import annotations

import struct
import unicodedata
import zipfile
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, Final

import olefile
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# ----------------------------------------------------------------------------------------------------
# The kinds of media, and the types of files that each takes (wire protocol §6, Media). Pure.


class MediaKind(TextChoices):
    """What a mediaResource is. The values are the wire's spellings of the Actions that post it."""

    IMAGE = "Image", _("image")
    ALBUM = "Album", _("album")
    AUDIO = "Audio", _("audio")
    DOCUMENT = "Document", _("document")
    VIDEO = "Video", _("video")


@dataclass(frozen=True, slots=True)
class FileType:
    """A type of file: how its names end (the first is the usual one), its kind, and the content types it goes by.

    The first content type is the one that the console itself says; the others are what programs send for it.
    """

    extensions: tuple[str, ...]
    kind: MediaKind
    content_types: tuple[str, ...]

    @property
    def content_type(self) -> str:
        return self.content_types[0]


_OFFICE: Final = "application/vnd.openxmlformats-officedocument"

JPEG: Final = FileType((".jpg", ".jpeg"), MediaKind.IMAGE, ("image/jpeg", "image/jpg", "image/pjpeg"))
PNG: Final = FileType((".png",), MediaKind.IMAGE, ("image/png", "image/x-png"))
MP3: Final = FileType((".mp3",), MediaKind.AUDIO, ("audio/mpeg", "audio/mp3", "audio/x-mp3", "audio/x-mpeg"))
WAV: Final = FileType((".wav",), MediaKind.AUDIO, ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"))
DOC: Final = FileType((".doc",), MediaKind.DOCUMENT, ("application/msword", "application/vnd.ms-word"))
DOCX: Final = FileType((".docx",), MediaKind.DOCUMENT, (f"{_OFFICE}.wordprocessingml.document",))
XLS: Final = FileType((".xls",), MediaKind.DOCUMENT, ("application/vnd.ms-excel", "application/msexcel"))
XLSX: Final = FileType((".xlsx",), MediaKind.DOCUMENT, (f"{_OFFICE}.spreadsheetml.sheet",))
PPT: Final = FileType((".ppt",), MediaKind.DOCUMENT, ("application/vnd.ms-powerpoint", "application/mspowerpoint"))
PPTX: Final = FileType((".pptx",), MediaKind.DOCUMENT, (f"{_OFFICE}.presentationml.presentation",))
PDF: Final = FileType((".pdf",), MediaKind.DOCUMENT, ("application/pdf", "application/x-pdf"))
MP4: Final = FileType((".mp4",), MediaKind.VIDEO, ("video/mp4",))
THREE_GP: Final = FileType((".3gp", ".3gpp"), MediaKind.VIDEO, ("video/3gpp", "audio/3gpp", "video/3gp"))

FILE_TYPES: Final = (JPEG, PNG, MP3, WAV, DOC, DOCX, XLS, XLSX, PPT, PPTX, PDF, MP4, THREE_GP)
EXTENSIONS: Final = tuple(extension for each in FILE_TYPES for extension in each.extensions)
IMAGES: Final = tuple(extension for each in FILE_TYPES if each.kind == MediaKind.IMAGE for extension in each.extensions)


# What says nothing: defaults of HTTP libraries, and what .NET samples of 2018 put on a part.
_SAYS_NOTHING: Final = frozenset(
    {"", "application/octet-stream", "binary/octet-stream", "application/force-download", "multipart/form-data"}
)
_BY_EXTENSION: Final = {extension: each for each in FILE_TYPES for extension in each.extensions}
_BY_CONTENT_TYPE: Final = {name: each for each in FILE_TYPES for name in each.content_types}

# How much of a container is read to find out what it is. Its table of contents may be as large as the whole file, and
# parsers take many times that in memory. A real one, of a deck with 1000 slides, has 0.5 MB.
_MOST_OF_A_ZIP: Final = 2 * 1024 * 1024
_MOST_OF_AN_OLE_FILE: Final = 16 * 1024 * 1024
_LARGEST_CONTENT_TYPES: Final = 4 * 1024 * 1024  # decompressed
_ZIP_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # all that ECMA-376 part 2 knows; others are unbounded
_MOST_BRANDS: Final = 64

_LONGEST_NAME: Final = 200  # characters, as the model has it
_QUOTES: Final = frozenset('"<>|:*?')  # what Windows does not take, or a header would have to escape


def claimed(name: str, content_type: str) -> FileType | None:
    """The type that a file claims to be, by the end of its name and its declared content type; None for no type here.

    A name without an end leaves the word to the content type, and a content type that says nothing to the name. When
    both speak, they must mean the same.
    """
    declared = content_type.partition(";")[0].strip().lower()
    extension = PurePosixPath(name).suffix.lower()
    by_name = _BY_EXTENSION.get(extension)
    if declared in _SAYS_NOTHING:
        return by_name
    by_content_type = _BY_CONTENT_TYPE.get(declared)
    if not extension:
        return by_content_type
    return by_name if by_name is by_content_type else None


def disagreement(name: str, content_type: str) -> str:
    """What is wrong with a file that `claimed` gives no type for."""
    declared = content_type.partition(";")[0].strip().lower()
    if PurePosixPath(name).suffix.lower() in _BY_EXTENSION and declared not in _SAYS_NOTHING:
        return f"the Content-Type is {declared[:100]}, which does not go with its name."
    return "neither its name nor its Content-Type is of a supported type."


def holds(file: BinaryIO, claim: FileType) -> bool:
    """Whether the content of `file` is of the type that it claims to be. Leaves the file at its beginning."""
    try:
        file.seek(0)
        return _CHECKS[claim](file)
    finally:
        file.seek(0)


def clean_name(name: str, claim: FileType) -> str:
    """A harmless name for people to see: no folders, no control or invisible characters, ending as its type does.

    At most 200 characters, all printable, as a path of the wire must be. A name of which nothing is left is "file".
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    plain = "".join(character if character.isprintable() else " " for character in last if character not in _QUOTES)
    # Once more: what stood between a letter and its accent may be gone.
    plain = unicodedata.normalize("NFC", " ".join(plain.split())).strip(". ")
    stem, extension = (
        (plain[: -len(found)], found) if (found := _get_extension(plain, claim)) else (plain, claim.extensions[0])
    )
    return f"{stem[: _LONGEST_NAME - len(extension)].rstrip('. ') or 'file'}{extension}"


def _get_extension(name: str, claim: FileType) -> str:
    end = PurePosixPath(name).suffix
    return end if end.lower() in claim.extensions else ""


# ---------------------------------------------------------------- By how they begin


def _begins(*openings: bytes) -> Callable[[BinaryIO], bool]:
    return lambda file: file.read(max(map(len, openings))).startswith(openings)


def _is_wav(file: BinaryIO) -> bool:
    """RIFF of the form WAVE, with its format chunk first of those that matter."""
    head = file.read(12)
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def _is_mp3(file: BinaryIO) -> bool:
    """An ID3v2 tag (id3.org, §3.1), or a frame header of MPEG audio layer III (ISO 11172-3 §2.4.1.3)."""
    head = file.read(10)
    if len(head) == 10 and head[:3] == b"ID3":
        return head[3] < 0xFF and head[4] < 0xFF and all(byte < 0x80 for byte in head[6:10])
    if len(head) < 4:
        return False
    (word,) = struct.unpack(">I", head[:4])
    return (
        word >> 21 == 0x7FF  # sync
        and word >> 19 & 3 != 1  # version
        and word >> 17 & 3 == 1  # layer III
        and word >> 12 & 15 not in (0, 15)  # bit rate
        and word >> 10 & 3 != 3  # sample rate
    )


def _brands(file: BinaryIO) -> list[bytes]:
    """The major and the compatible brands of an ISO base media file (ISO 14496-12 §4.3); none when it is not one."""
    head = file.read(8)
    if len(head) < 8 or head[4:] != b"ftyp":
        return []
    (size,) = struct.unpack(">I", head[:4])
    content = file.read(min(size, 8 + 4 * _MOST_BRANDS + 8) - 8) if size >= 16 else b""
    brands = [content[at : at + 4] for at in range(0, len(content) - 3, 4) if at != 4]  # the second is a version
    return brands if len(content) >= 8 else []


def _has_brand(*prefixes: bytes, major_may_not: tuple[bytes, ...] = ()) -> Callable[[BinaryIO], bool]:
    def check(file: BinaryIO) -> bool:
        brands = _brands(file)
        return any(brand.startswith(prefixes) for brand in brands) and not brands[0].startswith(major_may_not)

    return check


# ---------------------------------------------------------------- Office: containers that hold all sorts of things


def _is_office_zip(main_part: str) -> Callable[[BinaryIO], bool]:
    """An Open Packaging container (ECMA-376 part 2) whose list of content types names this main part."""
    wanted = f"application/vnd.openxmlformats-officedocument.{main_part}.main+xml".encode()

    def check(file: BinaryIO) -> bool:
        if file.read(4) != b"PK\x03\x04":  # a zip may begin anywhere, a document begins here
            return False
        try:
            with zipfile.ZipFile(_Sparingly(file, _MOST_OF_A_ZIP)) as container:
                member = container.getinfo("[Content_Types].xml")
                if member.compress_type not in _ZIP_METHODS:
                    return False
                with container.open(member) as listing:
                    content = listing.read(_LARGEST_CONTENT_TYPES)
        except Exception:  # noqa: BLE001 (a damaged file can make the parser raise anything; it is no document then)
            return False
        return wanted in content

    return check


def _is_ole(*streams: str) -> Callable[[BinaryIO], bool]:
    """A compound file ([MS-CFB]) with one of these streams, which only documents of that program have."""

    def check(file: BinaryIO) -> bool:
        if file.read(8) != olefile.MAGIC:
            return False
        file.seek(0)
        return any(name in streams for name in _ole_streams(file))

    return check


def _ole_streams(file: BinaryIO) -> Iterable[str]:
    try:
        with closing(olefile.OleFileIO(_Sparingly(file, _MOST_OF_AN_OLE_FILE))) as container:
            return [path[0] for path in container.listdir() if len(path) == 1]
    except Exception:  # noqa: BLE001 (as above)
        return []


class _Sparingly:
    """A file of which no more than so many bytes are read, all reads together; ValueError beyond."""

    closed = False

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._left = most
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Reads one byte more than is left, at most, to see that there is more."""
        content = self._file.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(content)
        if self._left < 0:
            raise ValueError("too much of the file would have to be read")
        return content


_CHECKS: Final[dict[FileType, Callable[[BinaryIO], bool]]] = {
    JPEG: _begins(b"\xff\xd8\xff"),
    PNG: _begins(b"\x89PNG\r\n\x1a\n"),
    MP3: _is_mp3,
    WAV: _is_wav,
    DOC: _is_ole("WordDocument"),
    DOCX: _is_office_zip("wordprocessingml.document"),
    XLS: _is_ole("Workbook", "Book"),
    XLSX: _is_office_zip("spreadsheetml.sheet"),
    PPT: _is_ole("PowerPoint Document"),
    PPTX: _is_office_zip("presentationml.presentation"),
    PDF: _begins(b"%PDF-"),
    MP4: _has_brand(
        b"iso",
        b"mp4",
        b"avc1",
        b"dash",
        b"MSNV",
        b"M4V",
        b"3gp",
        b"mmp4",
        b"f4v",
        b"NDS",
        major_may_not=(b"qt  ", b"M4A", b"M4B", b"F4A", b"F4B", b"heic", b"heix", b"mif1", b"avif", b"avis", b"crx "),
    ),
    THREE_GP: _has_brand(b"3gp", b"3gr", b"3gs", b"3ge", b"3gg", b"3g2"),
}
