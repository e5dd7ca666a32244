"""The questions of a survey, and what counts as an answer to each type (wire protocol §6, Actions). Pure."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

from django.utils.translation import gettext_lazy as _
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints

from groups.action_types.base import (
    MAX_WORDS,
    Line,
    MediaUse,
    NumberRange,
    QuestionTally,
    Tally,
    ViewedAction,
    find_repeated,
    refuse,
    storable,
    to_option,
)
from groups.media.content import MediaKind
from kaizala_console.api.fields import ApiEnum, Body, describe, named
from kaizala_console.lib import clock
from kaizala_console.lib.errors import RuleBroken

MOST_QUESTIONS: Final = 100
MOST_OPTIONS: Final = 100
MOST_ATTACHMENTS: Final = 20
RANGES: Final = 5
LARGEST: Final = 10**15  # beyond it, a number loses its last digit in the programs that read it
QuestionText = Annotated[str, StringConstraints(pattern=r"\S", max_length=1000), AfterValidator(storable)]


class QuestionType(ApiEnum):
    """The protocol's spellings."""

    SINGLE_OPTION = "SingleOption"
    MULTI_OPTION = "MultiOption"
    TEXT = "Text"
    IMAGE = "Image"
    NUMERIC = "Numeric"
    DATE = "Date"
    DATE_TIME = "DateTime"
    LOCATION = "Location"
    ATTACHMENT_LIST = "AttachmentList"


OPTIONED: Final = (QuestionType.SINGLE_OPTION, QuestionType.MULTI_OPTION)
WITH_MEDIA: Final = (QuestionType.IMAGE, QuestionType.ATTACHMENT_LIST)


class Option(Body):
    """One of the answers to choose from."""

    title: Line


OptionOrTitle = Annotated[Option, BeforeValidator(to_option, json_schema_input_type=Option | Line)]


def _describe_options(schema: dict[str, Any], shape: type[Any]) -> None:
    """To choose, there must be something to choose from."""
    describe(schema, shape)
    others = [kind.value for kind in QuestionType if kind not in OPTIONED]
    schema["anyOf"] = [
        {"properties": {"type": {"type": "string", "enum": others}}},
        {
            "properties": {
                "type": {"type": "string", "enum": [kind.value for kind in OPTIONED]},
                "options": {"type": "array", "minItems": 1},
            },
            "required": ["options"],
        },
    ]


class Question(Body):
    """`isInvisible` asks the program that shows the card to fill it in without asking."""

    title: QuestionText
    type: QuestionType
    is_invisible: bool = named("isInvisible", "isInvisble", default=False)
    options: Annotated[
        list[OptionOrTitle], Field(max_length=MOST_OPTIONS, json_schema_extra={"uniqueItems": True})
    ] = []

    model_config = ConfigDict(json_schema_extra=_describe_options)


def to_stored(question: Question, path: str) -> dict[str, Any]:
    """A question as it is kept. Raises RuleBroken for options that are missing, repeated, or of no use."""
    titles = [option.title for option in question.options]
    if question.type in OPTIONED and not titles:
        raise refuse(
            f"{path}.options",
            _("%(path)s is missing: a %(type)s question needs options to choose from.")
            % {"path": f"{path}.options", "type": question.type.value},
            "options_missing",
        )
    repeated = find_repeated(titles)
    if repeated is not None:
        where = f"{path}.options[{repeated}].title"
        raise refuse(where, _("%(path)s is there before: options differ.") % {"path": where}, "repeated")
    return {
        "title": question.title,
        "type": question.type.value,
        "isInvisible": question.is_invisible,
        "options": [{"title": title} for title in titles] if question.type in OPTIONED else [],
    }


# ---------------------------------------------------------------- Answers


class _Wrong(Exception):
    def __init__(self, expected: Any) -> None:
        super().__init__()
        self.expected = expected


def _text(value: Any, _titles: Sequence[str]) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = _number(value, _titles)
        value = str(value)
    if not isinstance(value, str):
        raise _Wrong(_("expected text"))
    if len(value) > MAX_WORDS:
        raise _Wrong(_("expected at most %(number)d characters") % {"number": MAX_WORDS})
    try:
        return storable(value)
    except ValueError as error:
        raise _Wrong(str(error)) from None


def _single(value: Any, titles: Sequence[str]) -> str:
    # Who answers with what a webhook has told sends a list of one (ADR 0061).
    text = _text(value[0] if isinstance(value, list) and len(value) == 1 else value, titles)
    if text not in titles:
        raise _Wrong(_("expected the title of one of the question's options"))
    return text


def _several(value: Any) -> list[Any]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list):
        raise _Wrong(_("expected a list"))
    return values


def _multi(value: Any, titles: Sequence[str]) -> list[str]:
    values = _several(value)
    if len(values) > len(titles):
        raise _Wrong(_("expected each option once at most"))
    chosen = [_single(each, titles) for each in values]
    if len(set(chosen)) != len(chosen):
        raise _Wrong(_("expected each option once at most"))
    return chosen


def _number(value: Any, _titles: Sequence[str]) -> int | float:
    number: Any = value
    if isinstance(value, str) and len(value) <= 40:
        try:
            number = float(value)
        except ValueError:
            number = None
        if number is not None and math.isfinite(number) and number.is_integer():
            number = int(number)
    if isinstance(number, bool) or not isinstance(number, int | float) or not _is_sane(number):
        raise _Wrong(_("expected a number"))
    return number


def _is_sane(number: float) -> bool:
    return (isinstance(number, int) or math.isfinite(number)) and -LARGEST <= number <= LARGEST


def _moment(value: Any, titles: Sequence[str]) -> int | float:
    """A number as it is (programs send seconds as well as milliseconds); ISO 8601 as milliseconds since 1970."""
    if isinstance(value, str):
        try:
            at = dt.datetime.fromisoformat(value.strip())
            return clock.epoch_ms(at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at)
        except (ValueError, OverflowError):
            pass
    try:
        return _number(value, titles)
    except _Wrong:
        raise _Wrong(_("expected a moment, in milliseconds since 1970")) from None


_PLACE: Final = {"lt": "lt", "latitude": "lt", "lg": "lg", "longitude": "lg", "n": "n", "name": "n"}


def _location(value: Any, titles: Sequence[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong(_("expected a place: {lt, lg, n}"))
    given = {_PLACE[name.lower()]: part for name, part in value.items() if name.lower() in _PLACE and part is not None}
    place: dict[str, Any] = {}
    for name, limit in (("lt", 90), ("lg", 180)):
        try:
            place[name] = _number(given.get(name), titles)
        except _Wrong:
            raise _Wrong(_("expected a place: lt and lg in degrees")) from None
        if not -limit <= place[name] <= limit:
            raise _Wrong(_("expected a place: lt from -90 to 90, lg from -180 to 180"))
    if "n" in given:
        place["n"] = _text(given["n"], titles)
    return place


def _resource(value: Any, _titles: Sequence[str]) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong(_("expected a mediaResource, as POST /v1/media answers it"))
    return value


def _resources(value: Any, titles: Sequence[str]) -> list[str]:
    values = _several(value)
    if len(values) > MOST_ATTACHMENTS:
        raise _Wrong(_("expected at most %(number)d entries") % {"number": MOST_ATTACHMENTS})
    return [_resource(each, titles) for each in values]


_READERS: Final[dict[QuestionType, Callable[[Any, Sequence[str]], Any]]] = {
    QuestionType.SINGLE_OPTION: _single,
    QuestionType.MULTI_OPTION: _multi,
    QuestionType.TEXT: _text,
    QuestionType.IMAGE: _resource,
    QuestionType.NUMERIC: _number,
    QuestionType.DATE: _moment,
    QuestionType.DATE_TIME: _moment,
    QuestionType.LOCATION: _location,
    QuestionType.ATTACHMENT_LIST: _resources,
}


def read_answer(question: dict[str, Any], value: Any, path: str) -> Any:
    """An answer to a kept question, as it is kept; None for none. Raises RuleBroken for `path`."""
    if value is None:
        return None
    kind = QuestionType(question["type"])
    try:
        return _READERS[kind](value, [option["title"] for option in question["options"]])
    except _Wrong as wrong:
        raise _refused(path, kind, wrong) from None


def list_questions(card_body: dict[str, Any], answers: Sequence[Any]) -> list[dict[str, Any]]:
    """The questions that these answers, kept or spelled, are answers to.

    A package may keep its questions to itself. Then each goes by its number, and is of the type that its answer looks
    like (ADR 0061).
    """
    questions: list[dict[str, Any]] = card_body["questions"]
    return questions or [
        {"title": str(number), "type": _looks_like(answer).value, "isInvisible": False, "options": []}
        for number, answer in enumerate(answers, 1)
    ]


def _looks_like(answer: Any) -> QuestionType:
    if isinstance(answer, list):
        return QuestionType.MULTI_OPTION
    if isinstance(answer, dict):
        return QuestionType.LOCATION
    return QuestionType.NUMERIC if isinstance(answer, int | float) else QuestionType.TEXT


def read_unasked(value: Any, path: str) -> Any:
    """An answer to a question that nobody here knows, as it is kept. Raises RuleBroken for `path`."""
    if value is None:
        return None
    try:
        if isinstance(value, list):
            if len(value) > MOST_OPTIONS:
                raise _Wrong(_("expected at most %(number)d entries") % {"number": MOST_OPTIONS})
            return [_text(each, ()) for each in value]
        reader = {QuestionType.LOCATION: _location, QuestionType.NUMERIC: _number}.get(_looks_like(value), _text)
        return reader(value, ())
    except _Wrong as wrong:
        raise refuse(
            path, _("%(path)s: %(expected)s.") % {"path": path, "expected": wrong.expected}, "answer"
        ) from None


def _refused(path: str, kind: QuestionType, wrong: _Wrong) -> RuleBroken:
    return refuse(
        path,
        _("%(path)s (a %(type)s question): %(expected)s.")
        % {"path": path, "type": kind.value, "expected": wrong.expected},
        "answer",
    )


def list_media(question: dict[str, Any], answer: Any, index: int) -> list[MediaUse]:
    """The media that a kept answer to the question at `index` names."""
    kind = QuestionType(question["type"])
    path = f"actionBody.answers[{index}]"
    if answer is None or kind not in WITH_MEDIA:
        return []
    if kind == QuestionType.IMAGE:
        return [MediaUse(path, ("answers", index), answer, (MediaKind.IMAGE,))]
    return [
        MediaUse(f"{path}[{at}]", ("answers", index, at), resource, tuple(MediaKind))
        for at, resource in enumerate(answer)
    ]


def list_resources(question: dict[str, Any], answer: Any) -> list[str]:
    """The mediaResources in a kept answer."""
    return [use.resource for use in list_media(question, answer, 0)]


def to_event(question: dict[str, Any], answer: Any, card: ViewedAction) -> Any:
    """A kept answer as events have it: one choice as a list of one, as the real server told it (ADR 0061)."""
    is_choice = question["type"] == QuestionType.SINGLE_OPTION and answer is not None
    return [answer] if is_choice else to_wire(question, answer, card)


def to_wire(question: dict[str, Any], answer: Any, card: ViewedAction) -> Any:
    """A kept answer as answers have it: media by their files, everything else as it was given."""
    if answer is None or question["type"] not in WITH_MEDIA:
        return answer
    return [file for resource in list_resources(question, answer) for file in card.media(resource)]


# ---------------------------------------------------------------- Counting


class SurveyTally(Tally):
    """How many chose what, and in which range the numbers lie, for each of these questions."""

    def __init__(self, questions: list[dict[str, Any]]) -> None:
        self.asked = questions
        self.options = [
            [option["title"] for option in question["options"]] if question["type"] in OPTIONED else []
            for question in questions
        ]
        self.answered = [0] * len(questions)
        self.counters: list[Counter[str]] = [Counter() for _question in questions]
        self.numbers: list[list[float]] = [[] for _question in questions]

    def add(self, body: dict[str, Any]) -> None:
        for index, answer in enumerate(body["answers"][: len(self.asked)]):
            if answer is None:
                continue
            self.answered[index] += 1
            if self.options[index]:
                self.counters[index].update(answer if isinstance(answer, list) else [answer])
            elif self.asked[index]["type"] == QuestionType.NUMERIC:
                self.numbers[index].append(answer)

    def questions(self) -> list[QuestionTally]:
        return [
            QuestionTally(
                question["title"],
                question["type"],
                self.answered[index],
                question["isInvisible"],
                [(title, self.counters[index][title]) for title in self.options[index]],
                *_measure(self.numbers[index]),
            )
            for index, question in enumerate(self.asked)
        ]


def _measure(numbers: list[float]) -> tuple[float | None, float | None, float | None, list[NumberRange]]:
    """The lowest, the highest, the mean, and up to five ranges of the same width."""
    if not numbers:
        return None, None, None, []
    low, high = min(numbers), max(numbers)
    mean = sum(numbers) / len(numbers)
    width = (high - low) / RANGES
    if not width:
        return low, high, mean, [NumberRange(low, high, len(numbers))]
    counts = Counter(min(RANGES - 1, int((number - low) / width)) for number in numbers)
    ranges = [NumberRange(low + at * width, low + (at + 1) * width, counts[at]) for at in range(RANGES)]
    return low, high, mean, ranges
