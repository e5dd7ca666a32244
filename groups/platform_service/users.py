"""The token's user on the wire: `/v1/users/me` (wire protocol §6, Users)."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field

from accounts.models import Person
from accounts.services import people
from connectors.authentication import operation
from groups.services import media
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.errors import InvalidParameters
from kaizala_console.api.fields import Body, PictureUrl, Text, describe, rename_fields
from kaizala_console.api.responses import Answer


def _describe_change(schema: dict[str, Any], shape: type[Any]) -> None:
    """Of one of them at least."""
    describe(schema, shape)
    schema["anyOf"] = [
        {"properties": {name: {"type": ["string", "number"]}}, "required": [name]} for name in ("name", "profilePic")
    ]


class NewDetails(Body):
    """Fields left out stay the same. `profilePic`: an address, or a mediaResource; empty removes the picture."""

    name: Annotated[Text, Field(json_schema_extra={"maxLength": 120})] | None = None
    profile_pic: PictureUrl | None = None

    model_config = ConfigDict(json_schema_extra=_describe_change)


class UserDetails(Answer):
    """The token's user."""

    id: UUID
    mobile_number: str = Field(description="In the form E.164.")
    name: str
    profile_pic: str


@operation(scope="profile.read", response=UserDetails, summary="Read the token's user")
def read_me(call: Call) -> dict[str, Any]:
    """Answers with the person whose role the token carries: its user, or the admin who added the connector."""
    return to_wire(call.caller.person)


@operation(scope="profile.write", body=NewDetails, response=UserDetails, summary="Change the token's user")
def update_me(call: Call) -> dict[str, Any]:
    """Changes the name in the organisation, the picture everywhere, or both, and answers as `GET` does."""
    asked: NewDetails = call.body
    if asked.name is None and asked.profile_pic is None:
        raise InvalidParameters("Expected name, profilePic or both.", field="name")
    with (
        rename_fields(picture_url="profilePic"),
        media.resolve_address(asked.profile_pic, caller=call.caller, field="profilePic") as picture,
    ):
        person = people.change(
            person=call.caller.person,
            organisation_id=call.caller.organisation.pk,
            name=asked.name,
            picture_url=picture,
            by=call.caller,
        )
    return to_wire(person)


def to_wire(person: Person) -> dict[str, Any]:
    """A person with the protocol's spellings."""
    return {
        "id": str(person.pk),
        "mobileNumber": person.number,
        "name": person.name,
        "profilePic": person.picture_url,
    }


me = resource(GET=read_me, PUT=update_me)
