"""The benchmarks run, against a real console, and every call they time is answered as it should be."""

import json
import os
import sys
from pathlib import Path

import pytest

from bench import servers
from kaizala_console.tests import migrated
from kaizala_console.tests.family import run_within

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 200  # seconds
pytestmark = [pytest.mark.long, pytest.mark.once, pytest.mark.usefixtures("django_db_setup")]


def test_nothing_is_accepted_after_the_commit_that_ends_it() -> None:
    result = run_within(
        LIMIT,
        [sys.executable, "-m", "bench.revocation", "--json", "--rounds", "1", "--clients", "2"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **migrated.given()},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    endings = json.loads(result.stdout)["endings"]
    assert len(endings) == 9
    for line in endings:
        assert line["begun_after_the_commit"] > 0
        assert (line["of_these_accepted"], line["not_as_expected"]) == (0, 0)


@pytest.mark.services
def test_every_call_of_the_console_that_is_timed_is_answered() -> None:
    """Else the table would show how fast refusals are."""
    url, redis_url = os.environ["DATABASE_URL"], os.environ["REDIS_URL"]
    with servers.measured_console(url, redis_url) as console:
        assert console.calls.keys() == {"exchange", "check", "group", "groups", "members", "message"}
        for call in console.calls.values():
            status, body = servers.ask(console.port, call)
            assert status == 200, (call.name, body)


@pytest.mark.journey
def test_the_first_load_of_each_page_stays_within_its_budget(chromium: str) -> None:
    result = run_within(
        LIMIT,
        [sys.executable, "-m", "bench", "pages", "--json"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "CHROMIUM": chromium, **migrated.given()},
    )
    assert result.stdout, result.stderr
    pages = json.loads(result.stdout.splitlines()[-1])["pages"]
    assert {"Home", "Connectors", "A connector", "A group"} <= {line["page"] for line in pages}
    for line in pages:
        # The API's viewer, Swagger UI, is fetched on its own page alone (ADR 0055).
        assert line["kb"] <= (600 if line["page"] == "The API" else 150), line
        assert line["elsewhere"] == []
        assert line["shift"] < 0.02, line
    assert result.returncode == 0
