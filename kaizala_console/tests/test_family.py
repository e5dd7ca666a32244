"""What hangs is ended, and nothing else is."""

import subprocess
import sys

import pytest

from kaizala_console.tests.family import killed_when_late

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
