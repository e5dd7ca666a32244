"""Collecting static files before a start: with hashed names in a manifest, without which every page is a 500."""

import hashlib
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any, Final

import rcssmin
import rjsmin
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.base import ContentFile
from django.core.management import call_command
from whitenoise.storage import CompressedManifestStaticFilesStorage

MANIFEST = "staticfiles.json"
# Our own folders alone: what others ship, they have made small.
SHORTENED: Final[dict[tuple[str, str], Callable[[str], str]]] = {
    ("css", ".css"): rcssmin.cssmin,
    ("js", ".js"): rjsmin.jsmin,
}


class StaticFiles(CompressedManifestStaticFilesStorage):
    """WhiteNoise's, which also takes comments and spaces out of our style sheets and scripts as they are collected."""

    def _save(self, name: str, content: Any) -> str:
        path = PurePath(name)
        if shorten := SHORTENED.get((path.parts[0], path.suffix)):
            content.seek(0)
            content = ContentFile(shorten(content.read().decode()).encode())
        return str(super()._save(name, content))


def collect_if_changed() -> None:
    """Collect and compress static files when any of them has changed since the last time."""
    seen = hashlib.sha256()
    for finder in get_finders():
        for path, storage in sorted(finder.list([]), key=lambda item: str(item[0])):
            status = Path(storage.path(path)).stat()
            seen.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    stamp = settings.STATIC_ROOT / ".collected"
    if stamp.exists() and stamp.read_text() == seen.hexdigest():
        return
    call_command("collectstatic", interactive=False, clear=settings.STATIC_ROOT.exists(), verbosity=0)
    stamp.write_text(seen.hexdigest())


def collect_if_missing() -> None:
    """Collect them when there are none. An image brings its own, in a folder that cannot be written."""
    if not (settings.STATIC_ROOT / MANIFEST).exists():
        collect_if_changed()


def are_collected() -> bool:
    """Whether this process has a manifest; it reads it once."""
    return bool(getattr(staticfiles_storage, "hashed_files", True))
