"""The wire's names of fields in what services refuse: they name them in their own vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kaizala_console.lib.errors import RuleBroken


@contextmanager
def rename_fields(**names: str) -> Iterator[None]:
    """`fields_spelled(image_url="groupImageUrl")`: what is raised inside names the field as the program wrote it."""
    try:
        yield
    except RuleBroken as broken:
        broken.field = names.get(broken.field or "", broken.field)
        raise
