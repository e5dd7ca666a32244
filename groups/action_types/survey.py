"""Survey, and the cards of action packages, which are surveys with properties (wire protocol §6, Actions)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, ClassVar, Final

from django.utils.translation import gettext_lazy as _
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from groups.action_types.base import (
    MAX_HOURS,
    MAX_WORDS,
    ActionType,
    AnswerDraft,
    Caption,
    Draft,
    Hours,
    Kind,
    Line,
    MediaUse,
    Tally,
    ViewedAction,
    Words,
    describe_responder,
    format_moment,
    parse,
    refuse,
    storable,
)
from groups.action_types.location import Place, PlaceAnswer
from groups.action_types.questions import (
    LARGEST,
    MOST_QUESTIONS,
    Question,
    SurveyTally,
    list_media,
    list_questions,
    list_resources,
    read_answer,
    read_unasked,
    to_event,
    to_stored,
    to_wire,
)
from kaizala_console.api.fields import NO_BOOLEAN, Body, NumberedApiEnum, describe
from kaizala_console.api.responses import Answer
from kaizala_console.lib import clock

MOST_PROPERTIES: Final = 100
_MOST_ENTRIES: Final = 200
_DEEPEST: Final = 4


class PropertyType(NumberedApiEnum):
    """By name or by number, from 0 (wire protocol §2): so their order is part of the contract."""

    TEXT = "Text"
    NUMERIC = "Numeric"
    LOCATION = "Location"
    DATE_TIME = "DateTime"
    STRING_LIST = "StringList"
    ATTACHMENT = "Attachment"
    STRING_SET = "StringSet"
    ATTACHMENT_LIST = "AttachmentList"


_LISTS: Final = (PropertyType.STRING_LIST, PropertyType.STRING_SET, PropertyType.ATTACHMENT_LIST)


def _describe_value(schema: dict[str, Any], shape: type[Any]) -> None:
    """Text, or JSON of the type."""
    describe(schema, shape)
    schema["properties"]["value"] = {"description": "Text, or JSON of the type."}
    text = {"type": ["string", "null"], "maxLength": MAX_WORDS}
    number = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}
    entries = {"type": "array", "items": {"type": "string", "maxLength": MAX_WORDS}, "maxItems": _MOST_ENTRIES}
    place = {"type": "object", "additionalProperties": {"anyOf": [{"type": "string", "maxLength": MAX_WORDS}, number]}}
    kinds: list[tuple[list[PropertyType], list[Any]]] = [
        ([PropertyType.TEXT], [number, {"type": "boolean"}]),
        ([PropertyType.NUMERIC, PropertyType.DATE_TIME], [number]),
        ([PropertyType.LOCATION, PropertyType.ATTACHMENT], [place]),
        (list(_LISTS), [entries]),
    ]
    schema["anyOf"] = [
        {
            "description": " or ".join(kind.value for kind in types),
            "properties": {
                "type": {"type": "string", "enum": [kind.value for kind in types]},
                "value": {"anyOf": [text, *values]},
            },
            **({} if PropertyType.TEXT in types else {"required": ["type"]}),
        }
        for types, values in kinds
    ]


class Property(Body):
    """`value` is text, whatever the type, as Microsoft's own table has it; or JSON of that type."""

    name: Annotated[str, StringConstraints(pattern=r"\S", max_length=200), AfterValidator(storable)]
    type: PropertyType = PropertyType.TEXT
    value: Any = ""

    model_config = ConfigDict(json_schema_extra=_describe_value)


class PropertyAnswer(Answer):
    """A property, as it was posted; its type by name."""

    name: str
    type: str
    value: Any


def to_stored_property(given: Property, path: str) -> dict[str, Any]:
    """A property as it is kept. Raises RuleBroken for a value that is none of its type."""
    if not _fits(given.type, given.value):
        where = f"{path}.value"
        raise refuse(
            where,
            _("%(path)s: expected a %(type)s, as text or as JSON.") % {"path": where, "type": given.type.value},
            "property",
        )
    return {"name": given.name, "type": given.type.value, "value": given.value}


def _fits(kind: PropertyType, value: Any) -> bool:
    if isinstance(value, str):
        return _is_plain(value, 0)
    if kind in _LISTS:
        return isinstance(value, list) and len(value) <= _MOST_ENTRIES and _is_plain(value, 0)
    if kind == PropertyType.LOCATION:
        return isinstance(value, dict) and _is_plain(value, 0)
    if kind == PropertyType.ATTACHMENT:
        return isinstance(value, dict) and _is_plain(value, 0)
    return _is_number(value) or (kind == PropertyType.TEXT and isinstance(value, bool))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST


def _is_plain(value: Any, depth: int) -> bool:
    """Whether a database keeps it and gives it back as it was."""
    if isinstance(value, str):
        try:
            return len(storable(value)) <= MAX_WORDS
        except ValueError:
            return False
    if isinstance(value, list) and depth < _DEEPEST:
        return len(value) <= _MOST_ENTRIES and all(_is_plain(each, depth + 1) for each in value)
    if isinstance(value, dict) and depth < _DEEPEST:
        return len(value) <= _MOST_ENTRIES and all(
            _is_plain(name, depth + 1) and _is_plain(each, depth + 1) for name, each in value.items()
        )
    return value is None or isinstance(value, bool) or _is_number(value)


DEFAULT_HOURS: Final = 24
_HOURS_UP_TO: Final = MAX_HOURS


_HOURS_OR_MOMENT: Final = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 253_402_300_799_999}
_Hours = Annotated[int, Field(ge=0, le=MAX_HOURS)]


def _or_default(given: Any) -> Any:
    return DEFAULT_HOURS if given in (0, "0") and not isinstance(given, bool) else given


class PackageBody(Body):
    """A card whose package says what it shows has no title of its own: properties are all that many programs send.

    `dueDate` is hours from now (0: 24). `validity` is when it closes, in milliseconds since 1970; or hours too.
    """

    title: Caption = ""
    description: Words = ""
    # Microsoft's own client in C# sends 0 for what nobody has set (ADR 0061).
    due_date: Annotated[Hours, BeforeValidator(_or_default, json_schema_input_type=_Hours)] = DEFAULT_HOURS
    validity: Annotated[int, NO_BOOLEAN, WithJsonSchema(_HOURS_OR_MOMENT)] | None = None
    is_anonymous: bool = False
    is_sender_only: bool = False
    accept_multiple_responses: bool = False
    questions: Annotated[list[Question], Field(max_length=MOST_QUESTIONS)] = []
    properties: Annotated[list[Property], Field(max_length=MOST_PROPERTIES)] = []


class SurveyBody(PackageBody):
    """`dueDate` is hours from now (0: 24). `validity` is when it closes, in milliseconds since 1970; or hours too."""

    title: Line
    questions: Annotated[list[Question], Field(min_length=1, max_length=MOST_QUESTIONS)]


class SurveyAnswerBody(Body):
    """One answer for each question, in their order; null for a question without an answer.

    To a package that keeps its questions to itself: texts, numbers, lists of texts and places, as many as it asks.
    """

    response_name: Caption = ""
    response_location: Place | None = None
    answers: Annotated[list[Any], Field(max_length=MOST_QUESTIONS)]


class OptionAnswer(Answer):
    """An option."""

    title: str


class QuestionAnswer(Answer):
    """A question."""

    title: str
    type: str
    is_invisible: bool
    options: list[OptionAnswer]


class SurveyListed(Answer):
    """A survey in a list. Without `responseCount` for whom it is hidden from."""

    action_id: str
    title: str
    response_count: int | None = Field(default=None, description="How many people have answered.")
    expiry_date: str


class SurveyResponseAnswer(Answer):
    """An answer. To an anonymous survey it is `answers` alone, in no order that tells anything."""

    response_id: str | None = None
    responder: str | None = None
    responder_name: str | None = None
    responder_profile_pic: str | None = None
    responded_at: str | None = None
    response_name: str | None = None
    response_location: PlaceAnswer | None = None
    answers: list[Any] = Field(description="One for each question; media as {mediaUrl, mediaFileName}.")


class SurveyDetails(SurveyListed):
    """A survey."""

    description: str
    is_anonymous: bool
    is_sender_only: bool
    accept_multiple_responses: bool
    questions: list[QuestionAnswer]
    properties: list[PropertyAnswer]
    responses: list[SurveyResponseAnswer] | None = None


class SurveyAction(ActionType):
    kind = Kind.SURVEY
    shape: ClassVar[type[Body]] = SurveyBody
    has_action_id = True
    takes_answers = True
    created_event = "SurveyCreated"
    response_event = "SurveyResponse"
    listed = SurveyListed
    detailed = SurveyDetails

    def read(self, raw: Any, now: dt.datetime) -> Draft:
        body = parse(self.shape, raw)
        return Draft(
            title=body.title,
            body={
                "title": body.title,
                "description": body.description,
                "questions": [
                    to_stored(question, f"actionBody.questions[{index}]")
                    for index, question in enumerate(body.questions)
                ],
                "properties": [
                    to_stored_property(each, f"actionBody.properties[{index}]")
                    for index, each in enumerate(body.properties)
                ],
            },
            expires_at=_closes(body, now),
            is_anonymous=body.is_anonymous,
            is_sender_only=body.is_sender_only,
            accepts_many=body.accept_multiple_responses,
        )

    def list_body(self, card: ViewedAction) -> dict[str, Any]:
        count = {"responseCount": card.action.response_count} if card.sees_answers else {}
        return {
            "actionId": str(card.action.pk),
            "title": card.body["title"],
            **count,
            "expiryDate": format_moment(card.action.expires_at),
        }

    def details(self, card: ViewedAction) -> dict[str, Any]:
        action = card.action
        return {
            **self.list_body(card),
            "description": card.body["description"],
            "isAnonymous": action.is_anonymous,
            "isSenderOnly": action.is_sender_only,
            "acceptMultipleResponses": action.accepts_many,
            "questions": card.body["questions"],
            "properties": card.body["properties"],
        }

    def created_data(self, card: ViewedAction) -> dict[str, Any]:
        return {
            "actionId": str(card.action.pk),
            "groupId": str(card.action.group_id),
            "title": card.body["title"],
            "dueDate": format_moment(card.action.expires_at),
            "isAnonymous": card.action.is_anonymous,
            "questions": card.body["questions"],
            "properties": card.body["properties"],
            # As in Microsoft's sample, which has the form of a response; nobody has responded yet (ADR 0061).
            "responseId": str(card.action.pk),
            "isUpdateResponse": False,
            **describe_responder(None if card.action.bot_id else card.action.person),
            "responseDetails": {
                "responseWithQuestions": [{**question, "answer": None} for question in card.body["questions"]]
            },
        }

    def read_answer(self, body: dict[str, Any], raw: Any) -> AnswerDraft:
        questions = body["questions"]
        given = parse(SurveyAnswerBody, raw)
        if questions and len(given.answers) != len(questions):
            raise refuse(
                "actionBody.answers",
                _("actionBody.answers: expected %(number)d, one for each question; null for no answer.")
                % {"number": len(questions)},
                "answers",
            )
        answers = []
        media: list[MediaUse] = []
        for index, value in enumerate(given.answers):
            path = f"actionBody.answers[{index}]"
            answers.append(read_answer(questions[index], value, path) if questions else read_unasked(value, path))
            media += list_media(questions[index], answers[-1], index) if questions else []
        kept_body: dict[str, Any] = {"answers": answers}
        if given.response_name:
            kept_body["responseName"] = given.response_name
        if given.response_location is not None:
            kept_body["responseLocation"] = given.response_location.kept()
        return AnswerDraft(body=kept_body, media=media)

    def answer_body(self, card: ViewedAction, body: dict[str, Any]) -> dict[str, Any]:
        answers = [
            to_wire(question, answer, card)
            for question, answer in zip(list_questions(card.body, body["answers"]), body["answers"], strict=True)
        ]
        about: dict[str, Any] = {name: body[name] for name in ("responseName", "responseLocation") if name in body}
        about["answers"] = answers
        return about

    def response_details(self, card: ViewedAction, body: dict[str, Any]) -> dict[str, Any]:
        return {
            "responseWithQuestions": [
                {**question, "answer": to_event(question, answer, card)}
                for question, answer in zip(list_questions(card.body, body["answers"]), body["answers"], strict=True)
            ]
        }

    def resources_of_answer(self, card_body: dict[str, Any], body: dict[str, Any]) -> list[str]:
        return [
            resource
            for question, answer in zip(list_questions(card_body, body["answers"]), body["answers"], strict=True)
            for resource in list_resources(question, answer)
        ]

    def tally(self, body: dict[str, Any]) -> Tally:
        return SurveyTally(body["questions"])


class PackageAction(SurveyAction):
    """An instance of an action package: `id` names the package."""

    kind = Kind.PACKAGE
    shape = PackageBody
    created_event = "ActionCreated"
    response_event = "ActionResponse"


def _closes(body: SurveyBody, now: dt.datetime) -> dt.datetime:
    if body.validity is None:
        return now + dt.timedelta(hours=body.due_date)
    if 1 <= body.validity <= _HOURS_UP_TO:
        return now + dt.timedelta(hours=body.validity)
    latest = now + dt.timedelta(hours=MAX_HOURS)
    try:
        at = clock.from_epoch_ms(body.validity)
    except (ValueError, OverflowError):
        at = now
    if not now < at <= latest:
        raise refuse(
            "actionBody.validity",
            _("actionBody.validity: expected a moment to come, in milliseconds since 1970, or a number of hours."),
            "validity",
        )
    return at
