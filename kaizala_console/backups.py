"""Copies of a console that keeps its database in a file: what `manage.py backup` writes and `manage.py restore` reads.

A backup is a folder with the database, the files of media and bulk uploads, and a manifest. The keys are in another
folder: a thief of the one opens nothing. Of a console on PostgreSQL the same is said by docs/operating/backup.md.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError
from django.db.migrations.loader import MigrationLoader

from kaizala_console.lib import clock

DATABASE: Final = "console.sqlite3"
MANIFEST: Final = "manifest.json"
FOLDERS: Final = ("media/posted", "bulk")
KEYS: Final = ("secret_key", "credential_pepper", "access_token_key", "encryption_key")


def require_embedded_database() -> Path:
    """The file of the database. Raises CommandError where there is none."""
    if settings.DATABASE_URL:
        raise CommandError("This console keeps its database in PostgreSQL: docs/operating/backup.md says how.")
    return Path(settings.DATA_DIR, DATABASE)


def write(target: Path, keys: Path) -> dict[str, Any]:
    """Copy the running console into two new folders; returns the manifest. Raises CommandError."""
    database = require_embedded_database()
    if not database.exists():
        raise CommandError(f"There is no database at {database}.")
    target, keys = target.absolute(), keys.absolute()
    if target == keys or target in keys.parents or keys in target.parents:
        raise CommandError("Keep the keys apart: neither folder may be within the other.")
    for folder in (target, keys):
        if folder.exists() and any(folder.iterdir()):
            raise CommandError(f"{folder} is not empty. Name a new folder.")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The database first. A file that arrives later has no row in it, and is not missed.
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(target / DATABASE)) as copy:
        source.backup(copy)
    for name in FOLDERS:
        copy_files(settings.DATA_DIR / name, target / name)
    for name in KEYS:
        shutil.copy2(settings.DATA_DIR / "keys" / name, keys / name)
    files = [path for path in sorted(target.rglob("*")) if path.is_file()]
    manifest = {
        "version": settings.VERSION,
        "made_at": clock.now().isoformat(),
        "keys": get_fingerprint(keys),
        "files": {str(path.relative_to(target)): get_digest(path) for path in files},
    }
    (target / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return manifest


def restore(source: Path, keys: Path) -> dict[str, Any]:
    """Put a backup into the data folder, which must have no database yet; returns its manifest. Raises CommandError.

    The database comes last: a restore that broke off can be repeated.
    """
    database = require_embedded_database()
    if database.exists():
        raise CommandError(f"There is a database at {database} already. Name an empty folder: CONSOLE_DATA_DIR=…")
    manifest = verify(source, keys)
    for name in FOLDERS:
        copy_files(source / name, settings.DATA_DIR / name)
    for name in KEYS:
        shutil.copyfile(keys / name, settings.DATA_DIR / "keys" / name)
    draft = database.with_suffix(".restoring")
    shutil.copyfile(source / DATABASE, draft)
    draft.rename(database)
    return manifest


def verify(source: Path, keys: Path) -> dict[str, Any]:
    """The manifest of a backup that is whole and for this version. Raises CommandError with the first fault."""
    try:
        manifest: dict[str, Any] = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
        wrong = [name for name, digest in manifest["files"].items() if get_digest(source / name) != digest]
        fingerprint = get_fingerprint(keys)
    except (OSError, ValueError, KeyError) as error:
        raise CommandError(f"This is no whole backup with its keys: {error}") from error
    if wrong:
        raise CommandError(f"The backup was changed or is damaged: {', '.join(wrong[:5])}")
    if fingerprint != manifest["keys"]:
        raise CommandError(f"The keys in {keys} are not those of this backup: no credential in it would be accepted.")
    with closing(sqlite3.connect(f"file:{source / DATABASE}?mode=ro", uri=True)) as copy:
        if copy.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise CommandError("The database in the backup is damaged.")
        applied = set(copy.execute("SELECT app, name FROM django_migrations"))
    if unknown := applied - set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations):
        app, name = min(unknown)
        raise CommandError(
            f"The backup is of a newer version ({manifest['version']}; {app}.{name}). Install that first."
        )
    return manifest


def copy_files(source: Path, target: Path) -> None:
    """Copy a folder of files that are written once; one that is deleted meanwhile is left out."""
    for path in sorted(source.rglob("*")) if source.is_dir() else ():
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                shutil.copyfile(path, copy)


def get_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def get_fingerprint(keys: Path) -> str:
    """What tells the keys from others, and nothing of them: they are 32 random bytes each."""
    return hashlib.sha256(b"\n".join((keys / name).read_bytes().strip() for name in KEYS)).hexdigest()


def describe_moment(manifest: dict[str, Any]) -> str:
    return f"{datetime.fromisoformat(manifest['made_at']):%Y-%m-%d %H:%M} UTC"
