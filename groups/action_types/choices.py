"""Choosing one of several by its title or by its index: what a poll and a meeting take as an answer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from django.utils.translation import gettext_lazy as _
from pydantic import Field

from groups.action_types.base import AnswerDraft, Card, CardType, parse, refuse
from groups.models import Action
from kaizala_console.api.fields import Body, described_as, named
from kaizala_console.api.responses import Answer

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


class ChoiceCard(CardType):
    """A card of which everybody picks one of the `titles`."""

    has_action_id = True
    takes_answers = True

    def titles(self, body: dict[str, Any]) -> list[str]:
        """What there is to choose from, for a card with this kept body."""
        raise NotImplementedError

    def details(self, card: Card) -> dict[str, Any]:
        count = {"responseCount": card.action.response_count} if card.sees_answers else {}
        return {**self.list_body(card), **count}

    def created_data(self, card: Card) -> dict[str, Any]:
        return {"groupId": str(card.action.group_id), **self.list_body(card)}

    def read_answer(self, body: dict[str, Any], raw: Any) -> AnswerDraft:
        return AnswerDraft(body={"choice": read_choice(self.titles(body), raw)})

    def answer_body(self, card: Card, body: dict[str, Any]) -> dict[str, Any]:
        return {"choice": self.titles(card.body)[body["choice"]]}
