"""Answering Actions: a job, a poll, a meeting, a survey, the card of a package (wire protocol §6)."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import Person, User
from accounts.queries import name_people
from connectors.authentication import AccessContext
from connectors.models import Connector
from connectors.webhooks import publish
from connectors.webhooks.events import Event, WebhookEventType, package_names
from groups import action_types
from groups.action_types.base import ActionType, ViewedAction, describe_responder, format_moment
from groups.models import Action, Message, Response
from groups.queries import actions
from groups.services import messages
from groups.services.actions import with_media
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import NotAllowed, NotFound, RuleBroken

# What a program says about itself beside its answers may well name who it answers for.
_NOT_ANONYMOUS = ("responseName", "responseLocation")


@transaction.atomic
def give(
    *,
    action: Action,
    body: Any,
    person: Person,
    caller: AccessContext | None = None,
    connector: Connector | None = None,
    response_id: str | UUID | None = None,
    may_update: bool = True,
    once: UUID | None = None,
) -> Response:
    """Gives, or changes, the answer of `person` to a card that `action_queries` let them see.

    `response_id` changes that answer, if it is theirs. Without it a second answer changes the first one, unless the
    card takes several from everybody: so whoever never learnt what became of a call may repeat it. `once` is the id
    of a new answer to such a card: asked again, it gives the same one, also on a double click. Raises RuleBroken
    and InvalidParameters with the path of what is wrong, and RuleBroken for a card that takes no answers or has closed;
    NotAllowed for a job that is not theirs, and for a change without `may_update`; NotFound for another's answer.
    The answer tells who gave it, unless the card is anonymous: it is no matter for the audit trail.
    """
    kind = action_types.get_type(action.kind)
    if not kind.takes_answers:
        raise RuleBroken(
            _("An action of the type %(type)s takes no responses.") % {"type": action.type_on_the_wire},
            field="actionType",
            code="takes_no_answers",
        )
    draft = kind.read_answer(action.body, body)
    # One after the other: who answers twice at the same moment, on two devices, has answered once.
    Action.objects.select_for_update(no_key=True).get(pk=action.pk)
    _must_be_open(action)
    _must_be_asked(action, person)
    found = _existing(action, person, response_id)
    if found is None and once is not None:
        again = Response.objects.filter(pk=once, action=action).first()
        if again is not None:
            return again
    if found is not None and not may_update:
        raise NotAllowed(_("This changes a response that is there already, which needs the scope action.update."))
    before = kind.resources_of_answer(action.body, found.body) if found is not None else ()
    kept = with_media(draft.body, draft.media, caller, before)
    if action.is_anonymous:
        kept = {name: value for name, value in kept.items() if name not in _NOT_ANONYMOUS}
    if found is None:
        response = _create(action, person, connector, kept, once)
        change = _count_change(action, None, kept) if response.is_first else 0
    else:
        change = _count_change(action, found.body, kept)
        response = _update(action, found, connector, kept)
    if change:
        Action.objects.filter(pk=action.pk).update(response_count=F("response_count") + change)
    _publish(action, response, person, is_update=found is not None)
    return response


@transaction.atomic
def note_export(*, action: Action, by: User) -> None:
    """Writes down who takes the answers to a card out as a file; before the first line."""
    record(
        EventType.RESPONSES_EXPORTED,
        by=by,
        subject=action,
        **action.group.audit_scope,
        after={"group": action.group.name, "kind": action.type_on_the_wire},
    )


def _must_be_open(action: Action) -> None:
    if action.expires_at is not None and action.expires_at <= clock.now():
        raise RuleBroken(
            _("This action closed at %(moment)s: it takes no more responses.")
            % {"moment": format_moment(action.expires_at)},
            field="actionId",
            code="closed",
        )


def _must_be_asked(action: Action, person: Person) -> None:
    if action.kind == Action.Kind.JOB and not action.assignees.filter(pk=person.pk).exists():
        raise NotAllowed(_("Only those to whom a job is assigned respond to it; this number is none of theirs."))


def _existing(action: Action, person: Person, response_id: str | UUID | None) -> Response | None:
    """The answer that this one changes."""
    own = Response.objects.filter(action=action, responder__in=action.responder_keys(person.pk))
    if response_id is None:
        return None if action.accepts_many else own.filter(is_first=True).first()
    key = ids.parse_guid(response_id)
    found = None if key is None else own.filter(pk=key).first()
    if found is None:
        raise NotFound(_("responseId names no response of this token's user to this action."))
    return found


def _create(
    action: Action, person: Person, connector: Connector | None, body: dict[str, Any], once: UUID | None
) -> Response:
    keys = action.responder_keys(person.pk)
    is_first = not Response.objects.filter(action=action, responder__in=keys, is_first=True).exists()
    if action.is_anonymous:
        # A random id: those that are made in order of time would tell whose answer came when.
        key = once or uuid4()
        return Response.objects.create(id=key, action=action, responder=keys[0], is_first=is_first, body=body)
    return Response.objects.create(
        id=once or ids.new_id(),
        action=action,
        person=person,
        connector=connector,
        responder=keys[0],
        is_first=is_first,
        body=body,
        responded_at=clock.now(),
    )


def _update(action: Action, response: Response, connector: Connector | None, body: dict[str, Any]) -> Response:
    response.body = body
    if not action.is_anonymous:
        response.connector, response.responded_at = connector, clock.now()
    response.save(update_fields=["body", "connector", "responded_at"])
    return response


def _count_change(action: Action, before: dict[str, Any] | None, after: dict[str, Any]) -> int:
    """What the answer adds to `response_count`: of a job, those who have done it; else people."""
    if action.kind == Action.Kind.JOB:
        return int(after["isCompleted"]) - int(before is not None and before["isCompleted"])
    return int(before is None)


def _publish(action: Action, response: Response, person: Person, *, is_update: bool) -> None:
    kind = action_types.get_type(action.kind)
    event = WebhookEventType(kind.response_event)
    listening = publish.list_interested(action.group_id, event, action_id=action.pk, package_id=action.package_id)
    if not listening:
        return
    if action.group.naming_organisation_id is not None:
        name_people(action.group.naming_organisation_id, [person, action.person])
    shown = None if action.is_anonymous else person
    data: dict[str, Any] = {
        "actionId": str(action.pk),
        "groupId": str(action.group_id),
        "responseId": str(response.pk),
    }
    if action.kind != Action.Kind.JOB:
        data |= {
            "isUpdateResponse": is_update,
            **describe_responder(shown),
            "isAnonymous": action.is_anonymous,
        }
    else:
        data["title"] = action.title
    data |= package_names(action.package_id)
    details = {"responseDetails": _details(kind, action, response, person)}
    publish.publish(
        Event(
            type=event,
            group_id=action.group_id,
            # An event reaches admins as well: of what only the sender may see, the sender's own tokens are told.
            data=data if action.is_sender_only else data | details,
            private=details if action.is_sender_only else {},
            private_for=frozenset([action.person_id] if action.is_sender_only else []),
            person=shown,
            action_id=action.pk,
            package_id=action.package_id,
            only_for=_list_event_readers(action),
        ),
        among=listening,
    )


def _details(kind: ActionType, action: Action, response: Response, person: Person) -> dict[str, Any]:
    card = ViewedAction(action, actions.get_files(kind.resources_of_answer(action.body, response.body)))
    details = kind.response_details(card, response.body)
    if action.kind == Action.Kind.JOB:
        details["response"] = {
            "assignee": person.number,
            "assigneeName": person.name,
            "assigneeProfilePic": person.picture_url,
            **details["response"],
        }
    return details


def _list_event_readers(action: Action) -> frozenset[UUID] | None:
    """Whose webhooks are told of the answer, besides those of admins."""
    if action.is_sender_only:
        return frozenset([action.person_id])
    chosen = action.recipients.all() if action.audience == Message.Audience.CHOSEN else ()
    return messages.get_event_readers(action.audience, chosen)
