"""What each kind of card knows about itself: what its body is, what answers it takes, how the wire spells it. Pure.

A kind of card is read once, when it is posted, into the form in which it is kept (`Draft`); everything after that
spells what was kept. So a card that was accepted can always be shown.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Annotated, Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, create_model

from accounts.models import Person
from groups.media.content import MediaKind
from groups.media.storage import get_url
from groups.models import Action, MediaFile
from kaizala_console.api.fields import ID_SCHEMA, NO_BOOLEAN, Body, described_as, named
from kaizala_console.api.responses import Answer
from kaizala_console.lib.errors import RuleBroken
from kaizala_console.lib.texts import is_storable

Kind = Action.Kind

MAX_WORDS = 4000
MAX_HOURS = 87_600  # ten years


def storable(text: str) -> str:
    """Refuses what no database keeps in a text."""
    if not is_storable(text):
        raise ValueError("holds a character that no text can hold (NUL, or half of a pair)")
    return text


Line = Annotated[str, StringConstraints(pattern=r"\S", max_length=Action.MAX_TITLE), AfterValidator(storable)]
"""A title: it says something, and is not long."""

Caption = Annotated[str, StringConstraints(max_length=Action.MAX_TITLE), AfterValidator(storable)]
"""A title that may be empty."""

Words = Annotated[str, StringConstraints(max_length=MAX_WORDS), AfterValidator(storable)]
"""Some text, or none."""

SomeWords = Annotated[str, StringConstraints(pattern=r"\S", max_length=MAX_WORDS), AfterValidator(storable)]
"""Some text. What follows a validator is checked, but stands in no description."""

Hours = Annotated[int, Field(ge=1, le=MAX_HOURS), NO_BOOLEAN]

Resource = Annotated[
    str,
    StringConstraints(pattern=r"\S", max_length=MAX_WORDS),
    AfterValidator(storable),
    WithJsonSchema(ID_SCHEMA),
]
"""What `POST /v1/media` has answered: whether there is such media is the service's to say."""


@dataclass(frozen=True, slots=True)
class MediaUse:
    """A place in a body that names media: as errors call it, where it is kept, what stood there, what may stand."""

    path: str
    keys: tuple[str | int, ...]
    resource: str
    kinds: Sequence[MediaKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A card that was read, and not yet posted."""

    title: str
    body: dict[str, Any]
    expires_at: dt.datetime | None = None
    is_anonymous: bool = False
    is_sender_only: bool = False
    accepts_many: bool = False
    assigned_to: Sequence[str] = ()
    media: Sequence[MediaUse] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDraft:
    """An answer to a card that was read, and not yet given."""

    body: dict[str, Any]
    media: Sequence[MediaUse] = ()


@dataclass(frozen=True, slots=True)
class ViewedAction:
    """A card for one viewer: its row, the files of the media that it names, and whether they see what was answered."""

    action: Action
    files: Mapping[str, Sequence[MediaFile]] = field(default_factory=dict)
    sees_answers: bool = True

    @property
    def body(self) -> dict[str, Any]:
        return self.action.body

    def media(self, resource: str) -> list[dict[str, str]]:
        """The files of a mediaResource as answers and events have them; none when it is gone."""
        return [{"mediaUrl": get_url(file), "mediaFileName": file.name} for file in self.files.get(resource, ())]

    def url(self, resource: str) -> str:
        """The address of the first file, or ""."""
        return next((get_url(file) for file in self.files.get(resource, ())), "")


class MediaAnswer(Answer):
    """A file. Its address is signed, and ends."""

    media_url: str
    media_file_name: str


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
    """Counts answers: give it every kept one (`add`), then ask for the result."""

    def add(self, body: dict[str, Any]) -> None:
        raise NotImplementedError

    def questions(self) -> list[QuestionTally]:
        raise NotImplementedError


class ChoiceTally(Tally):
    """How many chose what. `read` gives the index of what a kept answer chose."""

    def __init__(
        self,
        title: str,
        titles: Sequence[str | Promise],
        read: Callable[[dict[str, Any]], int] = itemgetter("choice"),
    ) -> None:
        self.title, self.titles, self.read = title, titles, read
        self.counter: Counter[int] = Counter()

    def add(self, body: dict[str, Any]) -> None:
        self.counter[self.read(body)] += 1

    def questions(self) -> list[QuestionTally]:
        counts = [(title, self.counter[index]) for index, title in enumerate(self.titles)]
        return [QuestionTally(self.title, "SingleOption", self.counter.total(), counts=counts)]


class ActionType:
    """One kind of card. A kind that takes no answers leaves `takes_answers` False, and what is about answers be."""

    kind: Action.Kind
    shape: ClassVar[type[Body]]
    has_action_id: ClassVar[bool] = False
    takes_answers: ClassVar[bool] = False
    created_event: ClassVar[str] = "AttachmentCreated"
    response_event: ClassVar[str] = ""
    listed: ClassVar[type[Answer]]
    detailed: ClassVar[type[Answer]]

    def read(self, raw: Any, now: dt.datetime) -> Draft:
        """The card that an `actionBody` means. Raises InvalidParameters and RuleBroken, which name the path."""
        raise NotImplementedError

    def list_body(self, card: ViewedAction) -> dict[str, Any]:
        """`actionBody` in the list of a group's Actions."""
        raise NotImplementedError

    def details(self, card: ViewedAction) -> dict[str, Any]:
        """`actionDetails`, without the responses."""
        return self.list_body(card)

    def created_data(self, card: ViewedAction) -> dict[str, Any]:
        """The `data` of the event that tells of the card."""
        raise NotImplementedError

    def read_answer(self, body: dict[str, Any], raw: Any) -> AnswerDraft:
        """The answer that an `actionBody` means, for a card with this kept body. Raises as `read`."""
        raise NotImplementedError

    def answer_body(self, card: ViewedAction, body: dict[str, Any]) -> dict[str, Any]:
        """A kept answer as the responses in the details have it, without who gave it."""
        raise NotImplementedError

    def tally(self, body: dict[str, Any]) -> Tally:
        """An empty tally for a card with this kept body."""
        raise NotImplementedError

    def response_details(self, card: ViewedAction, body: dict[str, Any]) -> dict[str, Any]:
        """`responseDetails` in the event that tells of an answer."""
        return {"response": self.answer_body(card, body)}

    def resources(self, body: dict[str, Any]) -> list[str]:
        """The mediaResources that a kept body of a card names."""
        return []

    def resources_of_answer(self, card_body: dict[str, Any], body: dict[str, Any]) -> list[str]:
        """The mediaResources that a kept answer names."""
        return []


@lru_cache(maxsize=64)
def _inside(shape: type[Body]) -> type[Body]:
    return create_model(f"{shape.__name__}Inside", __base__=Body, action_body=(shape, named("actionBody")))


def parse(shape: type[Body], raw: Any) -> Any:
    """`raw` in this shape; what does not fit is named from the top: `actionBody.questions[2].title`."""
    inside: Any = _inside(shape).parse({"actionBody": raw})
    return inside.action_body


def refuse(path: str, message: Any, code: str) -> RuleBroken:
    """The error for a place inside the body; raise it."""
    return RuleBroken(message, field=path, code=code)


def format_moment(at: dt.datetime | None) -> str:
    """A moment as the protocol's answers spell it, in whole seconds: `2017-12-20T08:33:51Z`."""
    return "" if at is None else at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_list(value: Any) -> Any:
    """Old programs send a single entry without its list."""
    return [value] if isinstance(value, str) else value


def to_option(value: Any) -> Any:
    """Old programs send an option as its title alone."""
    return {"title": value} if isinstance(value, str | int | float) and not isinstance(value, bool) else value


def find_repeated(titles: Sequence[str]) -> int | None:
    """The index of the first title that stood there before."""
    seen: set[str] = set()
    for index, title in enumerate(titles):
        if title in seen:
            return index
        seen.add(title)
    return None


# ----------------------------------------------------------------------------------------------------
# What events of several kinds of cards say alike (wire protocol §6, Webhooks). Pure.


def describe_responder(person: Person | None) -> dict[str, str]:
    """Who it was; nobody for an anonymous response, or where a bot acted."""
    return {
        "responder": person.number if person else "",
        "responderId": str(person.pk) if person else "",
        "responderName": person.name if person else "",
        "responderProfilePic": person.picture_url if person else "",
    }


Title = Annotated[str, Field(max_length=Action.MAX_TITLE)]
Index = Annotated[int, Field(ge=0)]


class ChoiceBody(Body):
    """`choice` is a title, or an index from 0."""

    choice: Annotated[Any, described_as(Title | Index)] = named("choice", "answer")


class ChoiceResponseAnswer(Answer):
    """What somebody chose."""

    response_id: str
    responder: str
    responder_name: str
    responder_profile_pic: str
    responded_at: str
    choice: str


def read_choice(titles: Sequence[str], raw: Any) -> int:
    """The index of the chosen title. A number is an index; a text is a title in any case, else an index."""
    choice = parse(ChoiceBody, raw).choice
    index: int | None = None
    if isinstance(choice, bool):
        index = None
    elif isinstance(choice, int):
        index = choice
    elif isinstance(choice, str):
        lowered = choice.strip().casefold()
        index = next(
            (at for at, title in enumerate(titles) if title == choice),
            next((at for at, title in enumerate(titles) if title.strip().casefold() == lowered), None),
        )
        if index is None and lowered.isascii() and lowered.isdecimal() and len(lowered) < 5:
            index = int(lowered)
    if index is None or not 0 <= index < len(titles):
        raise refuse(
            "actionBody.choice",
            _("actionBody.choice: expected one of the %(number)d choices, by its title or by its index from 0.")
            % {"number": len(titles)},
            "unknown_choice",
        )
    return index


class ChoiceAction(ActionType):
    """A card of which everybody picks one of the `titles`."""

    has_action_id = True
    takes_answers = True

    def titles(self, body: dict[str, Any]) -> list[str]:
        """What there is to choose from, for a card with this kept body."""
        raise NotImplementedError

    def details(self, card: ViewedAction) -> dict[str, Any]:
        count = {"responseCount": card.action.response_count} if card.sees_answers else {}
        return {**self.list_body(card), **count}

    def created_data(self, card: ViewedAction) -> dict[str, Any]:
        return {"groupId": str(card.action.group_id), **self.list_body(card)}

    def read_answer(self, body: dict[str, Any], raw: Any) -> AnswerDraft:
        return AnswerDraft(body={"choice": read_choice(self.titles(body), raw)})

    def answer_body(self, card: ViewedAction, body: dict[str, Any]) -> dict[str, Any]:
        return {"choice": self.titles(card.body)[body["choice"]]}

    def tally(self, body: dict[str, Any]) -> Tally:
        return ChoiceTally(body.get("question") or body["title"], self.titles(body))
