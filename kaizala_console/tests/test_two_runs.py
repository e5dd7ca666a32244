"""Which tests both runs of `make test` have, and which one is enough for (ADR 0012)."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.conf import settings

from kaizala_console.tests import plugin


def _marks(*given: str, fixtures: tuple[str, ...] = (), file: str = "test_some.py") -> set[str]:
    marks = set(given)
    item = SimpleNamespace(
        path=Path(file),
        fixturenames=fixtures,
        get_closest_marker=lambda name: name if name in marks else None,
        add_marker=lambda mark: marks.add(mark.name),
    )
    plugin.pytest_collection_modifyitems([cast(pytest.Item, cast(Any, item))])
    return marks


def test_a_test_without_a_database_runs_once() -> None:
    assert "once" in _marks()
    assert "once" in _marks(fixtures=("tmp_path",))


@pytest.mark.parametrize("fixture", ["db", "transactional_db", "live_server"])
def test_a_test_that_asks_for_the_database_runs_on_both(fixture: str) -> None:
    assert "once" not in _marks(fixtures=(fixture,))


@pytest.mark.parametrize("mark", ["django_db", "both", "services"])
def test_a_test_that_is_marked_so_runs_on_both(mark: str) -> None:
    assert "once" not in _marks(mark)


def test_how_a_page_looks_is_looked_at_once() -> None:
    assert "once" in _marks("journey", fixtures=("live_server",))
    assert "once" not in _marks("journey", fixtures=("live_server",), file="test_four_steps.py")


def test_one_journey_of_a_capability_is_driven_each_time_and_the_others_in_the_whole_suite() -> None:
    assert "long" in _marks("journey", fixtures=("live_server",))
    assert "long" not in _marks("journey", "capability", fixtures=("live_server",))


def test_what_postgresql_could_answer_differently_runs_there_in_every_run() -> None:
    assert "postgresql" in _marks("django_db", file="test_handoffs.py")
    assert "postgresql" in _marks("services")
    assert "postgresql" not in _marks("django_db", file="test_home_page.py")
    assert "postgresql" not in _marks(file="test_handoffs.py")
    present = {path.stem for path in Path(settings.BASE_DIR).glob("*/**/tests/test_*.py")}
    assert present >= plugin.ON_POSTGRESQL


def test_each_process_of_a_run_keeps_its_files_to_itself() -> None:
    """One that travels in time deletes uploads that are old by its clock: the others' would be among them."""
    assert settings.DATA_DIR.name == os.environ.get("PYTEST_XDIST_WORKER", "main")
    folders = {settings.DATA_DIR / "bulk", settings.MEDIA_ROOT, settings.MEDIA_INCOMING_DIR}
    assert {folder.parent for folder in folders} == {settings.DATA_DIR}
