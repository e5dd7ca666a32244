"""What every test run needs, whatever it tests: honest skips, and a cache that no other test has written to.

The root conftest.py loads this as a pytest plugin.
"""

import gc
import importlib
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connection
from django.http import HttpResponse
from django.utils import translation

from kaizala_console.lib import rate_limit

# A busy machine is slow, not wrong. `make test-all` sets CONSOLE_TEST_LONG.
hypothesis.settings.register_profile("console", deadline=None, max_examples=25)
hypothesis.settings.register_profile("long", deadline=None, max_examples=100)
hypothesis.settings.load_profile("long" if os.environ.get("CONSOLE_TEST_LONG") else "console")

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_BOTH = ("test_four_steps", "test_request_journey")  # the journeys that run on either database
DATABASE = {"db", "transactional_db", "live_server", "django_db_setup"}  # with one of these fixtures, a test uses it
FOR_POSTGRESQL = re.compile(r"mark\.(postgresql|services)\b|\btogether\b")
_numbers = itertools.count()


def chromium_path() -> str | None:
    """The browser of the journeys: CHROMIUM when it is set, else the system's own; None when there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The second run of `make test` reads the modules alone that have something for it: a third of them."""
    if not config.option.markexpr.startswith("postgresql") or not collection_path.name.startswith("test_"):
        return None
    return not FOR_POSTGRESQL.search(collection_path.read_text()) or None


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips, and says so, what this machine cannot run; and says what one run is enough for.

    How a page looks has nothing to do with the database, and what uses none cannot tell one from another. ``both`` is
    for the exceptions: Redis without a database, or a database that only the test's own code asks for. Of the journeys
    in a browser, those that are marked ``capability`` are for `make test`, and all others for `make test-all`.
    """
    no_services = pytest.mark.skip(reason="needs PostgreSQL and Redis: set DATABASE_URL and REDIS_URL")
    no_browser = pytest.mark.skip(reason="needs Chromium: install it, or set CHROMIUM to its path")
    services, browser = bool(settings.DATABASE_URL and settings.REDIS_URL), chromium_path()
    for item in items:
        looks = item.get_closest_marker("journey") and item.path.stem not in ON_BOTH
        if item.get_closest_marker("journey") and not item.get_closest_marker("capability"):
            item.add_marker(pytest.mark.long)
        if looks or not (_uses_a_database(item) or _is_for_both(item)):
            item.add_marker(pytest.mark.once)
        elif item.get_closest_marker("services") or "together" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgresql)
        if item.get_closest_marker("services") and not services:
            item.add_marker(no_services)
        if item.get_closest_marker("journey") and not browser:
            item.add_marker(no_browser)


def pytest_collection_finish() -> None:
    """What has been made until now stays to the end: to go through it for garbage takes half a second each time, in
    the midst of any test. The addresses are among it: those of the sandbox are there when it is one as they are read
    for the first time, which may else be in a test that switches it off.
    """
    importlib.import_module(settings.ROOT_URLCONF)
    gc.collect()
    gc.freeze()


def _uses_a_database(item: pytest.Item) -> bool:
    return bool(item.get_closest_marker("django_db")) or not DATABASE.isdisjoint(getattr(item, "fixturenames", ()))


def _is_for_both(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("services", "both"))


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


@pytest.fixture(scope="session", autouse=True)
def _pins_are_quick() -> Iterator[None]:
    """A guess at a PIN costs its processor time everywhere but here, where hundreds are typed."""
    from accounts.models import pin_device  # Django is not set up yet when this module is read

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pin_device, "COST", 2)
        yield


@pytest.fixture(autouse=True)
def console_language() -> Iterator[None]:
    """A request leaves the language of its browser to the thread that answered it, which here is every test's."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _a_cache_of_its_own() -> Iterator[None]:
    """Gives each test its own key prefix, and rate limits of its own: nothing else rolls back what a test counted."""
    configuration = settings.CACHES["default"]
    before = configuration["KEY_PREFIX"]
    configuration["KEY_PREFIX"] = f"{before}-{next(_numbers)}"
    _forget_the_connection()
    yield
    configuration["KEY_PREFIX"] = before
    _forget_the_connection()
    rate_limit.reset()


@pytest.fixture(autouse=True)
def _nothing_noted() -> Iterator[None]:
    """What a test's calls have noted about their use is gone with its rows."""
    from connectors.services import usage  # Django is not set up yet when this module is read

    yield
    usage.forget()


@pytest.fixture(scope="session", autouse=True)
def _answers_are_as_declared() -> Iterator[None]:
    """Fails the test in which an operation answers otherwise than its declared `response` (and OpenAPI) says."""
    from kaizala_console.api.endpoint import Operation
    from kaizala_console.api.tests.answers import find_mismatch

    answer = Operation.answer

    def checked(operation: Operation, request: Any, arguments: dict[str, Any]) -> Any:
        response = answer(operation, request, arguments)
        declared, is_json = operation.response, response.headers.get("Content-Type", "").startswith("application/json")
        if declared is not None and isinstance(response, HttpResponse) and response.status_code < 300 and is_json:
            wrong = find_mismatch(response.content, declared)
            if wrong:  # no Exception: the wire would make an answer of it
                pytest.fail(f"{operation.name} does not answer as {declared.__name__} says: {wrong}")
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Operation, "answer", checked)
        yield


def _forget_the_connection() -> None:
    """Django keeps one cache object a thread; the next use makes a new one, with the present prefix."""
    caches.close_all()
    with suppress(AttributeError):  # this thread has not used it yet
        del caches["default"]
