"""Cards that carry media and a caption: Image, Album, Audio, Document, Video (wire protocol §6, Actions)."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from groups.action_types.base import (
    ActionType,
    Caption,
    Draft,
    Kind,
    MediaAnswer,
    MediaUse,
    Resource,
    ViewedAction,
    parse,
)
from groups.media.content import MediaKind
from kaizala_console.api.fields import Body, named
from kaizala_console.api.responses import Answer


class MediaBody(Body):
    """`mediaResource` is what `POST /v1/media` answered."""

    media_resource: Resource = named("mediaResource", "mediaResources")
    caption: Caption = ""


class ImageListed(Answer):
    """A picture in a list."""

    image_url: str


class ImageDetails(Answer):
    """A picture."""

    image_url: str
    caption: str
    media: list[MediaAnswer]


class MediaListed(Answer):
    """A file, or the pictures of an album, in a list."""

    media: list[MediaAnswer]
    caption: str


class MediaAction(ActionType):
    """An album is several pictures; one picture in it will do."""

    shape = MediaBody
    listed: ClassVar[type[Answer]] = MediaListed
    detailed: ClassVar[type[Answer]] = MediaListed

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        own = MediaKind(kind.value)
        self.kinds = (MediaKind.ALBUM, MediaKind.IMAGE) if own == MediaKind.ALBUM else (own,)

    def read(self, raw: Any, now: dt.datetime) -> Draft:
        body = parse(self.shape, raw)
        return Draft(
            title=body.caption,
            body={"mediaResource": "", "caption": body.caption},
            media=[MediaUse("actionBody.mediaResource", ("mediaResource",), body.media_resource, self.kinds)],
        )

    def resources(self, body: dict[str, Any]) -> list[str]:
        return [body["mediaResource"]]

    def list_body(self, card: ViewedAction) -> dict[str, Any]:
        return {"media": card.media(card.body["mediaResource"]), "caption": card.body["caption"]}

    def created_data(self, card: ViewedAction) -> dict[str, Any]:
        return {
            "media": card.media(card.body["mediaResource"]),
            "actionType": card.action.kind,
            "caption": card.body["caption"],
        }


class ImageAction(MediaAction):
    """Lists have its address alone."""

    listed = ImageListed
    detailed = ImageDetails

    def __init__(self) -> None:
        super().__init__(Kind.IMAGE)

    def list_body(self, card: ViewedAction) -> dict[str, Any]:
        return {"imageUrl": card.url(card.body["mediaResource"])}

    def details(self, card: ViewedAction) -> dict[str, Any]:
        return {**self.list_body(card), **super().list_body(card)}
