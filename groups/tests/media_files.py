"""The smallest files of each type that the wire takes, made here byte by byte; and sending them as programs do."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from groups.media.storage import get_url
from groups.models import MediaFile, MediaResource, MediaStore
from groups.tests.factories import Program

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////"
    "////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
)
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
WAV = b"RIFF" + struct.pack("<I", 36 + 8) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
WAV += b"data" + struct.pack("<I", 8) + bytes(8)
FRAME = b"\xff\xfb\x90\x00" + bytes(413)
MP3 = b"ID3\x03\x00\x00\x00\x00\x00\x0a" + bytes(10) + FRAME * 3


def iso_media(*brands: bytes) -> bytes:
    """The head of an MP4 or 3GP file with these brands, the major one first."""
    content = brands[0] + b"\0\0\2\0" + b"".join(brands)
    return struct.pack(">I", 8 + len(content)) + b"ftyp" + content + struct.pack(">I", 16) + b"mdat" + bytes(8)


def office(main_part: str, **members: bytes) -> bytes:
    """An Office Open XML file whose main part is of this type ("wordprocessingml.document")."""
    content_type = f"application/vnd.openxmlformats-officedocument.{main_part}.main+xml"
    listing = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        f'<Override PartName="/main.xml" ContentType="{content_type}"/></Types>'
    )
    return zipped({"[Content_Types].xml": listing.encode(), "main.xml": b"<main/>", **members})


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as container:
        for name, content in members.items():
            container.writestr(name, content)
    return made.getvalue()


def ole(stream: str) -> bytes:
    """A compound file ([MS-CFB]) that holds one stream of 4096 bytes."""
    free, end, fat = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, end, 0, end, 0) + struct.pack("<109I", 0, *[free] * 108)
    # Sector 0 holds the table of sectors, sector 1 the directory, sectors 2 to 9 the stream.
    table = struct.pack("<128I", fat, end, *range(3, 10), end, *[free] * 118)
    directory = _entry("Root Entry", 5, child=1, start=end, size=0) + _entry(stream, 2, child=free, start=2, size=4096)
    return header + table + directory + bytes(512 - len(directory)) + bytes(4096)


def _entry(name: str, kind: int, *, child: int, start: int, size: int) -> bytes:
    written = name.encode("utf-16-le")
    entry = written + bytes(64 - len(written)) + struct.pack("<HBB", len(written) + 2, kind, 1)
    return entry + struct.pack("<III", 0xFFFFFFFF, 0xFFFFFFFF, child) + bytes(36) + struct.pack("<IQ", start, size)


FILES: dict[str, bytes] = {
    "photo.jpg": JPEG,
    "photo.jpeg": JPEG,
    "plan.png": PNG,
    "song.mp3": MP3,
    "note.wav": WAV,
    "letter.doc": ole("WordDocument"),
    "letter.docx": office("wordprocessingml.document"),
    "table.xls": ole("Workbook"),
    "table.xlsx": office("spreadsheetml.sheet"),
    "slides.ppt": ole("PowerPoint Document"),
    "slides.pptx": office("presentationml.presentation"),
    "bill.pdf": PDF,
    "clip.mp4": iso_media(b"mp42", b"isom"),
    "clip.3gp": iso_media(b"3gp4", b"isom"),
    "clip.3gpp": iso_media(b"3gp5"),
}
KINDS: dict[str, str] = {
    ".jpg": "Image",
    ".jpeg": "Image",
    ".png": "Image",
    ".mp3": "Audio",
    ".wav": "Audio",
    ".doc": "Document",
    ".docx": "Document",
    ".xls": "Document",
    ".xlsx": "Document",
    ".ppt": "Document",
    ".pptx": "Document",
    ".pdf": "Document",
    ".mp4": "Video",
    ".3gp": "Video",
    ".3gpp": "Video",
}

BOUNDARY = "a-line-between"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def part(
    content: bytes, filename: str | None = "photo.jpg", field: str = "files", content_type: str = "", raw: str = ""
) -> bytes:
    """One part of a multipart body; `raw` replaces the whole Content-Disposition."""
    disposition = raw or f'form-data; name="{field}"' + ("" if filename is None else f'; filename="{filename}"')
    head = f"Content-Disposition: {disposition}\r\n" + (f"Content-Type: {content_type}\r\n" if content_type else "")
    return f"--{BOUNDARY}\r\n{head}\r\n".encode() + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    """A whole multipart body."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def upload(program: Program, *parts: bytes) -> Any:
    """The answer to uploading these parts."""
    return program.post("/v1/media", body(*parts), content_type=MULTIPART)


def uploaded(program: Program, content: bytes = PNG, name: str = "plan.png") -> MediaFile:
    """The file, which was taken."""
    answer = upload(program, part(content, name))
    assert answer.status_code == 200, answer.content
    return MediaFile.objects.get(resource=answer.json()["mediaResource"])


def kept_on(shelf: Path) -> list[bytes]:
    """The content of all files that lie there."""
    return [path.read_bytes() for path in shelf.rglob("*") if path.is_file()]


def nothing_kept(shelf: Path) -> bool:
    """Neither in the store nor in the tables, nor counted."""
    stores = MediaStore.objects.exclude(bytes_used=0)
    return not (kept_on(shelf) or MediaResource.objects.exists() or MediaFile.objects.exists() or stores.exists())


def path_of(file: MediaFile) -> str:
    """Where it is fetched, without the host."""
    parts = urlsplit(get_url(file))
    return f"{parts.path}?{parts.query}"
