"""Which group stands under which. A group never stands above itself, however many requests link at once."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import EventType
from accounts.audit.record import Actor, record
from groups.models import Group, GroupChange, GroupCount, GroupLink, Membership
from groups.models.hierarchy import MOST_LEVELS, levels
from groups.queries.hierarchy import Tally, tally_ids
from groups.services import webhooks
from kaizala_console.lib.errors import NotFound, RuleBroken

AT_ONCE: Final = 5000
BATCH: Final = 1000
COLUMNS: Final = [field.name for field in fields(Tally)]


def note_change(*group_ids: UUID) -> None:
    """Says that who is in these groups, or what stands under them, changes in this transaction.

    Whoever writes memberships, links or removals of groups says so by this; one insert, which waits for nobody. Raises
    RuntimeError outside a transaction: the note and the change are one.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("What changes the counts of a group is noted in the transaction of the change.")
    GroupChange.objects.bulk_create([GroupChange(group_id=key) for key in dict.fromkeys(group_ids)], batch_size=BATCH)


def note_person(person_id: UUID) -> None:
    """Says that this person's number is verified for the first time: the groups they are in have one more who came."""
    note_change(*Membership.objects.filter(person_id=person_id).values_list("group_id", flat=True))


def recount() -> int:
    """Counts anew what was noted, and the groups that were never counted; returns how many groups.

    It holds no lock while it counts. Of several that do so at the same moment, one keeps its counts: the others find
    that what they took was taken, and leave it (all of them together have then looked at everything).
    """
    done = 0
    while True:
        taken = list(GroupChange.objects.order_by("pk").values_list("pk", "group_id")[:AT_ONCE])
        never = list(Group.objects.filter(kept_count__isnull=True).values_list("pk", flat=True)[:AT_ONCE])
        above = _add_ancestors({group_id for _pk, group_id in taken})
        answered, first = tally_ids(above), tally_ids(set(never) - above)
        if not _keep([pk for pk, _group_id in taken], answered, first):
            return done
        done += len(answered) + len(first)
        if len(taken) < AT_ONCE and len(never) < AT_ONCE:
            return done


def repair() -> int:
    """Counts all groups anew, whatever was kept and noted; returns how many were wrong."""
    with transaction.atomic():
        note_change(*Group.objects.values_list("pk", flat=True))
        before = _get_kept_counts()
    recount()
    after = _get_kept_counts()
    return sum(before.get(key) != row for key, row in after.items())


def _get_kept_counts() -> dict[UUID, tuple[int, ...]]:
    return {row[0]: row[1:] for row in GroupCount.objects.values_list("group_id", *COLUMNS)}


def _add_ancestors(group_ids: set[UUID]) -> set[UUID]:
    return group_ids | {*Group.objects.above(group_ids).values_list("pk", flat=True)}


def _keep(taken: list[int], answered: dict[UUID, Tally], first: dict[UUID, Tally]) -> bool:
    """Writes counts down, and takes the notes that `answered` answers off. False when somebody else has done so.

    `first` are counts of groups without a row. Whoever wrote one since knew at least as much, so theirs stays.
    """
    with transaction.atomic():
        mine = GroupChange.objects.select_for_update().filter(pk__in=taken).order_by("pk").values_list("pk", flat=True)
        if len(mine) != len(taken):
            return False
        GroupCount.objects.bulk_create(
            _rows(answered),
            update_conflicts=True,
            unique_fields=["group"],
            update_fields=COLUMNS,
            batch_size=BATCH,
        )
        GroupCount.objects.bulk_create(_rows(first), ignore_conflicts=True, batch_size=BATCH)
        GroupChange.objects.filter(pk__in=taken).delete()
    return True


def _rows(counted: dict[UUID, Tally]) -> list[GroupCount]:
    # In the order of their keys: so two that write the same rows wait for each other and never in a circle.
    return [GroupCount(group_id=key, **asdict(counted[key])) for key in sorted(counted)]


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
    lock_links(parent)
    _require_present(parent, child)
    if parent.pk == child.pk or Group.objects.under([child.pk]).filter(pk=parent.pk).exists():
        raise RuleBroken(
            _("“%(child)s” stands above “%(parent)s” already: a group cannot be its own sub-group.")
            % {"child": child.name, "parent": parent.name},
            code="cycle",
        )
    _require_few_levels(parent, child)
    made, is_new = GroupLink.objects.get_or_create(parent=parent, child=child)
    if is_new:
        note_change(parent.pk)
        webhooks.publish_group_added(parent=parent, child=child, by=by)
        _record_event(EventType.SUBGROUP_LINKED, parent, child, by)
    return made


@transaction.atomic
def attach(*, parent: Group, children: Iterable[Group], by: Actor) -> list[GroupLink]:
    """Puts all these groups under `parent`, or none: raises as `link`."""
    children = list(children)
    lock_links(parent)
    return [link(parent=parent, child=child, by=by) for child in children]


@transaction.atomic
def unlink(*, parent: Group, child: Group, by: Actor) -> None:
    """Takes `child` from under `parent`; both groups go on. Raises NotFound when it does not stand there."""
    lock_links(parent)
    gone, _rows = GroupLink.objects.filter(parent=parent, child=child).delete()
    if not gone:
        raise NotFound(_("This is not one of the group's sub-groups."))
    note_change(parent.pk)
    webhooks.publish_group_removed(parent=parent, child=child, by=by)
    _record_event(EventType.SUBGROUP_UNLINKED, parent, child, by)


def lock_links(group: Group) -> None:
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


def _require_present(*groups: Group) -> None:
    wanted = {group.pk for group in groups}
    if Group.objects.present().filter(pk__in=wanted).count() != len(wanted):
        raise NotFound(_("One of these groups was removed in the meantime."))


def _record_event(tag: EventType, parent: Group, child: Group, by: Actor) -> None:
    record(
        tag,
        by=by,
        subject=child,
        **parent.audit_scope,
        after={"parent": str(parent.pk), "parent_name": parent.name, "child": str(child.pk), "child_name": child.name},
    )
