"""The errors that services raise."""

import pytest
from django.utils import translation
from django.utils.functional import lazy
from django.utils.translation import get_language

from kaizala_console.lib.errors import Conflict, ConsoleError, GatewayDown, NotAllowed, NotFound, RuleBroken, TooSoon

KINDS = [RuleBroken, NotAllowed, NotFound, Conflict, GatewayDown]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_something_to_people_and_has_a_code_for_programs(kind: type[ConsoleError]) -> None:
    problem = kind()
    assert str(problem)
    assert problem.code != ConsoleError.default_code


def test_codes_and_messages_tell_the_kinds_apart() -> None:
    assert len({kind.default_code for kind in KINDS}) == len(KINDS)
    assert len({str(kind()) for kind in KINDS}) == len(KINDS)


def test_what_the_service_says_goes_before_the_default() -> None:
    problem = RuleBroken("This name is taken.", code="name_taken", field="name")
    assert (str(problem), problem.code, problem.field) == ("This name is taken.", "name_taken", "name")


def test_a_lazy_message_is_translated_when_it_is_read() -> None:
    spoken = lazy(lambda: f"in {get_language()}", str)
    problem = RuleBroken(spoken())
    with translation.override("hi"):
        assert str(problem) == "in hi"
    with translation.override("en"):
        assert str(problem) == "in en"


def test_too_soon_never_asks_to_wait_less_than_a_second() -> None:
    assert TooSoon(retry_after=0).retry_after == 1
    assert TooSoon(retry_after=90).retry_after == 90
