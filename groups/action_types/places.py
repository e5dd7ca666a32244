"""A place on the map, as bodies hold it and as answers spell it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from groups.action_types.base import Caption
from kaizala_console.api.fields import NO_BOOLEAN, Body, named
from kaizala_console.api.responses import Answer

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
