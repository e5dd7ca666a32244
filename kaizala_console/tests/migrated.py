"""A database whose migrations are applied, for consoles that tests start beside the one of the run.

To apply all of them takes a console ten seconds of processor time. That it can do so by itself is seen once, where one
starts with nothing (`test_up.py`).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from django.conf import settings
from django.db import connection


def _kept() -> Path:
    return settings.DATA_DIR / "migrated.sqlite3"


def keep() -> None:
    """Before the first test writes: a copy of the tests' own database, when that is a file."""
    if connection.vendor == "sqlite":
        _kept().unlink(missing_ok=True)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(_kept())])


def given() -> dict[str, str]:
    """For a benchmark's environment: begin with this. Nothing when the tests are on PostgreSQL."""
    return {"BENCH_DATABASE": str(_kept())} if _kept().exists() else {}


def put_into(folder: Path) -> None:
    """The data folder of a console that has not been started yet."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _kept().exists():
        shutil.copyfile(_kept(), folder / "console.sqlite3")
