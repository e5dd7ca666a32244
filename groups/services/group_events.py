"""What webhooks on a group are told of its members and sub-groups (wire protocol §6, Webhooks)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from accounts.audit.record import Actor
from accounts.models import Person, User
from connectors.authentication import AccessContext
from connectors.models import Webhook
from connectors.webhooks import publish
from connectors.webhooks.events import Event, WebhookEventType
from groups import access
from groups.models import Group
from kaizala_console.lib.batches import batched

AT_ONCE: Final = 1000


def members_added(*, group: Group, people: Iterable[tuple[Person, str]], by: Actor) -> None:
    """Publishes that these people are in the group now, each with a role; call it in the transaction of that."""
    _members(WebhookEventType.MEMBER_ADDED, group, list(people), by)


def members_removed(*, group: Group, people: Iterable[tuple[Person, str]], by: Actor) -> None:
    """Publishes that these people are out of the group, each with the role that they had."""
    _members(WebhookEventType.MEMBER_REMOVED, group, list(people), by)


def group_added(*, parent: Group, child: Group, by: Actor) -> None:
    """Publishes on the parent that a group stands under it now."""
    _group(WebhookEventType.GROUP_ADDED, parent, child, by)


def group_removed(*, parent: Group, child: Group, by: Actor) -> None:
    """Publishes on the parent that a group stands under it no longer."""
    _group(WebhookEventType.GROUP_REMOVED, parent, child, by)


def list_groups_with_webhooks(group_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the groups that a webhook is on: one question for a thousand groups, not one for each."""
    found: set[UUID] = set()
    for batch in batched(group_ids, AT_ONCE):
        named = {str(key): key for key in batch}
        on = Webhook.objects.present().filter(object_id__in=named).values_list("object_id", flat=True)
        found.update(named[key] for key in on)
    return found


def _members(kind: WebhookEventType, group: Group, people: list[tuple[Person, str]], by: Actor) -> None:
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


def _group(kind: WebhookEventType, parent: Group, child: Group, by: Actor) -> None:
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
