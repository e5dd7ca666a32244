"""The kinds of media, and the types of files that each takes (wire protocol §6, Media). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


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
