"""Webhooks: the events of a group's members and sub-groups, and what one can be set on (wire protocol §6, Webhooks)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from accounts.audit.record import Actor
from accounts.models import Person, User
from connectors.authentication import AccessContext
from connectors.models import Grant, Webhook
from connectors.models.webhook import MOST_OBJECT_ID_CHARACTERS
from connectors.webhooks import publish
from connectors.webhooks.events import Event, ObjectType, WebhookEventType
from groups import access
from groups.models import Action, Group
from groups.queries import actions
from groups.queries.actions import Viewer
from kaizala_console.api.errors import GroupNotReachable
from kaizala_console.lib import ids
from kaizala_console.lib.batches import batched
from kaizala_console.lib.errors import NotFound, RuleBroken

AT_ONCE: Final = 1000


def publish_members_added(*, group: Group, people: Iterable[tuple[Person, str]], by: Actor) -> None:
    """Publishes that these people are in the group now, each with a role; call it in the transaction of that."""
    _publish_members(WebhookEventType.MEMBER_ADDED, group, list(people), by)


def publish_members_removed(*, group: Group, people: Iterable[tuple[Person, str]], by: Actor) -> None:
    """Publishes that these people are out of the group, each with the role that they had."""
    _publish_members(WebhookEventType.MEMBER_REMOVED, group, list(people), by)


def publish_group_added(*, parent: Group, child: Group, by: Actor) -> None:
    """Publishes on the parent that a group stands under it now."""
    _publish_group(WebhookEventType.GROUP_ADDED, parent, child, by)


def publish_group_removed(*, parent: Group, child: Group, by: Actor) -> None:
    """Publishes on the parent that a group stands under it no longer."""
    _publish_group(WebhookEventType.GROUP_REMOVED, parent, child, by)


def list_groups_with_webhooks(group_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the groups that a webhook is on: one question for a thousand groups, not one for each."""
    found: set[UUID] = set()
    for batch in batched(group_ids, AT_ONCE):
        named = {str(key): key for key in batch}
        on = Webhook.objects.present().filter(object_id__in=named).values_list("object_id", flat=True)
        found.update(named[key] for key in on)
    return found


def _publish_members(kind: WebhookEventType, group: Group, people: list[tuple[Person, str]], by: Actor) -> None:
    _publish(
        kind,
        group,
        [
            {
                "member": person.number,
                "memberId": str(person.pk),
                "memberName": person.name,
                "memberProfilePic": person.picture_url,
                "type": str(role),
            }
            for person, role in people
        ],
        by,
        # Who may not read the list is not told of it piece by piece either: admins alone.
        only_for=None if group.members_see_members else frozenset(),
    )


def _publish_group(kind: WebhookEventType, parent: Group, child: Group, by: Actor) -> None:
    data = {
        "groupId": str(child.pk),
        "groupName": child.name,
        "groupImageUrl": child.image_url,
        "groupType": child.group_type,
    }
    _publish(kind, parent, [data], by)


def _publish(
    kind: WebhookEventType,
    group: Group,
    told: list[dict[str, Any]],
    by: Actor,
    only_for: frozenset[UUID] | None = None,
) -> None:
    listening = publish.list_interested(group.pk, kind) if told else []
    if listening:
        person = _find_person(by, group)
        publish.publish(
            *(Event(type=kind, group_id=group.pk, data=data, person=person, only_for=only_for) for data in told),
            among=listening,
        )


def _find_person(by: Actor, group: Group) -> Person | None:
    """Whose act it is, as people see it: the token's user, or the number that an account acts with in the group."""
    if isinstance(by, AccessContext):
        return by.person
    return access.get_acting_person(by, group) if isinstance(by, User) else None


def find_object(kind: str, grant: Grant, object_id: str) -> str:
    """Return the id of an object within the grant's reach, as it is kept. Raises as the functions below."""
    finders = {
        ObjectType.GROUP: _find_group,
        ObjectType.ACTION: _find_action,
        ObjectType.ACTION_PACKAGE: _check_package,
    }
    return finders[ObjectType(kind)](grant, object_id)


def _find_group(grant: Grant, object_id: str) -> str:
    """A group that the grant reaches. Raises GroupNotReachable, the same whether or not there is such a group."""
    if not access.get_token_role(grant, object_id):
        raise GroupNotReachable
    return str(ids.parse_guid(object_id))


def _find_action(grant: Grant, object_id: str) -> str:
    """An action that the grant's tokens see. Raises NotFound, the same whether or not there is such an action."""
    key = ids.parse_guid(object_id)
    found = None if key is None else Action.objects.select_related("group").filter(pk=key).first()
    role = access.get_token_role(grant, str(found.group_id)) if found is not None else ""
    if found is None or not role:
        raise NotFound(_("There is no such action within reach of this token."))
    viewer = Viewer(frozenset({grant.person_id}), role == access.Role.ADMIN)
    if not actions.list_visible(found.group, viewer).filter(pk=found.pk).exists():
        raise NotFound(_("There is no such action within reach of this token."))
    return str(found.pk)


def _check_package(_grant: Grant, object_id: str) -> str:
    """The name of an action package. It is told of in all groups that the grant reaches, so any name will do."""
    name = object_id.strip()
    if not name or len(name) > MOST_OBJECT_ID_CHARACTERS:
        raise RuleBroken(
            _("expected the ID of an action package, of at most %(most)s characters")
            % {"most": MOST_OBJECT_ID_CHARACTERS},
            field="objectId",
            code="package_id",
        )
    return name
