"""Announcement (wire protocol §6, Actions)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from groups.action_types.base import (
    ActionType,
    Caption,
    Draft,
    Kind,
    MediaAnswer,
    MediaUse,
    Resource,
    SomeWords,
    ViewedAction,
    parse,
    to_list,
)
from groups.media.content import MediaKind
from kaizala_console.api.fields import Body, named
from kaizala_console.api.responses import Answer

MOST_MEDIA = 20
Resources = Annotated[list[Resource], Field(max_length=MOST_MEDIA)]


class AnnouncementBody(Body):
    """`mediaResources` are what `POST /v1/media` answered. Microsoft's own description has no title (ADR 0061)."""

    title: Caption = ""
    message: SomeWords = named("message", "text")
    media_resources: Annotated[Resources, BeforeValidator(to_list, json_schema_input_type=Resources | Resource)] = (
        named("mediaResources", "mediaResource", default=[])
    )


class AnnouncementAnswer(Answer):
    """An announcement."""

    title: str
    message: str
    media: list[MediaAnswer]


class AnnouncementAction(ActionType):
    kind = Kind.ANNOUNCEMENT
    shape = AnnouncementBody
    created_event = "Announcement"
    listed = AnnouncementAnswer
    detailed = AnnouncementAnswer

    def read(self, raw: Any, now: dt.datetime) -> Draft:
        body = parse(self.shape, raw)
        resources = body.media_resources
        return Draft(
            title=body.title,
            body={"title": body.title, "message": body.message, "mediaResources": [""] * len(resources)},
            media=[
                MediaUse(f"actionBody.mediaResources[{index}]", ("mediaResources", index), resource, tuple(MediaKind))
                for index, resource in enumerate(resources)
            ],
        )

    def resources(self, body: dict[str, Any]) -> list[str]:
        return list(body["mediaResources"])

    def list_body(self, card: ViewedAction) -> dict[str, Any]:
        media = [file for resource in card.body["mediaResources"] for file in card.media(resource)]
        return {"title": card.body["title"], "message": card.body["message"], "media": media}

    def created_data(self, card: ViewedAction) -> dict[str, Any]:
        listed = self.list_body(card)
        return {
            "title": listed["title"],
            "text": listed["message"],
            # By both names that Microsoft's pages have for them (ADR 0061)
            "media": [{"url": file["mediaUrl"], "fileName": file["mediaFileName"], **file} for file in listed["media"]],
        }
