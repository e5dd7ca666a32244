"""Which group stands under which. A group never stands above itself, however many requests link at once."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from accounts.audit.event_types import EventType
from accounts.audit.record import Actor, record
from groups.models import Group, GroupLink
from groups.models.hierarchy import MOST_LEVELS, levels
from groups.services import group_events, recounting
from kaizala_console.lib.errors import NotFound, RuleBroken

# The first half of the advisory lock's key: "sub-group links are being changed". Any number that nobody else uses.
LINKING = 0x6C696E6B


@transaction.atomic
def link(*, parent: Group, child: Group, by: Actor) -> GroupLink:
    """Puts `child` under `parent`; when it stands there already, nothing changes.

    Raises RuleBroken: code "cycle" when `parent` is `child` or stands under it, "levels" when more than MOST_LEVELS
    groups would stand above each other, "organisation" when the two do not belong to the same one (private groups
    belong to none).
    """
    if parent.organisation_id != child.organisation_id:
        raise RuleBroken(_("A sub-group belongs to the same organisation as the group above it."), code="organisation")
    one_at_a_time(parent)
    _still_present(parent, child)
    if parent.pk == child.pk or Group.objects.under([child.pk]).filter(pk=parent.pk).exists():
        raise RuleBroken(
            _("“%(child)s” stands above “%(parent)s” already: a group cannot be its own sub-group.")
            % {"child": child.name, "parent": parent.name},
            code="cycle",
        )
    _require_few_levels(parent, child)
    made, is_new = GroupLink.objects.get_or_create(parent=parent, child=child)
    if is_new:
        recounting.note(parent.pk)
        group_events.group_added(parent=parent, child=child, by=by)
        _tell(EventType.SUBGROUP_LINKED, parent, child, by)
    return made


@transaction.atomic
def attach(*, parent: Group, children: Iterable[Group], by: Actor) -> list[GroupLink]:
    """Puts all these groups under `parent`, or none: raises as `link`."""
    children = list(children)
    one_at_a_time(parent)
    return [link(parent=parent, child=child, by=by) for child in children]


@transaction.atomic
def unlink(*, parent: Group, child: Group, by: Actor) -> None:
    """Takes `child` from under `parent`; both groups go on. Raises NotFound when it does not stand there."""
    one_at_a_time(parent)
    gone, _rows = GroupLink.objects.filter(parent=parent, child=child).delete()
    if not gone:
        raise NotFound(_("This is not one of the group's sub-groups."))
    recounting.note(parent.pk)
    group_events.group_removed(parent=parent, child=child, by=by)
    _tell(EventType.SUBGROUP_UNLINKED, parent, child, by)


def one_at_a_time(group: Group) -> None:
    """Makes others who change links in the same organisation wait until this transaction ends.

    Two links can close a cycle together that neither closes alone, between groups that have nothing in common: row
    locks cannot see that. Later statements of this transaction see what those before it committed (READ COMMITTED).
    SQLite's transactions write one at a time anyway (IMMEDIATE).
    """
    if connection.vendor == "postgresql":
        organisation = zlib.crc32(group.organisation_id.bytes if group.organisation_id else b"")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LINKING, organisation - 2**31])


def _require_few_levels(parent: Group, child: Group) -> None:
    above = levels(Group.objects.filter(pk=parent.pk), "up")
    below = levels(Group.objects.filter(pk=child.pk), "down")
    if above + below + 2 > MOST_LEVELS:
        raise RuleBroken(
            _("More than %(most)d groups would stand above each other, “%(child)s” under “%(parent)s” among them.")
            % {"most": MOST_LEVELS, "child": child.name, "parent": parent.name},
            code="levels",
        )


def _still_present(*groups: Group) -> None:
    wanted = {group.pk for group in groups}
    if Group.objects.present().filter(pk__in=wanted).count() != len(wanted):
        raise NotFound(_("One of these groups was removed in the meantime."))


def _tell(tag: EventType, parent: Group, child: Group, by: Actor) -> None:
    record(
        tag,
        by=by,
        subject=child,
        organisation=parent.organisation,
        group_id=parent.pk,
        after={"parent": str(parent.pk), "parent_name": parent.name, "child": str(child.pk), "child_name": child.name},
    )
