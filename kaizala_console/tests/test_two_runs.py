"""Which tests both runs of `make test` have, and which one is enough for (ADR 0012)."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.conf import settings

from kaizala_console.tests import plugin


def _marks(*given: str, fixtures: tuple[str, ...] = ()) -> set[str]:
    marks = set(given)
    item = SimpleNamespace(
        path=Path("test_some.py"),
        fixturenames=fixtures,
        get_closest_marker=lambda name: name if name in marks else None,
        add_marker=lambda mark: marks.add(mark.name),
    )
    plugin.pytest_collection_modifyitems([cast(pytest.Item, cast(Any, item))])
    return marks


def test_what_many_threads_do_at_once_runs_on_postgresql_in_every_run() -> None:
    assert "postgresql" in _marks("services")
    assert "postgresql" in _marks("django_db", fixtures=("together",))
    assert "postgresql" not in _marks("django_db", fixtures=("db",))


def test_each_process_of_a_run_keeps_its_files_to_itself() -> None:
    """One that travels in time deletes uploads that are old by its clock: the others' would be among them."""
    assert settings.DATA_DIR.name == os.environ.get("PYTEST_XDIST_WORKER", "main")
    folders = {settings.DATA_DIR / "bulk", settings.MEDIA_ROOT, settings.MEDIA_INCOMING_DIR}
    assert {folder.parent for folder in folders} == {settings.DATA_DIR}
