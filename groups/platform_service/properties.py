"""The properties of an action on the wire: `PUT /v1/groups/{groupId}/actions/{actionId}/properties` (ADR 0061)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from connectors.authentication import operation
from groups import access
from groups.action_types.properties import MOST_PROPERTIES, Property
from groups.platform_service.actions import viewer
from groups.queries import actions
from groups.services import actions as services
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.fields import Body
from kaizala_console.api.responses import Answer


class ChangedProperties(Body):
    """Properties by name: those of the same name are replaced, others are added, the rest stay."""

    action_properties: Annotated[list[Property], Field(min_length=1, max_length=MOST_PROPERTIES)]


class PropertiesChanged(Answer):
    """Which action it was."""

    reference_id: UUID
    action_id: UUID


@operation(
    scope="action.update",
    body=ChangedProperties,
    response=PropertiesChanged,
    summary="Change the properties of an action",
)
def change_properties(call: Call, group_id: str, action_id: str) -> dict[str, str]:
    """Of a survey or an action of a package. Only who posted it and admins of the group may do so."""
    group = access.reach(call.caller, group_id)
    action = actions.card_in(group, action_id, viewer(group, call.caller)).action
    services.change_properties(action=action, properties=call.body.action_properties, by=call.caller)
    return {"referenceId": str(action.pk), "actionId": str(action.pk)}


properties = resource(PUT=change_properties)
