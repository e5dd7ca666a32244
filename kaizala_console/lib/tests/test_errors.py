"""The errors that services raise."""

import pytest

from kaizala_console.lib.errors import Conflict, ConsoleError, GatewayDown, NotAllowed, NotFound, RuleBroken, TooSoon

KINDS = [RuleBroken, NotAllowed, NotFound, Conflict, GatewayDown]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_something_to_people_and_has_a_code_for_programs(kind: type[ConsoleError]) -> None:
    problem = kind()
    assert str(problem)
    assert problem.code != ConsoleError.default_code


def test_too_soon_never_asks_to_wait_less_than_a_second() -> None:
    assert TooSoon(retry_after=0).retry_after == 1
    assert TooSoon(retry_after=90).retry_after == 90
