"""The benchmarks run, against a real console, and every call they time is answered as it should be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.once


def test_nothing_is_accepted_after_the_commit_that_ends_it() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "bench.revocation", "--json", "--rounds", "1", "--clients", "2"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    endings = json.loads(result.stdout)["endings"]
    assert len(endings) == 7
    for line in endings:
        assert line["begun_after_the_commit"] > 0
        assert (line["of_these_accepted"], line["not_as_expected"]) == (0, 0)


def test_every_call_that_the_benchmarks_time_is_answered() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "bench", "--json", "--seconds", "0.3", "--clients", "2"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    calls = json.loads(result.stdout)["calls"]
    assert {line["call"] for line in calls} >= {"GET /v1/accessToken", "POST /v1/groups/{id}/messages"}
    for line in calls:
        assert line["requests_per_second"] > 0
        assert line["not_as_expected"] == {}
