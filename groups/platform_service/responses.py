"""Responses on the wire: `POST /v1/groups/{groupId}/actions/{actionId}/responses` (wire protocol §6, Actions)."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict

from connectors.authentication import operation
from connectors.webhooks.events import package_name
from groups import access, action_types
from groups.action_types.base import ChoiceBody
from groups.action_types.job import JobAnswerBody
from groups.action_types.survey import SurveyAnswerBody
from groups.models import Action
from groups.platform_service.actions import ActionType, PackageId, viewer
from groups.queries import actions
from groups.services import responses as services
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.fields import Body, OptionalId, describe, described_as, named
from kaizala_console.api.responses import Answer
from kaizala_console.lib import ids
from kaizala_console.lib.errors import RuleBroken

_Answers = JobAnswerBody | ChoiceBody | SurveyAnswerBody


def _describe_answer(schema: dict[str, Any], shape: type[Any]) -> None:
    """What the service asks for: what is missing is named by it."""
    schema["properties"]["actionBody"].pop("default")
    schema["required"] = ["actionBody"]
    describe(schema, shape)


class NewResponse(Body):
    """`responseId` changes that response. `actionType`, or `id`, may be left out: the path says which action it is."""

    action_type: ActionType = ""
    id: PackageId = named("id", "packageId", default="")
    response_id: OptionalId | None = None
    action_body: Annotated[Any, described_as(_Answers)] = None

    model_config = ConfigDict(json_schema_extra=_describe_answer)


class ResponseGiven(Answer):
    """Which response it is: one that was there keeps its id."""

    response_id: UUID


@operation(
    scope="action.write",
    body=NewResponse,
    response=ResponseGiven,
    example={"actionBody": {"choice": "I can"}},
    summary="Respond to an action",
)
def respond(call: Call, group_id: str, action_id: str) -> dict[str, str]:
    """Responds in the name of the token's user. A second response of the same user changes the first one (and needs
    the scope action.update), unless the action takes several.
    """
    group = access.reach(call.caller, group_id)
    action = actions.get_action(group, action_id, viewer(group, call.caller)).action
    _of_this_type(action, call.body)
    response = services.give(
        action=action,
        body=call.body.action_body,
        person=call.caller.person,
        caller=call.caller,
        connector=call.caller.connector,
        response_id=call.body.response_id or None,
        may_update="action.update" in call.caller.scopes,
    )
    return {"responseId": str(response.pk)}


def _of_this_type(action: Action, body: NewResponse) -> None:
    """A program that names the type of another action has mixed two up."""
    if not body.action_type and not body.id:
        return
    kind, package = action_types.choose_type(body.action_type, body.id)
    # An instance of a package is answered as a survey is, and programs call it one (ADR 0061).
    as_survey = kind.kind == Action.Kind.SURVEY and action.kind == Action.Kind.PACKAGE
    same = (kind.kind, package_name(package)) == (action.kind, package_name(action.package_id))
    # Microsoft's description calls `id` that of the action, and webhooks name a package in two ways (ADR 0061).
    if not same and not as_survey and ids.parse_guid(package) != action.pk:
        field = "id" if body.id else "actionType"
        raise RuleBroken(
            f"{field}: this action is of the type {action.type_on_the_wire}.", field=field, code="another_type"
        )


responses = resource(POST=respond)
