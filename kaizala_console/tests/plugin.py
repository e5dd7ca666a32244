"""What every test run needs, whatever it tests: honest skips, and a cache that no other test has written to.

The root conftest.py loads this as a pytest plugin.
"""

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connection

# A busy machine is slow, not wrong.
hypothesis.settings.register_profile("console", deadline=None)
hypothesis.settings.load_profile("console")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_numbers = itertools.count()


def chromium_path() -> str | None:
    """The browser of the journeys: CHROMIUM when it is set, else the system's own; None when there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips, and says so, what this machine cannot run."""
    no_services = pytest.mark.skip(reason="needs PostgreSQL and Redis: set DATABASE_URL and REDIS_URL")
    no_browser = pytest.mark.skip(reason="needs Chromium: install it, or set CHROMIUM to its path")
    services, browser = bool(settings.DATABASE_URL and settings.REDIS_URL), chromium_path()
    for item in items:
        if item.get_closest_marker("services") and not services:
            item.add_marker(no_services)
        if item.get_closest_marker("journey") and not browser:
            item.add_marker(no_browser)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser, for playwright's `executable_path`."""
    path = chromium_path()
    if path is None:
        pytest.skip("needs Chromium: install it, or set CHROMIUM to its path")
    return path


@pytest.fixture(scope="session", autouse=True)
def _quick_to_empty() -> Iterator[None]:
    """PostgreSQL: empties tables by DELETE after tests that commit. Dozens of nearly empty tables are truncated in
    seconds, because each gets new files that are flushed to disk; foreign keys are deferred, so order does not matter.
    """

    def sql_flush(self: Any, style: Any, tables: list[str], **options: Any) -> list[str]:
        return [f"DELETE FROM {self.quote_name(table)};" for table in tables]  # noqa: S608 - names of our own tables

    with pytest.MonkeyPatch.context() as patch:
        if connection.vendor == "postgresql":
            patch.setattr(type(connection.ops), "sql_flush", sql_flush)
        yield


@pytest.fixture(autouse=True)
def _a_cache_of_its_own() -> Iterator[None]:
    """Gives each test its own key prefix: on Redis, nothing rolls back what a test has counted."""
    configuration = settings.CACHES["default"]
    before = configuration["KEY_PREFIX"]
    configuration["KEY_PREFIX"] = f"{before}-{next(_numbers)}"
    _forget_the_connection()
    yield
    configuration["KEY_PREFIX"] = before
    _forget_the_connection()


@pytest.fixture(autouse=True)
def _nothing_noted() -> Iterator[None]:
    """What a test's calls have noted about their use is gone with its rows."""
    from connectors.services import usage  # Django is not set up yet when this module is read

    yield
    usage.forget()


def _forget_the_connection() -> None:
    """Django keeps one cache object a thread; the next use makes a new one, with the present prefix."""
    caches.close_all()
    with suppress(AttributeError):  # this thread has not used it yet
        del caches["default"]
