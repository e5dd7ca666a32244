"""Counting answers: how many chose what, in which range the numbers lie. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from groups.action_types.base import CardType
from groups.action_types.choices import ChoiceCard
from groups.action_types.job import JobCard
from groups.action_types.questions import QuestionType
from groups.action_types.survey import SurveyCard

RANGES: Final = 5


@dataclass(frozen=True, slots=True)
class NumberRange:
    """From `low` on, below `high` (the last one with it): how many numbers lie there."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class QuestionTally:
    """What was answered to one question. `counts` are of choices, in the card's order; the rest is of numbers."""

    title: str | Promise
    type: str
    answered: int
    is_invisible: bool = False
    counts: Sequence[tuple[str | Promise, int]] = field(default_factory=tuple)
    lowest: float | None = None
    highest: float | None = None
    mean: float | None = None
    ranges: Sequence[NumberRange] = field(default_factory=tuple)


class Tally:
    """Give it every kept answer (`add`), then ask for the result."""

    def add(self, body: dict[str, Any]) -> None:
        raise NotImplementedError

    def questions(self) -> list[QuestionTally]:
        raise NotImplementedError


def tally_of(kind: CardType, body: dict[str, Any]) -> Tally:
    """An empty tally for a card with this kept body."""
    if isinstance(kind, SurveyCard):
        return _SurveyTally(kind, body)
    if isinstance(kind, ChoiceCard):
        return _ChoiceTally(body.get("question") or body["title"], kind.titles(body))
    if isinstance(kind, JobCard):
        return _JobTally(body["title"])
    raise TypeError(f"{kind.kind} takes no answers")


class _ChoiceTally(Tally):
    def __init__(self, title: str, titles: Sequence[str]) -> None:
        self.title, self.titles = title, titles
        self.counter: Counter[int] = Counter()

    def add(self, body: dict[str, Any]) -> None:
        self.counter[body["choice"]] += 1

    def questions(self) -> list[QuestionTally]:
        counts = [(title, self.counter[index]) for index, title in enumerate(self.titles)]
        return [QuestionTally(self.title, QuestionType.SINGLE_OPTION.value, self.counter.total(), counts=counts)]


class _JobTally(Tally):
    def __init__(self, title: str) -> None:
        self.title = title
        self.counter: Counter[bool] = Counter()

    def add(self, body: dict[str, Any]) -> None:
        self.counter[body["isCompleted"]] += 1

    def questions(self) -> list[QuestionTally]:
        counts: list[tuple[str | Promise, int]] = [
            (_("Completed"), self.counter[True]),
            (_("Not completed"), self.counter[False]),
        ]
        return [QuestionTally(self.title, QuestionType.SINGLE_OPTION.value, self.counter.total(), counts=counts)]


class _SurveyTally(Tally):
    def __init__(self, kind: SurveyCard, body: dict[str, Any]) -> None:
        self.asked = body["questions"]
        self.options = [kind.options_of(question) for question in self.asked]
        self.answered = [0] * len(self.asked)
        self.counters: list[Counter[str]] = [Counter() for _question in self.asked]
        self.numbers: list[list[float]] = [[] for _question in self.asked]

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
                *_of_numbers(self.numbers[index]),
            )
            for index, question in enumerate(self.asked)
        ]


def _of_numbers(numbers: list[float]) -> tuple[float | None, float | None, float | None, list[NumberRange]]:
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
