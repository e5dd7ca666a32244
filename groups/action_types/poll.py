"""Poll: one question, of whose choices everybody picks one (wire protocol §6, Actions)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from django.utils.translation import gettext_lazy as _
from pydantic import BeforeValidator, Field, WithJsonSchema

from groups.action_types.base import (
    ChoiceAction,
    ChoiceResponseAnswer,
    Draft,
    Hours,
    Kind,
    Line,
    MediaUse,
    Resource,
    ViewedAction,
    find_repeated,
    format_moment,
    parse,
    refuse,
    to_option,
)
from groups.media.content import MediaKind
from kaizala_console.api.fields import ID_SCHEMA, Body
from kaizala_console.api.responses import Answer

DEFAULT_HOURS = 720
MOST_CHOICES = 50


_NONE_TOO = WithJsonSchema(ID_SCHEMA)


class Choice(Body):
    """`image` is what `POST /v1/media` answered."""

    title: Line
    image: Annotated[Resource | None, BeforeValidator(lambda given: None if given == "" else given), _NONE_TOO] = None


ChoiceOrTitle = Annotated[Choice, BeforeValidator(to_option, json_schema_input_type=Choice | Line)]


class PollBody(Body):
    """`expiryInHours` counts from now."""

    question: Line
    choices: Annotated[
        list[ChoiceOrTitle],
        Field(min_length=2, max_length=MOST_CHOICES, json_schema_extra={"uniqueItems": True}),
    ]
    expiry_in_hours: Hours = DEFAULT_HOURS
    is_sender_only: bool = False


class ChoiceAnswer(Answer):
    """A choice; `image` is the address of its picture, when it has one."""

    title: str
    image: str | None = None


class PollListed(Answer):
    """A poll."""

    action_id: str
    question: str
    is_sender_only: bool
    expiry_date: str
    choices: list[ChoiceAnswer]


class PollDetails(PollListed):
    """A poll. Without `responseCount` and `responses` for whom they are hidden from."""

    response_count: int | None = None
    responses: list[ChoiceResponseAnswer] | None = None


class PollAction(ChoiceAction):
    kind = Kind.POLL
    shape = PollBody
    created_event = "PollCreated"
    response_event = "PollResponse"
    listed = PollListed
    detailed = PollDetails

    def read(self, raw: Any, now: dt.datetime) -> Draft:
        body = parse(self.shape, raw)
        repeated = find_repeated([choice.title for choice in body.choices])
        if repeated is not None:
            path = f"actionBody.choices[{repeated}].title"
            raise refuse(path, _("%(path)s is there before: choices differ.") % {"path": path}, "repeated")
        return Draft(
            title=body.question,
            body={
                "question": body.question,
                "choices": [
                    {"title": choice.title, **({"image": ""} if choice.image else {})} for choice in body.choices
                ],
            },
            expires_at=now + dt.timedelta(hours=body.expiry_in_hours),
            is_sender_only=body.is_sender_only,
            media=[
                MediaUse(
                    f"actionBody.choices[{index}].image", ("choices", index, "image"), choice.image, (MediaKind.IMAGE,)
                )
                for index, choice in enumerate(body.choices)
                if choice.image
            ],
        )

    def resources(self, body: dict[str, Any]) -> list[str]:
        return [choice["image"] for choice in body["choices"] if "image" in choice]

    def titles(self, body: dict[str, Any]) -> list[str]:
        return [choice["title"] for choice in body["choices"]]

    def list_body(self, card: ViewedAction) -> dict[str, Any]:
        return {
            "actionId": str(card.action.pk),
            "question": card.body["question"],
            "isSenderOnly": card.action.is_sender_only,
            "expiryDate": format_moment(card.action.expires_at),
            "choices": [
                {"title": choice["title"], **({"image": card.url(choice["image"])} if "image" in choice else {})}
                for choice in card.body["choices"]
            ],
        }
