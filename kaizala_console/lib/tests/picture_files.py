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
# A JPEG of several scans, with Exif.
PROGRESSIVE = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/4QAwRXhpZgAATU0AKgAAAAgAAQEOAAIAAAAOAAAAGgAAAAB0YWtlbiBhdCBob21lAP/bAEMAGxIUFxQRGx"
    "cWFx4cGyAoQisoJSUoUTo9MEJgVWVkX1VdW2p4mYFqcZBzW12FtYaQnqOrratngLzJuqbHmairpP/bAEMBHB4eKCMoTisrTqRuXW6kpKSkpKSk"
    "pKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpP/CABEIACEAKAMBIgACEQEDEQH/xAAXAAEBAQEAAAAAAAAAAAAAAA"
    "ACAAME/8QAFwEBAQEBAAAAAAAAAAAAAAAAAgMBBf/aAAwDAQACEAMQAAAB4E08KTFxaxtmms5YTRubSNslS56VCyqNv//EABYQAQEBAAAAAAAA"
    "AAAAAAAAABEAIP/aAAgBAQABBQIiIiIiIiIiIiIjX//EABYRAQEBAAAAAAAAAAAAAAAAAAIAAf/aAAgBAwEBPwEqKsUVFWKMbL//xAAWEQEBAQ"
    "AAAAAAAAAAAAAAAAARACD/2gAIAQIBAT8BZmZnH//EABQQAQAAAAAAAAAAAAAAAAAAAED/2gAIAQEABj8CT//EABUQAQEAAAAAAAAAAAAAAAAA"
    "AAAB/9oACAEBAAE/IYQhCEIQhCEIQhCEIQiIiP/aAAwDAQACAAMAAAAQ8KC38OAf/wD/xAAXEQADAQAAAAAAAAAAAAAAAAAAECEx/9oACAEDAQ"
    "E/EEEGEGYP/8QAFREBAQAAAAAAAAAAAAAAAAAAAAH/2gAIAQIBAT8QrWta1qq//8QAFBABAAAAAAAAAAAAAAAAAAAAQP/aAAgBAQABPxBIAAAA"
    "AAA//9k="
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


def held(side_up: int, order: str = ">", kind: int = 3) -> bytes:
    """Exif as cameras write it: a model, by which side the camera was held, and a place; in either order of bytes."""
    camera, at = b"taken at home\0", 8 + 2 + 3 * 12 + 4
    value = struct.pack(f"{order}HH", side_up, 0) if kind == 3 else struct.pack(f"{order}I", side_up)
    return b"".join(
        (
            b"MM" if order == ">" else b"II",
            struct.pack(f"{order}HIH", 42, 8, 3),
            struct.pack(f"{order}HHII", 0x0110, 2, len(camera), at),
            struct.pack(f"{order}HHI", 0x0112, kind, 1) + value,
            struct.pack(f"{order}HHII", 0x8825, 4, 1, at),
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


def webp_with(exif: bytes) -> bytes:
    """`WEBP` with this Exif instead of its own."""
    begin, end = WEBP.index(b"EXIF"), WEBP.index(b"XMP ")
    parts = WEBP[12:begin] + b"EXIF" + struct.pack("<I", len(exif)) + exif + b"\0" * (len(exif) % 2) + WEBP[end:]
    return b"RIFF" + struct.pack("<I", len(parts) + 4) + b"WEBP" + parts


def png_with(exif: bytes) -> bytes:
    """`WITH_TEXTS` with this Exif instead of its own."""
    at = WITH_TEXTS.index(b"eXIf") - 4
    (length,) = struct.unpack(">I", WITH_TEXTS[at : at + 4])
    return WITH_TEXTS[:at] + chunk(b"eXIf", exif) + WITH_TEXTS[at + 12 + length :]


def png(width: int = 48, height: int = 48, shade: int = 120) -> bytes:
    """A whole grey picture."""
    rows = (b"\0" + bytes([shade]) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return begun(chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))


def begun(*chunks: bytes) -> bytes:
    """A file of these chunks."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def chunk(name: bytes, data: bytes) -> bytes:
    """One part of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
