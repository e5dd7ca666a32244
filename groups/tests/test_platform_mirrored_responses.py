"""Responses as programs send them that have them from a webhook (wire protocol §6, Actions; ADR 0061)."""

from __future__ import annotations

import pytest

from groups.models import Group
from groups.tests.cards import ANSWERS, SURVEY, TOLD_ANSWERS, details, posted, respond
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["com.contoso.inspection.2", "com.contoso.inspection", "the card's own id"])
def test_a_package_is_answered_by_any_of_its_names(wire: Wire, program: Program, group: Group, name: str) -> None:
    """With one choice as a list of one, as it was told."""
    card = posted(wire, program, group, "com.contoso.inspection.2", SURVEY)
    name = str(card.pk).upper() if "own" in name else name
    answer = respond(wire, program, card, {"answers": TOLD_ANSWERS}, id=name)
    assert answer.status_code == 200, answer.content
    assert details(wire, program, card)["responses"][0]["answers"] == ANSWERS


@pytest.mark.parametrize("name", ["com.contoso.other.2", "2", "01a00000-0000-7000-8000-000000000000"])
def test_not_by_the_name_of_another(wire: Wire, program: Program, group: Group, name: str) -> None:
    card = posted(wire, program, group, "com.contoso.inspection.2", SURVEY)
    answer = respond(wire, program, card, {"answers": ANSWERS}, id=name)
    assert "com.contoso.inspection.2" in refused(answer, 400, "InvalidParameters", "ValidationException")


def test_two_choices_are_none_for_a_question_that_takes_one(wire: Wire, program: Program, group: Group) -> None:
    card = posted(wire, program, group, "Survey", SURVEY)
    for wrong in (["Day", "Night"], [], [["Night"]]):
        answer = respond(wire, program, card, {"answers": ["x", wrong, *ANSWERS[2:]]})
        assert "answers[1]" in refused(answer, 400, "InvalidParameters", "ValidationException")
