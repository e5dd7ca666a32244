"""The forms by which members answer cards: one for each kind, that spells the wire's `actionBody` and takes it back.

They check shape; `services.responses` reads the answer as it reads that of a program, and what it refuses comes back to
the field of the question.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

from django import forms
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from groups.action_types.base import MAX_WORDS, Card
from groups.action_types.lets_meet import ANSWERS
from groups.action_types.questions import LARGEST, WITH_MEDIA, QuestionType
from groups.models import Action
from groups.views.action_responses import date_of, is_survey, meeting_word, moment_of
from groups.views.action_rows import file_of
from groups.views.forms import TextField
from kaizala_console.lib.errors import ConsoleError

Kind = Action.Kind
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


def form_for(card: Card, data: Any = None, *, given: Answers | None = None, initial: Any = None) -> AnswerForm:
    """The form for this card. `given` is the kept body of the answer that it changes; `initial`, what was typed."""
    if is_survey(card):
        return SurveyAnswerForm(data, card=card, given=given, initial=initial)
    return ChoiceAnswerForm(data, card=card, given=given, initial=initial)


class ChoiceAnswerForm(AnswerForm):
    """One of several: a poll, a meeting, and a job, which is done or not."""

    answer = forms.ChoiceField(
        widget=forms.RadioSelect,
        error_messages={
            "required": gettext_lazy("Choose one of the answers."),
            "invalid_choice": gettext_lazy("Choose one of the answers."),
        },
    )

    def __init__(self, data: Any, *, card: Card, given: Answers | None, initial: Any) -> None:
        known = {"answer": _given_choice(card, given)} if given else {}
        super().__init__(data, initial={**known, **(initial or {})})
        self.card = card
        answer = cast("forms.ChoiceField", self.fields["answer"])
        answer.label = _("Your answer")
        answer.choices = _choices(card)

    def body(self) -> Answers:
        place = int(self.cleaned_data["answer"])
        return {"isCompleted": place == 0} if self.card.action.kind == Kind.JOB else {"choice": place}


def _choices(card: Card) -> list[tuple[str, Any]]:
    if card.action.kind == Kind.JOB:
        labels: list[Any] = [_("Done"), _("Not done")]
    elif card.action.kind == Kind.LETS_MEET:
        labels = [meeting_word(answer) for answer in ANSWERS]
    else:
        labels = [_with_picture(card, choice) for choice in card.body["choices"]]
    return [(str(place), label) for place, label in enumerate(labels)]


def _with_picture(card: Card, choice: Answers) -> SafeString:
    words = format_html("<bdi>{}</bdi>", choice["title"])
    for file in card.files.get(choice.get("image", ""), ())[:1]:
        return format_html('{}<img class="choice-picture" src="{}" alt="" loading="lazy">', words, file_of(file).url)
    return words


def _given_choice(card: Card, given: Answers) -> str:
    return str(int(not given["isCompleted"])) if card.action.kind == Kind.JOB else str(given["choice"])


class SurveyAnswerForm(AnswerForm):
    """A field for each question, by its type; three for a place. What only programs answer stays as it was given."""

    def __init__(self, data: Any, *, card: Card, given: Answers | None, initial: Any) -> None:
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
                    self.add_error(f"answer_{index}_{missing}", _("A place has both numbers."))
                elif latitude is None and longitude is None and name and not self.errors:
                    self.add_error(f"answer_{index}_latitude", _("A place needs its two numbers."))
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
    return _says(field, invalid_choice=_("Choose among the answers that stand here."))


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
        at = moment_of(answer)
        if at is None:
            return {}
        return {name: date_of(at) if kind == QuestionType.DATE else timezone.localtime(at)}
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
