"""Whatever a program sends: an action or an answer is taken, and then shown as it was, or refused in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Person
from groups import action_types
from groups.action_types.base import ActionType, Draft, ViewedAction
from groups.action_types.questions import OPTIONED, WITH_MEDIA, QuestionType
from groups.models import Action
from groups.tests.cards import ANSWERS, MEETING, POLL, SURVEY
from kaizala_console.api.errors import InvalidParameters
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import RuleBroken

KINDS = action_types.all_types()
PLACE = {"latitude": 1, "longitude": 2}
GOOD: dict[str, Any] = {
    "Image": {"mediaResource": "x"},
    "Album": {"mediaResource": "x"},
    "Audio": {"mediaResource": "x"},
    "Document": {"mediaResource": "x"},
    "Video": {"mediaResource": "x"},
    "Announcement": {"title": "a", "message": "b", "mediaResources": ["x"]},
    "Job": {"title": "a", "assignedTo": ["+919820000041"]},
    "Poll": POLL,
    "LetsMeet": {**MEETING, "place": PLACE},
    "Survey": SURVEY,
    "ShareLocation": PLACE,
    "PhotoWithLocation": {**PLACE, "mediaResource": "x"},
    "Package": {**SURVEY, "properties": [{"name": "a", "type": 1, "value": 2}]},
}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**400), max_value=10**400),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["true", "Survey", "SingleOption", "2018-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "\ud800", "1e999"]
    ),
)
NAMES = st.one_of(
    st.sampled_from(
        ["title", "type", "options", "value", "name", "latitude", "longitude", "LT", "lg", "n", "choice", "answers"]
    ),
    st.text(max_size=5),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)


def kept_by_a_database(body: dict[str, Any]) -> dict[str, Any]:
    """The body as a JSON column gives it back: it holds no text that PostgreSQL refuses, and no number beyond JSON."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False)
    assert "\\u0000" not in text.replace("\\\\", "")
    found: dict[str, Any] = json.loads(text.encode())
    return found


def said(refusal: Exception) -> None:
    assert str(refusal)


def card_of(kind: ActionType, draft: Draft) -> ViewedAction:
    action = Action(
        id=ids.new_id(),
        group_id=ids.new_id(),
        person=Person(number="+919820000011"),
        kind=kind.kind,
        title=draft.title,
        body=kept_by_a_database(draft.body),
        is_anonymous=draft.is_anonymous,
        is_sender_only=draft.is_sender_only,
        accepts_many=draft.accepts_many,
        expires_at=draft.expires_at,
        sent_at=clock.now(),
    )
    return ViewedAction(action)


def spelled(kind: ActionType, card: ViewedAction) -> None:
    """Sees that everything that is said of a card fits what is declared, and is strict JSON."""
    for body, shape in ((kind.list_body(card), kind.listed), (kind.details(card), kind.detailed)):
        shape.model_validate_json(json.dumps(body, allow_nan=False))
    json.dumps(kind.created_data(card), allow_nan=False)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_kind_reads_and_spells_a_card(kind: ActionType) -> None:
    draft = kind.read(GOOD[kind.kind], clock.now())
    for use in draft.media:
        assert use.path.startswith("actionBody.")
    spelled(kind, card_of(kind, draft))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
@given(data=st.data())
def test_no_body_breaks_the_reader(kind: ActionType, data: st.DataObject) -> None:
    good = GOOD[kind.kind]
    body = data.draw(
        st.one_of(
            JSON,
            st.dictionaries(
                st.sampled_from(sorted([*good, "dueDate", "validity", "isAnonymous", "caption"])), JSON
            ).map(lambda some: {**good, **some}),
        )
    )
    try:
        draft = kind.read(body, clock.now())
    except (RuleBroken, InvalidParameters) as refused:
        said(refused)
        return
    spelled(kind, card_of(kind, draft))


ANSWERED = [kind for kind in KINDS if kind.takes_answers]


@pytest.mark.parametrize("kind", ANSWERED, ids=lambda kind: kind.kind)
@given(data=st.data())
def test_no_answer_breaks_the_reader(kind: ActionType, data: st.DataObject) -> None:
    card = card_of(kind, kind.read(GOOD[kind.kind], clock.now()))
    body = data.draw(
        st.one_of(
            JSON,
            st.builds(lambda choice: {"choice": choice, "isCompleted": choice}, JSON),
            st.builds(lambda answers: {"answers": answers}, st.lists(JSON, min_size=6, max_size=6)),
            st.builds(
                lambda index, answer: {"answers": [*ANSWERS[:index], answer, *ANSWERS[index + 1 :]]},
                st.integers(0, 5),
                JSON,
            ),
        )
    )
    try:
        draft = kind.read_answer(card.body, body)
    except (RuleBroken, InvalidParameters) as refused:
        said(refused)
        return
    kept = kept_by_a_database(draft.body)
    json.dumps(kind.answer_body(card, kept), allow_nan=False)
    json.dumps(kind.response_details(card, kept), allow_nan=False)
    tally = kind.tally(card.body)
    tally.add(kept)
    assert tally.questions()


# ---------------------------------------------------------------- Read back equal

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
TITLES = WORDS.filter(lambda title: bool(title.strip()))
NUMBERS = st.one_of(st.integers(-(10**15), 10**15), st.floats(-1e15, 1e15, allow_nan=False))
PLACES = st.fixed_dictionaries(
    {"lt": st.floats(-90, 90), "lg": st.one_of(st.integers(-180, 180), st.floats(-180, 180))}, optional={"n": WORDS}
)
ANSWER_OF = {
    QuestionType.TEXT: WORDS,
    QuestionType.NUMERIC: NUMBERS,
    QuestionType.DATE: st.integers(0, 10**14),
    QuestionType.DATE_TIME: st.floats(0, 1e14),
    QuestionType.LOCATION: PLACES,
}


@st.composite
def questions_with_answers(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[Any]]:
    questions, answers = [], []
    for kind in draw(st.lists(st.sampled_from([kind for kind in QuestionType if kind not in WITH_MEDIA]), min_size=1)):
        question: dict[str, Any] = {"title": draw(TITLES), "type": kind.value.swapcase()}
        answer: Any = ANSWER_OF.get(kind)
        if kind in OPTIONED:
            titles = draw(st.lists(TITLES, min_size=1, max_size=5, unique=True))
            question["options"] = [{"title": title} for title in titles]
            answer = st.sampled_from(titles)
            if kind == QuestionType.MULTI_OPTION:
                answer = st.lists(answer, unique=True)
        assert answer is not None
        questions.append(question)
        answers.append(draw(st.one_of(st.none(), answer)))
    return questions, answers


@given(made=questions_with_answers())
def test_an_accepted_survey_and_its_answers_read_back_equal(made: tuple[list[dict[str, Any]], list[Any]]) -> None:
    questions, answers = made
    kind = action_types.get_type("Survey")
    card = card_of(kind, kind.read({"title": "x", "questions": questions}, clock.now()))
    assert [question["title"] for question in kind.details(card)["questions"]] == [each["title"] for each in questions]
    kept = kept_by_a_database(kind.read_answer(card.body, {"answers": answers}).body)
    assert kind.answer_body(card, kept)["answers"] == answers
    told = kind.response_details(card, kept)["responseWithQuestions"]
    for question, each, answer in zip(questions, told, answers, strict=True):
        is_one = question["type"].lower() == "singleoption" and answer is not None
        assert each["answer"] == ([answer] if is_one else answer)


@given(titles=st.lists(TITLES, min_size=2, max_size=6, unique=True), data=st.data())
def test_an_accepted_choice_reads_back_equal(titles: list[str], data: st.DataObject) -> None:
    kind = action_types.get_type("Poll")
    card = card_of(kind, kind.read({"question": "?", "choices": titles}, clock.now()))
    index = data.draw(st.integers(0, len(titles) - 1))
    for choice in (titles[index], index):
        kept = kind.read_answer(card.body, {"choice": choice}).body
        assert kind.answer_body(card, kept) == {"choice": titles[index]}


# ---------------------------------------------------------------- Small parts


def test_iso_moments_are_kept_in_milliseconds() -> None:
    kind = action_types.get_type("Survey")
    card = card_of(kind, kind.read({"title": "x", "questions": [{"title": "When", "type": "Date"}]}, clock.now()))
    kept = kind.read_answer(card.body, {"answers": ["2018-03-22T10:22:21Z"]}).body
    assert kept["answers"] == [1521714141000]


@pytest.mark.parametrize(
    ("numbers", "said", "ranges"),
    [
        ((0, 1, 2, 10, 5e-324, None), (5, 0, 10, 2.6), [3, 1, 0, 0, 1]),
        ((5e-324,) * 5, (5, 5e-324, 5e-324, 5e-324), [5]),
    ],
)
def test_numbers_are_counted_in_ranges(numbers: Any, said: Any, ranges: list[int]) -> None:
    kind = action_types.get_type("Survey")
    body = kind.read({"title": "x", "questions": [{"title": "n", "type": "Numeric"}]}, clock.now()).body
    tally = kind.tally(body)
    for number in numbers:
        tally.add({"answers": [number]})
    (question,) = tally.questions()
    assert (question.answered, question.lowest, question.highest, question.mean) == said
    assert [each.count for each in question.ranges] == ranges
    assert (question.ranges[0].low, question.ranges[-1].high) == (question.lowest, question.highest)
