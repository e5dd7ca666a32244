"""Small files as other programs wrote them, each 40 × 33 pixels; and PNGs of any size."""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode

# With Exif and a comment that is markup.
JPEG = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/4QAwRXhpZgAATU0AKgAAAAgAAQEOAAIAAAAOAAAAGgAAAAB0YWtlbiBhdCBob21lAP/+ABc8c3ZnIG9ubG"
    "9hZD1hbGVydCgxKT7/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/"
    "2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAARCAAhACgDASIAAh"
    "EBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEI"
    "I0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmq"
    "KjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQF"
    "BgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nz"
    "g5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU"
    "1dbX2Nna4uPk5ebn6Onq8vP09fb3+Pn6/9oADAMBAAIRAxEAPwDCWOpFjqZY6kWOtnMmnUIljqRY6lWOpVjrJzO6nUIVjoq0sdFZuZ2RqaECx1"
    "IsdSrHUqx1LmfMU6hCsdSLHUyx1IsdZOZ206hEsdFWVjoqHM7I1NCotSLRRVs+fpki1KtFFZM7aZItFFFZs7I7H//Z"
)
# With Exif and XMP.
WEBP = b64decode(
    "UklGRtIAAABXRUJQVlA4WAoAAAAMAAAAJwAAIAAAVlA4IHgAAAAwBACdASooACEAPvlmp1A/paQjNUqr8B8JZgC7M1pGUEkDhMCz9dB/8UAA/u"
    "zZW9Ne3X0kt99C0AtFluW9WM7XsW7Z676I0juZczAExYyfLq/rtD6OmnRL0v+ytAWQJTlvz93b+MQHld1+9uCjGPdOWu2eqWPQAABFWElGKAAA"
    "AE1NACoAAAAIAAEBDgACAAAADgAAABoAAAAAdGFrZW4gYXQgaG9tZQBYTVAgBAAAADx4Lz4="
)
# A WebP without losses.
LOSSLESS = b64decode("UklGRi4AAABXRUJQVlA4TCIAAAAvJwAIALkyRPQ/dhHR/zAQaduU3b/t4aMxGK2YAKo6UP01")
# An animated WebP.
MOVING = b64decode(
    "UklGRngBAABXRUJQVlA4WAoAAAACAAAAJwAAIAAAQU5JTQYAAAAAAAAAAABBTk1G5gAAAAAAAAAAACcAACAAAGQAAAJWUDggzgAAAFAGAJ0BKi"
    "gAIQA+aSaPRaQiIRqtVVRABoSzNefINAQnoYx9g0KO9cskF+Xda+UfyjeLpNjLk/vWf/2AAP79pDPEWVTd9txY5ZkP90j5sSG4HMgktwU1+3E9"
    "OS/lyHiw9S3Wck+gygshy59MCMisJ3oExWajPd39/ff/xg5+r7/+93fL3u+b6km5utPMlf+jOGyhzMcsIYrFB8nthcpPKkysYzqtz6BYGHQnU/"
    "LxlC1BnwtKEUYiDltFW9p5IDuKoiUHAog+xwYtuvBcwAAAQU5NRl4AAAAAAAAAAAAnAAAgAABkAAAAVlA4IEYAAABUAwCdASooACEAPm0wkUiC"
    "OAAA2JZwB2APwABK9Yh7KtOAAAD+8JtD//5BcsLrka///ID/kB/yA//kB/+WtOcx/YNPsCAA"
)
# A PNG with Exif and texts, one of them markup.
WITH_TEXTS = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAACgAAAAhCAIAAAAkk37yAAAAD3RFWHRrAHRha2VuIGF0IGhvbWXiNP+7AAAADmlUWHRoAAAAAAA8c2NyaXB0Pl"
    "NfjhIAAAAoZVhJZk1NACoAAAAIAAEBDgACAAAADgAAABoAAAAAdGFrZW4gYXQgaG9tZQBpunkkAAAAMklEQVR4nO3NsQ3AIADAsCBV8CP/H9Iv"
    "gMFRdo/as87/tboSGAwGg8FgMBgMBoPBD8E/XTgCpgMEO8QAAAAASUVORK5CYII="
)


def held(side_up: int) -> bytes:
    """Exif as cameras write it: a model, and by which side the camera was held."""
    camera = b"taken at home\0"
    return b"".join(
        (
            struct.pack(">2sHIH", b"MM", 42, 8, 2),
            struct.pack(">HHII", 0x0110, 2, len(camera), 8 + 2 + 2 * 12 + 4),
            struct.pack(">HHIHH", 0x0112, 3, 1, side_up, 0),
            b"\0\0\0\0",
            camera,
        )
    )


def jpeg_with(exif: bytes) -> bytes:
    """`JPEG` with this Exif instead of its own."""
    begin = JPEG.index(b"\xff\xe1")
    (length,) = struct.unpack(">H", JPEG[begin + 2 : begin + 4])
    part = b"\xff\xe1" + struct.pack(">H", len(exif) + 8) + b"Exif\0\0" + exif
    return JPEG[:begin] + part + JPEG[begin + 2 + length :]


def png(width: int = 48, height: int = 48, shade: int = 120) -> bytes:
    """A whole grey picture."""
    rows = (b"\0" + bytes([shade]) * width) * height
    return begun(header(width, height), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))


def header(width: int, height: int) -> bytes:
    """The first part of a grey PNG of this size."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))


def begun(*chunks: bytes) -> bytes:
    """A file of these chunks."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def chunk(name: bytes, data: bytes) -> bytes:
    """One part of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
