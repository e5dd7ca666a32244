"""Answers in words: what somebody answered to a card, for the page and for the file."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from django import forms
from django.conf import settings
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from groups.action_types.base import MAX_WORDS, QuestionTally, ViewedAction
from groups.action_types.lets_meet import ANSWERS
from groups.action_types.questions import LARGEST, OPTIONED, WITH_MEDIA, QuestionType, list_questions
from groups.media.storage import get_url
from groups.models import Action, MediaFile, Response
from groups.queries.actions import ViewedResponse
from groups.views.forms import TextField
from kaizala_console.lib import moments
from kaizala_console.lib.errors import ConsoleError

Kind = Action.Kind
_MILLISECONDS_FROM: Final = 10**11  # a number below is in seconds: programs send both (wire protocol §6)
_FILES: Final = (("audio/", "sound"), ("video/", "video"))
_SURVEYS: Final = (Kind.SURVEY, Kind.PACKAGE)


@dataclass(frozen=True, slots=True)
class Line:
    """An answer to one question: words, or the links of files. `question` is empty for a card that is one itself."""

    question: str
    words: str
    files: Sequence[dict[str, str]] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class File:
    """A file as a page links to it; `is_picture` when it is shown as well."""

    url: str
    name: str
    size: int
    is_picture: bool
    icon: str


def make_file(file: MediaFile) -> File:
    """A file by an address of this host: the page may be open at another name of it than the configured one."""
    picture = file.content_type.startswith("image/")
    icon = next((icon for start, icon in _FILES if file.content_type.startswith(start)), "file")
    return File(get_url(file).removeprefix(settings.CONSOLE_BASE_URL), file.name, file.size, picture, icon)


def spelled_place(latitude: Any, longitude: Any, name: Any) -> str:
    """A place in words: "Ward 3 (12.97, 77.59)"."""
    if latitude is None or longitude is None:
        return str(name or "")
    degrees = f"{latitude}, {longitude}"
    return f"{name} ({degrees})" if name else degrees


def is_survey(card: ViewedAction) -> bool:
    """Whether it asks several questions."""
    return card.action.kind in _SURVEYS


def list_lines(card: ViewedAction, body: dict[str, Any]) -> list[Line]:
    """The lines of an answer, from its body in the wire's spellings; questions without an answer are left out."""
    if not is_survey(card):
        return [Line("", describe_choice(card, body))]
    lines = []
    if body.get("responseName"):
        lines.append(Line(_("Name"), str(body["responseName"])))
    if body.get("responseLocation"):
        place = body["responseLocation"]
        words = spelled_place(place.get("latitude"), place.get("longitude"), place.get("name"))
        lines.append(Line(_("Answered at"), words))
    for question, answer in zip(list_questions(card.body, body["answers"]), body["answers"], strict=True):
        if answer is None or answer in ([], ""):
            continue
        if question["type"] in WITH_MEDIA:
            files = [{"name": file["mediaFileName"], "url": make_relative(file["mediaUrl"])} for file in answer]
            lines.append(Line(question["title"], "" if files else _("The files are no longer stored."), files))
        else:
            lines.append(Line(question["title"], describe_answer(question, answer)))
    return lines


def describe_choice(card: ViewedAction, body: dict[str, Any]) -> str:
    """The answer to a poll, a meeting or a job."""
    if card.action.kind == Kind.JOB:
        return _("Done") if body["isCompleted"] else _("Not done")
    return meeting_word(body["choice"]) if card.action.kind == Kind.LETS_MEET else str(body["choice"])


def meeting_word(choice: str) -> str:
    """What people say to a meeting, in their language."""
    return {"Yes": _("Yes"), "No": _("No"), "Maybe": _("Maybe")}.get(choice, choice)


def describe_answer(question: dict[str, Any], answer: Any) -> str:
    """An answer to a question that takes no files, as people read it."""
    kind = QuestionType(question["type"])
    if kind == QuestionType.NUMERIC:
        return number(answer)
    if kind == QuestionType.MULTI_OPTION:
        return ", ".join(answer)
    if kind == QuestionType.LOCATION:
        return spelled_place(answer.get("lt"), answer.get("lg"), answer.get("n"))
    if kind in (QuestionType.DATE, QuestionType.DATE_TIME):
        at = parse_moment(answer)
        if at is None:
            return str(answer)
        if kind == QuestionType.DATE:
            return formats.date_format(get_date(at), "j M Y")
        return moments.exact(at)
    return str(answer)


def parse_moment(number_of: float) -> dt.datetime | None:
    """The moment that an answer means, in seconds or milliseconds since 1970; None for one beyond the calendar."""
    seconds = number_of if abs(number_of) < _MILLISECONDS_FROM else number_of / 1000
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def get_date(at: dt.datetime, zone: dt.tzinfo | None = None) -> dt.date:
    """The day that an answer means: midnight of UTC as this console writes it, midnight on the phone as others do."""
    if at.astimezone(dt.UTC).time() == dt.time():
        return at.astimezone(dt.UTC).date()
    return timezone.localtime(at, zone).date()


def make_relative(url: str) -> str:
    """The address on the host at which the page is open."""
    return url.removeprefix(settings.CONSOLE_BASE_URL)


def own_choices(card: ViewedAction, own: Iterable[Response]) -> list[set[int]]:
    """For each question of the card's summary, the places of the options that these answers chose."""
    if not is_survey(card):
        return [{_get_index(card, response.body) for response in own}]
    chosen: list[set[int]] = [set() for _question in card.body["questions"]]
    for response in own:
        # A package that keeps its questions to itself has answers, and no summary.
        for index, (question, answer) in enumerate(zip(card.body["questions"], response.body["answers"], strict=False)):
            titles = [option["title"] for option in question["options"]]
            if question["type"] in OPTIONED and answer is not None:
                chosen[index] |= {titles.index(each) for each in ([answer] if isinstance(answer, str) else answer)}
    return chosen


def _get_index(card: ViewedAction, body: dict[str, Any]) -> int:
    return int(not body["isCompleted"]) if card.action.kind == Kind.JOB else int(body["choice"])


# ---------------------------------------------------------------- The file


def list_rows(card: ViewedAction, answered: Iterable[ViewedResponse]) -> Iterator[list[str]]:
    """The lines of the CSV file: a header, then one for each answer. Without who and when for an anonymous card.

    They are written after the request has ended, so the reader's zone, in which an answer's day is, is asked now.
    """
    return _lines(card, answered, timezone.get_current_timezone())


def _lines(card: ViewedAction, answered: Iterable[ViewedResponse], zone: dt.tzinfo) -> Iterator[list[str]]:
    named = not card.action.is_anonymous
    who = [_("answered at"), _("name"), _("number")] if named else []
    if is_survey(card):
        about = [_("name in the answer"), _("place of the answer")] if named else []
        yield [*who, *about, *(question["title"] for question in card.body["questions"])]
    else:
        yield [*who, card.action.title]
    for each in answered:
        yield [*(_who(each) if named else ()), *_cells(card, each.body, zone, named=named)]


def _who(each: ViewedResponse) -> list[str]:
    at = each.responded_at.astimezone(dt.UTC).isoformat(timespec="seconds") if each.responded_at else ""
    return [at, each.person.name if each.person else "", each.person.number if each.person else ""]


def _cells(card: ViewedAction, body: dict[str, Any], zone: dt.tzinfo, *, named: bool) -> Iterator[str]:
    if not is_survey(card):
        yield describe_choice(card, body)
        return
    if named:
        place = body.get("responseLocation") or {}
        yield str(body.get("responseName", ""))
        yield spelled_place(place.get("latitude"), place.get("longitude"), place.get("name"))
    for question, answer in zip(list_questions(card.body, body["answers"]), body["answers"], strict=True):
        yield "" if answer is None else _cell(question, answer, zone)


def _cell(question: dict[str, Any], answer: Any, zone: dt.tzinfo) -> str:
    """As programs read it: numbers and moments in one way for all readers."""
    kind = QuestionType(question["type"])
    if kind in WITH_MEDIA:
        return "; ".join(file["mediaFileName"] for file in answer)
    if kind == QuestionType.MULTI_OPTION:
        return "; ".join(answer)
    if kind in (QuestionType.DATE, QuestionType.DATE_TIME):
        at = parse_moment(answer)
        if at is not None:
            return get_date(at, zone).isoformat() if kind == QuestionType.DATE else at.isoformat()
    return str(answer) if kind == QuestionType.NUMERIC else describe_answer(question, answer)


# ----------------------------------------------------------------------------------------------------
# The forms by which members answer cards: one for each kind, that spells the wire's `actionBody` and takes it back.
#
# They check shape; `services.responses` reads the answer as it reads that of a program, and what it refuses is shown at
# the field of the question.


Answers = dict[str, Any]
_RADIOS_UP_TO: Final = 10
_PATH: Final = re.compile(r"^actionBody[\w.\[\]]*(?: \([^)]*\))?(?::| is)\s*")
_AT: Final = re.compile(r"actionBody\.answers\[(\d+)\]")
_NO_ANSWER: Final = gettext_lazy("No answer")


class AnswerForm(forms.Form):
    """An answer. `body` is what it says, in the wire's spellings; `add_error_of` puts a refusal where it belongs."""

    def body(self) -> Answers:
        raise NotImplementedError

    def add_error_of(self, error: ConsoleError) -> None:
        self.add_error(self.field_of(error.field or ""), _for_people(str(error)))

    def field_of(self, path: str) -> str | None:
        """The field that a service means by this path; None for the whole form."""
        return "answer" if path.startswith("actionBody") else None


def make_form(card: ViewedAction, data: Any = None, *, given: Answers | None = None, initial: Any = None) -> AnswerForm:
    """The form for this card. `given` is the kept body of the answer that it changes; `initial`, what was typed."""
    if is_survey(card):
        return SurveyAnswerForm(data, card=card, given=given, initial=initial)
    return ChoiceAnswerForm(data, card=card, given=given, initial=initial)


class ChoiceAnswerForm(AnswerForm):
    """One of several: a poll, a meeting, and a job, which is done or not."""

    answer = forms.ChoiceField(
        widget=forms.RadioSelect,
        error_messages={
            "required": gettext_lazy("Choose an answer."),
            "invalid_choice": gettext_lazy("Choose an answer."),
        },
    )

    def __init__(self, data: Any, *, card: ViewedAction, given: Answers | None, initial: Any) -> None:
        known = {"answer": str(_get_index(card, given))} if given else {}
        super().__init__(data, initial={**known, **(initial or {})})
        self.card = card
        answer = cast("forms.ChoiceField", self.fields["answer"])
        answer.label = _("Your answer")
        answer.choices = _choices(card)

    def body(self) -> Answers:
        place = int(self.cleaned_data["answer"])
        return {"isCompleted": place == 0} if self.card.action.kind == Kind.JOB else {"choice": place}


def _choices(card: ViewedAction) -> list[tuple[str, Any]]:
    if card.action.kind == Kind.JOB:
        labels: list[Any] = [_("Done"), _("Not done")]
    elif card.action.kind == Kind.LETS_MEET:
        labels = [meeting_word(answer) for answer in ANSWERS]
    else:
        labels = [_with_picture(card, choice) for choice in card.body["choices"]]
    return [(str(place), label) for place, label in enumerate(labels)]


def _with_picture(card: ViewedAction, choice: Answers) -> SafeString:
    words = format_html("<bdi>{}</bdi>", choice["title"])
    for file in card.files.get(choice.get("image", ""), ())[:1]:
        return format_html('{}<img class="choice-picture" src="{}" alt="" loading="lazy">', words, make_file(file).url)
    return words


class SurveyAnswerForm(AnswerForm):
    """A field for each question, by its type; three for a place. What only programs answer stays as it was given."""

    def __init__(self, data: Any, *, card: ViewedAction, given: Answers | None, initial: Any) -> None:
        self.questions: list[Answers] = card.body["questions"]
        self.given: list[Any] = given["answers"] if given and self.questions else [None] * len(self.questions)
        about = ("responseName", "responseLocation")
        self.about: Answers = {name: given[name] for name in about if given and name in given}
        known: Answers = {}
        for index, (question, answer) in enumerate(zip(self.questions, self.given, strict=True)):
            if answer is not None and is_asked(question):
                known |= _known(f"answer_{index}", QuestionType(question["type"]), answer)
        super().__init__(data, initial={**known, **(initial or {})})
        for index, question in enumerate(self.questions):
            if is_asked(question):
                self.fields.update(_fields(f"answer_{index}", question))

    def asked(self) -> list[Answers]:
        """For the template, each question with its bound fields; without any for what programs alone answer."""
        return [
            {
                "title": question["title"],
                "is_place": question["type"] == QuestionType.LOCATION,
                "fields": [self[name] for name in _names(f"answer_{index}", question) if name in self.fields],
            }
            for index, question in enumerate(self.questions)
            if not question["isInvisible"]
        ]

    def clean(self) -> Answers:
        cleaned: Answers = super().clean() or {}
        for index, question in enumerate(self.questions):
            if question["type"] == QuestionType.LOCATION and is_asked(question):
                latitude, longitude, name = (cleaned.get(field) for field in _names(f"answer_{index}", question))
                if (latitude is None) != (longitude is None) and not self.errors:
                    missing = "longitude" if longitude is None else "latitude"
                    self.add_error(f"answer_{index}_{missing}", _("Enter both latitude and longitude."))
                elif latitude is None and longitude is None and name and not self.errors:
                    self.add_error(f"answer_{index}_latitude", _("Enter latitude and longitude."))
        if not self.errors and not any(_is_something(answer) for answer in self.body()["answers"]):
            raise forms.ValidationError(_("Answer at least one question."))
        return cleaned

    def body(self) -> Answers:
        answers = [
            _typed(f"answer_{index}", question, self.cleaned_data) if is_asked(question) else self.given[index]
            for index, question in enumerate(self.questions)
        ]
        return {**self.about, "answers": answers}

    def field_of(self, path: str) -> str | None:
        found = _AT.match(path)
        names = _names(f"answer_{found[1]}", self.questions[int(found[1])]) if found else []
        return names[0] if names and names[0] in self.fields else None


def is_asked(question: Answers) -> bool:
    """Whether people answer it here: not what programs fill in unasked, and no files."""
    return not question["isInvisible"] and question["type"] not in WITH_MEDIA


def _names(name: str, question: Answers) -> list[str]:
    if question["type"] == QuestionType.LOCATION:
        return [f"{name}_latitude", f"{name}_longitude", f"{name}_name"]
    return [name]


def _fields(name: str, question: Answers) -> dict[str, forms.Field]:
    kind, title = QuestionType(question["type"]), question["title"]
    if kind == QuestionType.LOCATION:
        return {
            f"{name}_latitude": _degrees(_("Latitude"), 90),
            f"{name}_longitude": _degrees(_("Longitude"), 180),
            f"{name}_name": forms.CharField(label=_("Name of the place"), max_length=MAX_WORDS, required=False),
        }
    options = [(option["title"], format_html("<bdi>{}</bdi>", option["title"])) for option in question["options"]]
    common: dict[str, Any] = {"label": title, "required": False}
    if kind == QuestionType.SINGLE_OPTION:
        few = len(options) <= _RADIOS_UP_TO
        choices: list[Any] = [*options, ("", _NO_ANSWER)] if few else [("", _NO_ANSWER), *options]
        widget: Any = forms.RadioSelect if few else forms.Select
        return {name: _strict(forms.ChoiceField(choices=choices, widget=widget, **common))}
    if kind == QuestionType.MULTI_OPTION:
        widget = forms.CheckboxSelectMultiple
        return {name: _strict(forms.MultipleChoiceField(choices=options, widget=widget, **common))}
    if kind == QuestionType.NUMERIC:
        number = forms.NumberInput(attrs={"step": "any", "inputmode": "decimal", "autocomplete": "off"})
        field = forms.FloatField(min_value=-LARGEST, max_value=LARGEST, widget=number, **common)
        return {name: _says(field, min_value=_("This number is too large."), max_value=_("This number is too large."))}
    if kind == QuestionType.DATE:
        day = forms.DateField(widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"), **common)
        return {name: _says(day, invalid=_("Enter a date, like 2030-12-31."))}
    if kind == QuestionType.DATE_TIME:
        widget = forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        moment = forms.DateTimeField(widget=widget, **common)
        return {name: _says(moment, invalid=_("Enter a date and a time, like 2030-12-31 14:05."))}
    return {name: TextField(max_length=MAX_WORDS, widget=forms.Textarea({"rows": 2}), **common)}


def _strict(field: Any) -> Any:
    return _says(field, invalid_choice=_("Choose one of the answers."))


def _says(field: Any, **messages: str) -> Any:
    field.error_messages |= messages
    return field


def _degrees(label: str, limit: int) -> forms.FloatField:
    number = forms.NumberInput(attrs={"step": "any", "inputmode": "decimal", "autocomplete": "off"})
    hint = _("Degrees, from −%(limit)d to %(limit)d.") % {"limit": limit}
    field = forms.FloatField(
        label=label, min_value=-limit, max_value=limit, required=False, widget=number, help_text=hint
    )
    beyond = _("Degrees go from −%(limit)d to %(limit)d.") % {"limit": limit}
    return cast("forms.FloatField", _says(field, min_value=beyond, max_value=beyond))


def _known(name: str, kind: QuestionType, answer: Any) -> Answers:
    """What the fields hold for an answer that is there already."""
    if kind == QuestionType.LOCATION:
        return {
            f"{name}_latitude": answer.get("lt"),
            f"{name}_longitude": answer.get("lg"),
            f"{name}_name": answer.get("n", ""),
        }
    if kind in (QuestionType.DATE, QuestionType.DATE_TIME):
        at = parse_moment(answer)
        if at is None:
            return {}
        return {name: get_date(at) if kind == QuestionType.DATE else timezone.localtime(at)}
    return {name: answer}


def _typed(name: str, question: Answers, cleaned: Answers) -> Any:
    """What was typed, as a program would send it; None for nothing."""
    kind = QuestionType(question["type"])
    if kind == QuestionType.LOCATION:
        latitude, longitude, place = (cleaned.get(field) for field in _names(name, question))
        if latitude is None or longitude is None:
            return None
        return {"lt": latitude, "lg": longitude, **({"n": place} if place else {})}
    value: Any = cleaned.get(name)
    if not _is_something(value):
        return None
    if kind == QuestionType.NUMERIC:
        return int(value) if value.is_integer() else value
    return value.isoformat() if kind in (QuestionType.DATE, QuestionType.DATE_TIME) else value


def _is_something(answer: Any) -> bool:
    return answer is not None and answer not in ("", [])


def _for_people(message: str) -> str:
    """Without the path that programs find the place by; here the field is the place."""
    words = _PATH.sub("", message)
    return words[:1].upper() + words[1:]


# ----------------------------------------------------------------------------------------------------
# What was answered, for `<c-bar-chart>`: rows of words and numbers, of which the bars are only the picture.


@dataclass(frozen=True, slots=True)
class Chart:
    """One question; without `rows` there is nothing to draw. `facts` are of numbers, `note` says how to read it."""

    title: str
    answered: str
    note: str = ""
    rows: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    facts: Sequence[Mapping[str, str]] = field(default_factory=tuple)


def make_charts(questions: Sequence[QuestionTally], own: Sequence[Collection[int]] = ()) -> list[Chart]:
    """A chart for each question; `own` are the places of what the viewer chose, for each question."""
    return [_chart(tally, own[index] if index < len(own) else ()) for index, tally in enumerate(questions)]


def number(value: float) -> str:
    """A number as the reader writes it, with at most two digits after the point."""
    rounded = round(value, 2)
    whole = int(rounded)
    return formats.number_format(whole if rounded == whole else rounded, use_l10n=True, force_grouping=True)


def _chart(tally: QuestionTally, own: Collection[int]) -> Chart:
    answered = ngettext("%(n)s answer", "%(n)s answers", tally.answered) % {"n": number(tally.answered)}
    title = str(tally.title)
    if tally.counts:
        most = max(count for _title, count in tally.counts)
        rows = [
            _row(str(words), count, tally.answered, is_most=0 < count == most, is_own=place in own)
            for place, (words, count) in enumerate(tally.counts)
        ]
        several = tally.type == QuestionType.MULTI_OPTION
        note = _("Multiple choices were allowed, so shares can exceed 100 %.") if several else ""
        return Chart(title, answered, note, rows)
    if tally.ranges:
        most = max(each.count for each in tally.ranges)
        rows = [
            _row(_between(each.low, each.high), each.count, tally.answered, is_most=each.count == most)
            for each in tally.ranges
        ]
        figures = ((_("Lowest"), tally.lowest), (_("Mean"), tally.mean), (_("Highest"), tally.highest))
        facts = [{"label": label, "value": number(value)} for label, value in figures if value is not None]
        return Chart(title, answered, "", rows, facts)
    return Chart(title, answered)


def _row(label: str, count: int, whole: int, *, is_most: bool = False, is_own: bool = False) -> dict[str, Any]:
    percent = round(100 * count / whole) if whole else 0
    return {
        "label": label,
        "count": number(count),
        "percent": percent,
        "share": _("%(n)d %%") % {"n": percent},
        "is_most": is_most,
        "is_own": is_own,
    }


def _between(low: float, high: float) -> str:
    return number(low) if low == high else _("%(low)s to %(high)s") % {"low": number(low), "high": number(high)}
