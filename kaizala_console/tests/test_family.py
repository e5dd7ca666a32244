"""What hangs is ended, and nothing else is."""

import subprocess
import sys
from pathlib import Path

import pytest

from kaizala_console.tests.family import killed_when_late, run_within
from kaizala_console.tests.test_processes import eventually, is_alive

pytestmark = [pytest.mark.once, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_what_takes_too_long_is_killed_and_its_neighbour_is_not() -> None:
    late, neighbour = subprocess.Popen([*SLEEPS, "late"]), subprocess.Popen([*SLEEPS, "other"])
    try:
        with killed_when_late("late", seconds=0.2):
            assert late.wait(timeout=20) == -9
        assert neighbour.poll() is None
    finally:
        neighbour.kill()
        neighbour.wait(timeout=20)


def test_what_ends_in_time_ends_nothing() -> None:
    kept = subprocess.Popen([*SLEEPS, "kept"])
    try:
        with killed_when_late("kept", seconds=0.2):
            pass
        with pytest.raises(subprocess.TimeoutExpired):
            kept.wait(timeout=0.5)
    finally:
        kept.kill()
        kept.wait(timeout=20)


def test_what_does_not_end_leaves_nothing_behind_and_says_where_it_stood(tmp_path: Path) -> None:
    code = (
        "import pathlib, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        "pathlib.Path(sys.argv[1]).write_text(str(child.pid))\n"
        "print('said so far', flush=True)\n"
        "child.wait()\n"
    )
    with pytest.raises(AssertionError, match=r"did not end within 5 seconds\.(?s:.*)time\.sleep(?s:.*)said so far"):
        run_within(5, [sys.executable, "-c", code, str(tmp_path / "pid")])
    assert eventually(lambda: not is_alive(int((tmp_path / "pid").read_text())))


def test_what_ends_is_given_with_its_output_and_its_status() -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = run_within(20, [sys.executable, "-c", code])
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
