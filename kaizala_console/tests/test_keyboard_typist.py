"""What the typist of the keyboard journeys notices: a focus that is not seen, one that is lost, a form forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kaizala_console.tests.keyboard_journeys import WALKS, WITHOUT_SCRIPTS
from kaizala_console.tests.open_doors import OPEN
from kaizala_console.tests.test_confirming_doors import CONFIRMING

pytestmark = [pytest.mark.once, pytest.mark.long]
HERE = Path(__file__).parent


def test_every_door_is_walked_to_by_a_test_that_is_there() -> None:
    """`pytest -k` its name; the test itself fails when it does not send the form."""
    walked = [door for doors in WALKS.values() for door in doors]
    assert len(walked) == len(set(walked))
    assert set(walked) | WITHOUT_SCRIPTS == set(CONFIRMING) | set(OPEN)
    there = "".join(path.read_text() for path in HERE.glob("test_keyboard*.py"))
    assert set(WALKS) <= set(re.findall(r"^def (test_\w+)", there, re.MULTILINE))
