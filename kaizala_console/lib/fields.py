"""Fields whose default is code of the console. A migration describes the column alone, so it imports none of it."""

from __future__ import annotations

from typing import Any

from django.db import models

from kaizala_console.lib import ids


class IdField(models.UUIDField):
    """A primary key made in order of time; a plain UUIDField in migrations."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"primary_key": True, "default": ids.new_id, "editable": False}
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        return without_default(super().deconstruct(), "django.db.models.UUIDField")


def without_default(deconstructed: tuple[str, str, Any, Any], path: str) -> tuple[str, str, Any, Any]:
    """Return what `deconstruct` gave, as Django's own field at `path` and without the default."""
    name, _path, args, kwargs = deconstructed
    kwargs.pop("default", None)
    return name, path, args, kwargs
