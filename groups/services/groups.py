"""Making groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.audit.record import Actor, record
from accounts.audit.tags import Tag
from accounts.models import Organisation, Person
from groups.models import Group, Membership
from groups.services import hierarchy, members
from groups.services.members import Failed
from groups.services.texts import checked
from kaizala_console.lib.errors import Conflict, RuleBroken


@dataclass(frozen=True, slots=True)
class Created:
    """`failed` are numbers that could not be added; the group stands all the same."""

    group: Group
    failed: list[Failed]


@transaction.atomic
def create(
    *,
    name: str,
    organisation: Organisation | None,
    admin: Person,
    by: Actor,
    group_type: str = Group.Type.PLAIN,
    welcome_message: str = "",
    short_description: str = "",
    long_description: str = "",
    image_url: str = "",
    numbers: Iterable[str] = (),
    parent: Group | None = None,
    group_id: UUID | None = None,
) -> Created:
    """Makes a group with its first admin, and with members by phone number.

    `organisation` is None for a private group. With a `parent` it becomes a sub-group there. Asked again for the same
    `group_id`, it gives the group that it made then. Raises RuleBroken with the field at fault, and Conflict for the id
    of a group in which `admin` is none.
    """
    if group_type not in Group.Type.values:
        raise RuleBroken(_("A group is a “Group” or a “ConnectGroup”."), field="group_type")
    fields = {
        "name": checked(name, "name", longest=120, required=_("A group needs a name.")).strip(),
        "organisation": organisation,
        "group_type": group_type,
        "welcome_message": checked(welcome_message, "welcome_message", longest=500),
        "short_description": checked(short_description, "short_description", longest=200),
        "long_description": checked(long_description, "long_description", longest=2000),
        "image_url": checked(image_url, "image_url", longest=200),
    }
    if group_id is None:
        group = Group.objects.create(**fields)
    else:
        group, is_new = Group.objects.get_or_create(pk=group_id, defaults=fields)
        if not is_new:
            if not Membership.objects.admins().filter(group=group, person=admin).exists():
                raise Conflict(_("This form was sent before, and its group is not yours any more. Start a new form."))
            return Created(group, [])
    Membership.objects.create(group=group, person=admin, role=Membership.Role.ADMIN)
    record(
        Tag.GROUP_CREATED,
        by=by,
        subject=group,
        organisation=organisation,
        group_id=group.pk,
        person_id=admin.pk,
        after={"name": group.name, "type": group.group_type, "admin": admin.name},
    )
    if parent is not None:
        hierarchy.link(parent=parent, child=group, by=by)
    return Created(group, members.add(group=group, numbers=numbers, by=by).failed)
