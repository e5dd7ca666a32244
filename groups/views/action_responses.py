"""Answers in words: what somebody answered to a card, for the page and for the file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from groups.action_types.base import Card
from groups.action_types.questions import OPTIONED, WITH_MEDIA, QuestionType, asked
from groups.models import Action, Response
from groups.queries.actions import Answered
from groups.views.action_charts import number
from groups.views.action_rows import spelled_place
from kaizala_console.lib import moments

Kind = Action.Kind
_MILLISECONDS_FROM: Final = 10**11  # a number below is in seconds: programs send both (wire protocol §6)
_SURVEYS: Final = (Kind.SURVEY, Kind.PACKAGE)


@dataclass(frozen=True, slots=True)
class Line:
    """An answer to one question: words, or the links of files. `question` is empty for a card that is one itself."""

    question: str
    words: str
    files: Sequence[dict[str, str]] = field(default_factory=tuple)


def is_survey(card: Card) -> bool:
    """Whether it asks several questions."""
    return card.action.kind in _SURVEYS


def lines_of(card: Card, body: dict[str, Any]) -> list[Line]:
    """The lines of an answer, from its body in the wire's spellings; questions without an answer are left out."""
    if not is_survey(card):
        return [Line("", choice_of(card, body))]
    lines = []
    if body.get("responseName"):
        lines.append(Line(_("Name"), str(body["responseName"])))
    if body.get("responseLocation"):
        place = body["responseLocation"]
        words = spelled_place(place.get("latitude"), place.get("longitude"), place.get("name"))
        lines.append(Line(_("Answered at"), words))
    for question, answer in zip(asked(card.body, body["answers"]), body["answers"], strict=True):
        if answer is None or answer in ([], ""):
            continue
        if question["type"] in WITH_MEDIA:
            files = [{"name": file["mediaFileName"], "url": here(file["mediaUrl"])} for file in answer]
            lines.append(Line(question["title"], "" if files else _("The files are gone."), files))
        else:
            lines.append(Line(question["title"], words_of(question, answer)))
    return lines


def choice_of(card: Card, body: dict[str, Any]) -> str:
    """The answer to a poll, a meeting or a job."""
    if card.action.kind == Kind.JOB:
        return _("Done") if body["isCompleted"] else _("Not done")
    return meeting_word(body["choice"]) if card.action.kind == Kind.LETS_MEET else str(body["choice"])


def meeting_word(choice: str) -> str:
    """What people say to a meeting, in their language."""
    return {"Yes": _("Yes"), "No": _("No"), "Maybe": _("Maybe")}.get(choice, choice)


def words_of(question: dict[str, Any], answer: Any) -> str:
    """An answer to a question that takes no files, as people read it."""
    kind = QuestionType(question["type"])
    if kind == QuestionType.NUMERIC:
        return number(answer)
    if kind == QuestionType.MULTI_OPTION:
        return ", ".join(answer)
    if kind == QuestionType.LOCATION:
        return spelled_place(answer.get("lt"), answer.get("lg"), answer.get("n"))
    if kind in (QuestionType.DATE, QuestionType.DATE_TIME):
        at = moment_of(answer)
        if at is None:
            return str(answer)
        if kind == QuestionType.DATE:
            return formats.date_format(date_of(at), "j M Y")
        return moments.exact(at)
    return str(answer)


def moment_of(number_of: float) -> dt.datetime | None:
    """The moment that an answer means, in seconds or milliseconds since 1970; None for one beyond the calendar."""
    seconds = number_of if abs(number_of) < _MILLISECONDS_FROM else number_of / 1000
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def date_of(at: dt.datetime, zone: dt.tzinfo | None = None) -> dt.date:
    """The day that an answer means: midnight of UTC as this console writes it, midnight on the phone as others do."""
    if at.astimezone(dt.UTC).time() == dt.time():
        return at.astimezone(dt.UTC).date()
    return timezone.localtime(at, zone).date()


def here(url: str) -> str:
    """The address on the host at which the page is open."""
    return url.removeprefix(settings.CONSOLE_BASE_URL)


def own_choices(card: Card, own: Iterable[Response]) -> list[set[int]]:
    """For each question of the card's summary, the places of the options that these answers chose."""
    if not is_survey(card):
        return [{_place_of(card, response.body) for response in own}]
    chosen: list[set[int]] = [set() for _question in card.body["questions"]]
    for response in own:
        # A package that keeps its questions to itself has answers, and no summary.
        for index, (question, answer) in enumerate(zip(card.body["questions"], response.body["answers"], strict=False)):
            titles = [option["title"] for option in question["options"]]
            if question["type"] in OPTIONED and answer is not None:
                chosen[index] |= {titles.index(each) for each in ([answer] if isinstance(answer, str) else answer)}
    return chosen


def _place_of(card: Card, body: dict[str, Any]) -> int:
    return int(not body["isCompleted"]) if card.action.kind == Kind.JOB else int(body["choice"])


# ---------------------------------------------------------------- The file


def rows_of(card: Card, answered: Iterable[Answered]) -> Iterator[list[str]]:
    """The lines of the CSV file: a header, then one for each answer. Without who and when for an anonymous card.

    They are written after the request has ended, so the reader's zone, in which an answer's day is, is asked now.
    """
    return _lines(card, answered, timezone.get_current_timezone())


def _lines(card: Card, answered: Iterable[Answered], zone: dt.tzinfo) -> Iterator[list[str]]:
    named = not card.action.is_anonymous
    who = [_("answered at"), _("name"), _("number")] if named else []
    if is_survey(card):
        about = [_("name in the answer"), _("place of the answer")] if named else []
        yield [*who, *about, *(question["title"] for question in card.body["questions"])]
    else:
        yield [*who, card.action.title]
    for each in answered:
        yield [*(_who(each) if named else ()), *_cells(card, each.body, zone, named=named)]


def _who(each: Answered) -> list[str]:
    at = each.responded_at.astimezone(dt.UTC).isoformat(timespec="seconds") if each.responded_at else ""
    return [at, each.person.name if each.person else "", each.person.number if each.person else ""]


def _cells(card: Card, body: dict[str, Any], zone: dt.tzinfo, *, named: bool) -> Iterator[str]:
    if not is_survey(card):
        yield choice_of(card, body)
        return
    if named:
        place = body.get("responseLocation") or {}
        yield str(body.get("responseName", ""))
        yield spelled_place(place.get("latitude"), place.get("longitude"), place.get("name"))
    for question, answer in zip(asked(card.body, body["answers"]), body["answers"], strict=True):
        yield "" if answer is None else _cell(question, answer, zone)


def _cell(question: dict[str, Any], answer: Any, zone: dt.tzinfo) -> str:
    """As programs read it: numbers and moments in one way for all readers."""
    kind = QuestionType(question["type"])
    if kind in WITH_MEDIA:
        return "; ".join(file["mediaFileName"] for file in answer)
    if kind == QuestionType.MULTI_OPTION:
        return "; ".join(answer)
    if kind in (QuestionType.DATE, QuestionType.DATE_TIME):
        at = moment_of(answer)
        if at is not None:
            return date_of(at, zone).isoformat() if kind == QuestionType.DATE else at.isoformat()
    return str(answer) if kind == QuestionType.NUMERIC else words_of(question, answer)
