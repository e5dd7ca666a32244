"""Job: something that certain people are to do (wire protocol §6, Actions)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from django.utils.translation import gettext_lazy as _
from pydantic import BeforeValidator, Field

from groups.action_types.base import (
    ActionType,
    AnswerDraft,
    ChoiceTally,
    Draft,
    Hours,
    Kind,
    Line,
    Tally,
    ViewedAction,
    format_moment,
    parse,
    to_list,
)
from kaizala_console.api.fields import Body, PhoneNumber
from kaizala_console.api.responses import Answer

DEFAULT_HOURS = 24
MOST_ASSIGNEES = 1000
Assignees = Annotated[list[PhoneNumber], Field(min_length=1, max_length=MOST_ASSIGNEES)]


class JobBody(Body):
    """`assignedTo` are phone numbers of members; `dueDate` is hours from now."""

    title: Line
    assigned_to: Annotated[Assignees, BeforeValidator(to_list, json_schema_input_type=Assignees | PhoneNumber)]
    due_date: Hours = DEFAULT_HOURS


class JobAnswerBody(Body):
    """What an assignee says of it."""

    is_completed: bool


class JobListed(Answer):
    """A job in a list."""

    action_id: str
    title: str
    assignee_count: int
    response_count: int = Field(description="How many of them have done it.")
    is_completed: bool = Field(description="Whether all of them have.")


class JobResponseAnswer(Answer):
    """What an assignee said of the job."""

    response_id: str
    assignee: str
    assignee_name: str
    assignee_profile_pic: str
    is_completed: bool
    responded_at: str


class JobDetails(Answer):
    """A job."""

    action_id: str
    title: str
    due_date: str
    status: bool = Field(description="Whether all assignees have done it.")
    assignee_count: int
    response_count: int
    responses: list[JobResponseAnswer] | None = None


class JobAction(ActionType):
    kind = Kind.JOB
    shape = JobBody
    has_action_id = True
    takes_answers = True
    created_event = "JobCreated"
    response_event = "JobResponse"
    listed = JobListed
    detailed = JobDetails

    def read(self, raw: Any, now: dt.datetime) -> Draft:
        body = parse(self.shape, raw)
        return Draft(
            title=body.title,
            body={"title": body.title},
            expires_at=now + dt.timedelta(hours=body.due_date),
            assigned_to=body.assigned_to,
        )

    def list_body(self, card: ViewedAction) -> dict[str, Any]:
        return {**_shared(card), "isCompleted": is_completed(card)}

    def details(self, card: ViewedAction) -> dict[str, Any]:
        return {**_shared(card), "dueDate": format_moment(card.action.expires_at), "status": is_completed(card)}

    def created_data(self, card: ViewedAction) -> dict[str, Any]:
        """Without `assignedTo`: the numbers are the service's to add, which has just read them."""
        return {
            "title": card.body["title"],
            "actionId": str(card.action.pk),
            "groupId": str(card.action.group_id),
            "dueDate": format_moment(card.action.expires_at),
        }

    def read_answer(self, body: dict[str, Any], raw: Any) -> AnswerDraft:
        return AnswerDraft(body={"isCompleted": parse(JobAnswerBody, raw).is_completed})

    def answer_body(self, card: ViewedAction, body: dict[str, Any]) -> dict[str, Any]:
        return {"isCompleted": body["isCompleted"]}

    def tally(self, body: dict[str, Any]) -> Tally:
        titles = (_("Completed"), _("Not completed"))
        return ChoiceTally(body["title"], titles, lambda answer: int(not answer["isCompleted"]))


def _shared(card: ViewedAction) -> dict[str, Any]:
    return {
        "actionId": str(card.action.pk),
        "title": card.body["title"],
        "assigneeCount": card.action.assignee_count,
        "responseCount": card.action.response_count,
    }


def is_completed(card: ViewedAction) -> bool:
    """Whether all assignees have done it."""
    return card.action.response_count >= card.action.assignee_count
