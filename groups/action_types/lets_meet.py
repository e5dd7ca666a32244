"""LetsMeet: a meeting that people are asked to come to (wire protocol §6, Actions)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, WithJsonSchema

from groups.action_types.base import (
    ChoiceAction,
    ChoiceResponseAnswer,
    Draft,
    Kind,
    Line,
    ViewedAction,
    Words,
    format_moment,
    parse,
)
from groups.action_types.location import Place, PlaceAnswer
from kaizala_console.api.fields import NO_BOOLEAN, Body, named
from kaizala_console.api.responses import Answer

DEFAULT_MINUTES: Final = 30
MOST_MINUTES: Final = 31 * 24 * 60
# The protocol names no answers of a meeting. These are what Kaizala's own card let people say.
ANSWERS: Final = ("Yes", "No", "Maybe")
_YEARS: Final = range(1971, 9000)
_MOMENT: Final = {"type": "string", "format": "date-time"}


def _on_the_time_line(at: dt.datetime) -> dt.datetime:
    """In UTC; a moment without a zone is taken as UTC, as programs of 2017 wrote it."""
    if at.year not in _YEARS:
        raise ValueError("expected a moment as ISO 8601 has it")
    return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)


class LetsMeetBody(Body):
    """`duration` is in minutes (`DurationInMins` in Microsoft's own table of fields)."""

    title: Line
    starting_time: Annotated[dt.datetime, AfterValidator(_on_the_time_line), WithJsonSchema(_MOMENT)]
    duration: Annotated[int, Field(ge=1, le=MOST_MINUTES), NO_BOOLEAN] = named(
        "duration", "durationInMins", default=DEFAULT_MINUTES
    )
    place: Place | None = None
    agenda: Words = ""
    is_sender_only: bool = False


class LetsMeetListed(Answer):
    """A meeting. `place` is absent when none was given."""

    action_id: str
    title: str
    starting_time: str
    agenda: str
    duration: int = Field(description="In minutes.")
    is_sender_only: bool
    place: PlaceAnswer | None = None


class LetsMeetDetails(LetsMeetListed):
    """A meeting. Without `responseCount` and `responses` for whom they are hidden from."""

    response_count: int | None = None
    responses: list[ChoiceResponseAnswer] | None = None


class LetsMeetAction(ChoiceAction):
    """It takes answers until it is over."""

    kind = Kind.LETS_MEET
    shape = LetsMeetBody
    created_event = "LetsMeetCreated"
    response_event = "LetsMeetResponse"
    listed = LetsMeetListed
    detailed = LetsMeetDetails

    def read(self, raw: Any, now: dt.datetime) -> Draft:
        body = parse(self.shape, raw)
        kept: dict[str, Any] = {
            "title": body.title,
            "startingTime": format_moment(body.starting_time),
            "agenda": body.agenda,
            "duration": body.duration,
        }
        if body.place is not None:
            kept["place"] = body.place.kept()
        return Draft(
            title=body.title,
            body=kept,
            expires_at=body.starting_time + dt.timedelta(minutes=body.duration),
            is_sender_only=body.is_sender_only,
        )

    def list_body(self, card: ViewedAction) -> dict[str, Any]:
        return {"actionId": str(card.action.pk), "isSenderOnly": card.action.is_sender_only, **card.body}

    def titles(self, body: dict[str, Any]) -> list[str]:
        return list(ANSWERS)
