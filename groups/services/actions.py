"""Posting Actions: pictures, announcements, jobs, polls, meetings, surveys, cards of packages (wire protocol §6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import EventType
from accounts.audit.record import Actor, record
from accounts.models import Person, User
from connectors.authentication import AccessContext
from connectors.models import Bot, Connector
from connectors.webhooks import publish
from connectors.webhooks.events import Event, WebhookEventType, package_names
from groups import action_types
from groups.action_types.base import MediaUse, ViewedAction
from groups.action_types.survey import MOST_PROPERTIES, Property, to_stored_property
from groups.media.content import FILE_TYPES, IMAGES, MediaKind
from groups.media.upload import Incoming
from groups.models import Action, Group, MediaResource, Membership
from groups.queries import actions
from groups.services import groups, media, messages
from groups.services.media import Uploader
from groups.services.members import find_named
from kaizala_console.api.errors import PayloadTooLarge, UnsupportedMediaType
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken


@transaction.atomic
def post(
    *,
    group: Group,
    body: Any,
    person: Person,
    by: Actor,
    action_type: str = "",
    package_id: str = "",
    caller: AccessContext | media.Uploader | None = None,
    connector: Connector | None = None,
    bot: Bot | None = None,
    to_all_subscribers: bool = False,
    subscribers: Iterable[str] = (),
    action_id: UUID | None = None,
) -> Action:
    """Posts a card in the name of `person`; `connector` is the program that does it, `bot` the name it does it under.

    `action_type` is the wire's, in any case; `package_id` an action package instead. `body` is the `actionBody` as it
    came. Media are those of `caller`; without one there are none. Raises RuleBroken and InvalidParameters, which name
    the path of what is wrong, as `messages.read_audience`, and NotAllowed where only admins post. As a message it
    is its own record: no matter for the audit trail.

    Asked again for the same `action_id`, it gives the card that it posted then; Conflict when that is another
    person's, or another group's.
    """
    groups.require_may_post(group=group, by=by)
    kind, package = action_types.choose_type(action_type, package_id)
    to = messages.read_audience(group, to_all_subscribers=to_all_subscribers, subscribers=subscribers)
    now = clock.now()
    draft = kind.read(body, now)
    assignees = _assignees(group, draft.assigned_to)
    fields: dict[str, Any] = {
        "group": group,
        "person": person,
        "connector": connector,
        "bot": bot,
        "kind": kind.kind,
        "package_id": package,
        "title": draft.title,
        "body": with_media(draft.body, draft.media, caller),
        "audience": to.kind,
        "assignee_count": len(assignees),
        "is_anonymous": draft.is_anonymous,
        "is_sender_only": draft.is_sender_only,
        "accepts_many": draft.accepts_many,
        "sent_at": now,
        "expires_at": draft.expires_at,
    }
    action, is_new = Action.objects.get_or_create(pk=action_id or ids.new_id(), defaults=fields)
    if not is_new:
        if (action.group_id, action.person_id) != (group.pk, person.pk):
            raise Conflict(_("This form has expired. Reload the page and send it again."))
        return action
    if to.chosen:
        action.recipients.set(to.chosen)
    if assignees:
        action.assignees.set(assignees)
    _publish(action, assignees, messages.get_event_readers(to.kind, to.chosen))
    return action


@transaction.atomic
def change_properties(*, action: Action, properties: Sequence[Property], by: AccessContext) -> None:
    """Replaces properties of the same name, and adds the others. For who posted the card and for admins of its group.

    `action` is one that `action_queries` let them see. Raises NotAllowed, NotFound for a kind without properties, and
    RuleBroken for a value that is none of its type, or more properties than a card has.
    """
    groups.require_may_post(group=action.group, by=by)
    if by.person.pk != action.person_id and action.group.role != Membership.Role.ADMIN:
        raise NotAllowed(_("Only who posted an action and admins of the group change its properties."))
    if "properties" not in action.body:
        raise NotFound(_("An action of the type %(type)s has no properties.") % {"type": action.type_on_the_wire})
    given = {each.name: to_stored_property(each, f"actionProperties[{index}]") for index, each in enumerate(properties)}
    # One after the other: of two programs at once, neither loses what the other has set.
    locked = Action.objects.select_for_update(no_key=True).get(pk=action.pk)
    merged = {each["name"]: each for each in locked.body["properties"]} | given
    if len(merged) > MOST_PROPERTIES:
        raise RuleBroken(
            _("An action has at most %(most)d properties.") % {"most": MOST_PROPERTIES},
            field="actionProperties",
            code="too_many_properties",
        )
    locked.body["properties"] = list(merged.values())
    locked.save(update_fields=["body"])
    record(
        EventType.ACTION_CHANGED,
        by=by,
        subject=action,
        **action.group.audit_scope,
        connector_id=by.connector.pk,
        person_id=by.person.pk,
        after={"group": action.group.name, "kind": action.type_on_the_wire, "properties": sorted(given)},
    )


def with_media(
    body: dict[str, Any],
    uses: Sequence[MediaUse],
    caller: AccessContext | media.Uploader | None,
    kept: Collection[str] = (),
) -> dict[str, Any]:
    """The body with the ids of the media that it names; `kept` are ids that stood in it before a person changed it.

    Raises RuleBroken for media that this caller may not use.
    """
    for use in uses:
        if caller is None and use.resource in kept:
            key = use.resource
        elif caller is None:
            raise RuleBroken(_("Only a program can post media."), field=use.path, code="no_media")
        else:
            key = str(media.use_resource(resource=use.resource, caller=caller, kinds=use.kinds, field=use.path).pk)
        place: Any = body
        for step in use.keys[:-1]:
            place = place[step]
        place[use.keys[-1]] = key
    return body


def _assignees(group: Group, numbers: Sequence[str]) -> list[Person]:
    """The members behind these numbers, each once. Raises RuleBroken, which names everybody who is none."""
    found, refused = find_named(Membership.objects.filter(group=group), numbers)
    if refused:
        raise RuleBroken(
            _("actionBody.assignedTo: not members of this group: %(numbers)s. Nothing was posted.")
            % {"numbers": ", ".join(number[:40] for number in refused[:20])},
            field="actionBody.assignedTo",
            code="not_members",
        )
    return found


def _publish(action: Action, assignees: Sequence[Person], people: frozenset[UUID] | None) -> None:
    kind = action_types.get_type(action.kind)
    event = WebhookEventType(kind.created_event)
    listening = publish.list_interested(action.group_id, event, package_id=action.package_id)
    if not listening:
        return
    data = kind.created_data(ViewedAction(action, actions.get_files(kind.resources(action.body))))
    data |= package_names(action.package_id)
    if assignees:
        data["assignedTo"] = [person.number for person in assignees]
    publish.publish(
        Event(
            type=event,
            group_id=action.group_id,
            data=data,
            person=action.person,
            bot=action.bot,
            action_id=action.pk if kind.has_action_id else None,
            package_id=action.package_id,
            only_for=people,
        ),
        among=listening,
    )


def post_files(
    *, group: Group, files: Sequence[Incoming], caption: str, person: Person, by: User, action_id: UUID
) -> list[Action]:
    """Posts these files, the caption with the first card, and returns the cards. All or none.

    Asked again for the same `action_id`, it gives the cards that it posted then. Writes to the store: not for a
    transaction. Raises NotAllowed where only admins post; RuleBroken, which names the file, for one of no type that is
    taken or that is not what its name says, and when the organisation's space is used up; GatewayDown when the store
    does not answer.
    """
    groups.require_may_post(group=group, by=by)
    parts = _apart(files)
    keys = [action_id, *(uuid5(action_id, str(number)) for number in range(1, len(parts)))]
    there = {action.pk: action for action in Action.objects.filter(pk__in=keys, group=group, person=person)}
    if len(there) == len(keys):
        return [there[key] for key in keys]
    stored = store_files(files=files, person=person, by=by)
    with transaction.atomic():
        return [
            post(
                group=group,
                action_type=resource.kind,
                body={"mediaResource": str(resource.pk), "caption": "" if number else caption},
                person=person,
                by=by,
                caller=Uploader(by, person),
                action_id=key,
            )
            for number, (key, resource) in enumerate(zip(keys, stored, strict=True))
        ]


def store_files(*, files: Sequence[Incoming], person: Person, by: User) -> list[MediaResource]:
    """Stores the files to be posted with: pictures as one resource, then the others. Checks all before it stores any.

    Raises as `post_files`. What nothing is posted with in the end is deleted some days later, as what programs upload.
    """
    try:
        return [media.store(files=part, by=Uploader(by, person)) for part in _apart(files)]
    except PayloadTooLarge:
        raise RuleBroken(
            _("The media of your organisation would take up more than %(most)d GB, which is its limit.")
            % {"most": settings.MEDIA_QUOTA_GB},
            field="files",
            code="no_room",
        ) from None


def list_extensions(kind: MediaKind) -> str:
    """How the names of such files end, as people read it."""
    return ", ".join(ending for each in FILE_TYPES if each.kind == kind for ending in each.extensions)


def _apart(files: Sequence[Incoming]) -> list[list[Incoming]]:
    pictures, others = [], []
    for file in files:
        if _get_kind(file) == MediaKind.IMAGE:
            pictures.append(file)
        else:
            others.append([file])
    return ([pictures] if pictures else []) + others


def _get_kind(file: Incoming) -> MediaKind:
    try:
        return media.check_file(file).kind
    except UnsupportedMediaType:
        raise RuleBroken(
            _(
                "“%(name)s” is no file that can be posted, or not what its name says. Possible are pictures "
                "(%(pictures)s), sound (%(sound)s), film (%(film)s) and documents (%(documents)s)."
            )
            % {
                "name": file.name[:80],
                "pictures": ", ".join(IMAGES),
                "sound": list_extensions(MediaKind.AUDIO),
                "film": list_extensions(MediaKind.VIDEO),
                "documents": list_extensions(MediaKind.DOCUMENT),
            },
            field="files",
            code="unsupported",
        ) from None
