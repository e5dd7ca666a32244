"""ShareLocation and PhotoWithLocation: what phones sent from where somebody was (wire protocol §6, Actions)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, ClassVar

from pydantic import Field

from groups.action_types.base import ActionType, Caption, Draft, Kind, MediaUse, Resource, ViewedAction, parse
from groups.media.content import MediaKind
from kaizala_console.api.fields import NO_BOOLEAN, Body, named
from kaizala_console.api.responses import Answer

# ----------------------------------------------------------------------------------------------------
# A place on the map, as bodies hold it and as answers spell it.


Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False), NO_BOOLEAN]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False), NO_BOOLEAN]


class Place(Body):
    """In degrees, and by its name; the short names are those of an answer to a Location question."""

    latitude: Latitude = named("latitude", "lt")
    longitude: Longitude = named("longitude", "lg")
    name: Caption = named("name", "n", "locationName", default="")

    def kept(self) -> dict[str, Any]:
        """As a body keeps it."""
        return {"latitude": self.latitude, "longitude": self.longitude, "name": self.name}


class PlaceAnswer(Answer):
    """A place, in degrees."""

    latitude: float
    longitude: float
    name: str


class PhotoBody(Place):
    """A picture, and where it was taken."""

    media_resource: Resource
    caption: Caption = ""


class LocationListed(Answer):
    """A place in a list."""

    latitude: float
    longitude: float


class PhotoListed(Answer):
    """A picture with its place in a list."""

    image_url: str
    latitude: float
    longitude: float


class PhotoDetails(PhotoListed):
    """A picture with its place."""

    name: str
    caption: str


class LocationAction(ActionType):
    kind = Kind.SHARE_LOCATION
    shape: ClassVar[type[Body]] = Place
    listed: ClassVar[type[Answer]] = LocationListed
    detailed: ClassVar[type[Answer]] = PlaceAnswer

    def read(self, raw: Any, now: dt.datetime) -> Draft:
        body = parse(self.shape, raw)
        return Draft(title=body.name, body=body.kept())

    def list_body(self, card: ViewedAction) -> dict[str, Any]:
        return {"latitude": card.body["latitude"], "longitude": card.body["longitude"]}

    def details(self, card: ViewedAction) -> dict[str, Any]:
        return {**self.list_body(card), "name": card.body["name"]}

    def created_data(self, card: ViewedAction) -> dict[str, Any]:
        return {"media": [], "actionType": card.action.kind, "caption": "", **self.details(card)}


class PhotoAction(LocationAction):
    kind = Kind.PHOTO_WITH_LOCATION
    shape = PhotoBody
    listed = PhotoListed
    detailed = PhotoDetails

    def read(self, raw: Any, now: dt.datetime) -> Draft:
        body = parse(self.shape, raw)
        return Draft(
            title=body.caption,
            body={"mediaResource": "", "caption": body.caption, **body.kept()},
            media=[MediaUse("actionBody.mediaResource", ("mediaResource",), body.media_resource, (MediaKind.IMAGE,))],
        )

    def resources(self, body: dict[str, Any]) -> list[str]:
        return [body["mediaResource"]]

    def list_body(self, card: ViewedAction) -> dict[str, Any]:
        return {"imageUrl": card.url(card.body["mediaResource"]), **super().list_body(card)}

    def details(self, card: ViewedAction) -> dict[str, Any]:
        return {**super().details(card), "caption": card.body["caption"]}

    def created_data(self, card: ViewedAction) -> dict[str, Any]:
        place = {name: card.body[name] for name in ("latitude", "longitude", "name")}
        return {
            "media": card.media(card.body["mediaResource"]),
            "actionType": card.action.kind,
            "caption": card.body["caption"],
            **place,
        }
