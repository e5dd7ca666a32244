"""Making groups, and changing what they say of themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import EventType
from accounts.audit.record import Actor, record
from accounts.models import Organisation, Person, User
from accounts.services import people
from connectors.authentication import AccessContext
from connectors.models import Grant, Webhook
from connectors.services import grants
from connectors.webhooks import authorization
from groups import access
from groups.models import Group, GroupLink, Membership
from groups.services import hierarchy, members
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken
from kaizala_console.lib.texts import check_text


@dataclass(frozen=True, slots=True)
class Created:
    """`failed` are numbers that could not be added; the group stands all the same."""

    group: Group
    failed: list[members.Failed]


@transaction.atomic
def create(
    *,
    name: str,
    organisation: Organisation | None,
    admin: Person | None,
    by: Actor,
    group_type: str = Group.Type.PLAIN,
    welcome_message: str = "",
    short_description: str = "",
    long_description: str = "",
    image_url: str = "",
    numbers: Iterable[str] = (),
    admin_numbers: Iterable[str] = (),
    parent: Group | None = None,
    group_id: UUID | None = None,
) -> Created:
    """Makes a group with its first admin, and with members and more admins by phone number.

    Without an `admin` the first of the members is one: a group never has none. `organisation` is None for a private
    group. With a `parent` it becomes a sub-group there. Asked again for the same `group_id`, it gives the group that it
    made then. Raises RuleBroken with the field at fault, and Conflict for the id of a group in which `admin` is none.
    """
    if group_type not in Group.Type.values:
        raise RuleBroken(_("A group is a “Group” or a “ConnectGroup”."), field="group_type")
    fields = {
        "name": check_text(name, "name", longest=120, required=_("A group needs a name.")).strip(),
        "organisation": organisation,
        "group_type": group_type,
        "welcome_message": check_text(welcome_message, "welcome_message", longest=500),
        "short_description": check_text(short_description, "short_description", longest=200),
        "long_description": check_text(long_description, "long_description", longest=2000),
        "image_url": people.checked_picture_url(image_url, field="image_url"),
    }
    numbers = list(numbers)
    if admin is None:
        admin = _get_first_admin(numbers, access.get_organisation_id(by) if organisation is None else organisation.pk)
    if group_id is None:
        group = Group.objects.create(**fields)
    else:
        group, is_new = Group.objects.get_or_create(pk=group_id, defaults=fields)
        if not is_new:
            if not Membership.objects.admins().filter(group=group, person=admin).exists():
                raise Conflict(_("This form has expired. Start a new one."))
            return Created(group, [])
    group.asked_from = access.get_organisation_id(by)
    Membership.objects.create(group=group, person=admin, role=Membership.Role.ADMIN)
    record(
        EventType.GROUP_CREATED,
        by=by,
        subject=group,
        person_id=admin.pk,
        after={"name": group.name, "type": group.group_type, "admin": admin.name},
    )
    if parent is not None:
        hierarchy.link(parent=parent, child=group, by=by)
    failed = members.add(group=group, numbers=admin_numbers, by=by, role=Membership.Role.ADMIN).failed
    return Created(group, failed + members.add(group=group, numbers=numbers, by=by).failed)


@transaction.atomic
def change_details(
    *,
    group: Group,
    by: Actor,
    name: str | None = None,
    short_description: str | None = None,
    long_description: str | None = None,
    welcome_message: str | None = None,
    image_url: str | None = None,
) -> Group:
    """Changes what is not None; raises RuleBroken with the field at fault, NotFound for a group that was removed.

    Two admins at once: each changes what they mean to change, and of the same thing the last one counts. The trail
    keeps the names; of the other texts, and of the picture's address, it says that they changed.
    """
    wanted: dict[str, str] = {}
    if name is not None:
        wanted["name"] = check_text(name, "name", longest=120, required=_("A group needs a name.")).strip()
    for field, text, longest in (
        ("short_description", short_description, 200),
        ("long_description", long_description, 2000),
        ("welcome_message", welcome_message, 500),
    ):
        if text is not None:
            wanted[field] = check_text(text, field, longest=longest)
    if image_url is not None:
        wanted["image_url"] = people.checked_picture_url(image_url, field="image_url")
    group = lock_group(group)
    before = {field: getattr(group, field) for field, text in wanted.items() if getattr(group, field) != text}
    if not before:
        return group
    for field in before:
        setattr(group, field, wanted[field])
    group.save(update_fields=list(before))
    if "name" in before:
        grants.relabel(target=f"group:{group.pk}", name=group.name)
    record(
        EventType.GROUP_CHANGED,
        by=by,
        subject=group,
        before={"name": before["name"]} if "name" in before else {},
        after={"changed": sorted(before), **({"name": group.name} if "name" in before else {})},
    )
    return group


def lock_group(group: Group) -> Group:
    """The group as it is now, nobody else's to change until the transaction ends. Raises NotFound when removed."""
    found = (
        Group.objects.present()
        .select_for_update(of=("self",), no_key=True)
        .select_related("organisation")
        .filter(pk=group.pk)
        .first()
    )
    if found is None:
        raise NotFound(_("This group was removed in the meantime."))
    return found


def _get_first_admin(numbers: list[str], organisation_id: UUID | None) -> Person:
    valid, _failed = members.read_numbers(numbers)
    if not valid:
        raise RuleBroken(
            _("Nobody would run this group: name at least one member, who becomes its admin."),
            field="members",
            code="required",
        )
    return people.person_for(valid[0], organisation_id=organisation_id)


ONLY_ADMINS_POST: str | Promise = _("Only the admins of this group post in it: they decided so in its policies.")


@transaction.atomic
def change_policies(
    *, group: Group, by: Actor, only_admins_post: bool | None = None, members_see_members: bool | None = None
) -> Group:
    """Changes what is not None. Raises RuleBroken for a managed public group, where the admins alone post anyway.

    Two admins at once: each changes what they mean to change, and of the same thing the last one counts.
    """
    group = lock_group(group)
    if only_admins_post is not None and group.group_type != Group.Type.PLAIN:
        raise RuleBroken(_("In a managed public group the admins alone speak."), field="only_admins_post")
    wanted = {"only_admins_post": only_admins_post, "members_see_members": members_see_members}
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name, value in wanted.items():
        if value is not None and getattr(group, name) != value:
            before[name], after[name] = getattr(group, name), value
            setattr(group, name, value)
    if after:
        group.save(update_fields=list(after))
        record(
            EventType.GROUP_CHANGED,
            by=by,
            subject=group,
            before=before,
            after=after,
        )
    return group


def require_may_post(*, group: Group, by: Actor) -> None:
    """Raises NotAllowed for who is no admin of a group in which only admins post. Group tokens act as admins.

    Asks the database for a group with this policy alone.
    """
    if not group.only_admins_post or _acts_as_admin(group, by):
        return
    raise NotAllowed(ONLY_ADMINS_POST, code="only_admins_post")


def _acts_as_admin(group: Group, by: Actor) -> bool:
    if isinstance(by, AccessContext):
        return access.get_token_role(by.grant, str(group.pk), by.bot) == access.Role.ADMIN
    return not isinstance(by, User) or access.get_role(by, group) == access.Role.ADMIN


@transaction.atomic
def remove(*, group: Group, by: User) -> None:
    """Ends a group for good: its grants end, it stands under and above no other, nobody finds it. What was said stays
    in the database, for the trail.

    Raises NotFound when it was removed before, NotAllowed for who is no admin of it. Whoever lets a connector in at
    the same moment is either first, and ended here, or finds no group.
    """
    hierarchy.lock_links(group)
    group = lock_group(group)
    if access.get_role(by, group) != access.Role.ADMIN:
        raise NotAllowed(_("Only an admin of this group may do this."))
    present = list(Grant.objects.present().filter(group_grant__group=group).order_by("pk"))
    for grant in present:
        grants.revoke(grant=grant, by=by)
    links = list(GroupLink.objects.filter(parent=group).select_related("parent", "child").order_by("pk")) + list(
        GroupLink.objects.filter(child=group).select_related("parent", "child").order_by("pk")
    )
    for link in links:
        hierarchy.unlink(parent=link.parent, child=link.child, by=by)
    hooks = Webhook.objects.present().filter(object_type=Webhook.ObjectType.GROUP, object_id=str(group.pk))
    # What is told until now was told; user tokens' webhooks on the group hear nothing of it any more.
    for webhook in hooks.select_related("grant", "connector__organisation", "connector__owner").order_by("pk"):
        over = (
            Webhook.InactiveReason.GRANT_ENDED
            if webhook.grant is not None and webhook.grant.revoked_at
            else Webhook.InactiveReason.REACH
        )
        authorization.deactivate(webhook, over)
    group.removed_at = clock.now()
    group.save(update_fields=["removed_at"])
    hierarchy.note_change(group.pk)
    record(
        EventType.GROUP_REMOVED,
        by=by,
        subject=group,
        before={
            "name": group.name,
            "grants_ended": len(present),
            "links_ended": len(links),
        },
    )
