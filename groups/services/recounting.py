"""Keeping the counts of groups right: what changed is noted in the act's own transaction, and counted anew afterwards.

At every committed moment a kept count is what `groups.queries.counts` would give, or a GroupChange of the group, or of
a group under it, says that it may not be (ADR 0050). Readers count those afresh for themselves
(`groups.queries.groups`).
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Final
from uuid import UUID

from django.db import transaction

from groups.models import Group, GroupChange, GroupCount, Membership
from groups.queries.counts import Tally, tallies_of

AT_ONCE: Final = 5000
BATCH: Final = 1000
COLUMNS: Final = [field.name for field in fields(Tally)]


def note(*group_ids: UUID) -> None:
    """Says that who is in these groups, or what stands under them, changes in this transaction.

    Whoever writes memberships, links or removals of groups says so by this; one insert, which waits for nobody. Raises
    RuntimeError outside a transaction: the note and the change are one.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("What changes the counts of a group is noted in the transaction of the change.")
    GroupChange.objects.bulk_create([GroupChange(group_id=key) for key in dict.fromkeys(group_ids)], batch_size=BATCH)


def note_person(person_id: UUID) -> None:
    """Says that this person's number is verified for the first time: the groups they are in have one more who came."""
    note(*Membership.objects.filter(person_id=person_id).values_list("group_id", flat=True))


def recount() -> int:
    """Counts anew what was noted, and the groups that were never counted; returns how many groups.

    It holds no lock while it counts. Of several that do so at the same moment, one keeps its counts: the others find
    that what they took was taken, and leave it (all of them together have then looked at everything).
    """
    done = 0
    while True:
        taken = list(GroupChange.objects.order_by("pk").values_list("pk", "group_id")[:AT_ONCE])
        never = list(Group.objects.filter(kept_count__isnull=True).values_list("pk", flat=True)[:AT_ONCE])
        above = _with_all_above({group_id for _pk, group_id in taken})
        answered, first = tallies_of(above), tallies_of(set(never) - above)
        if not _keep([pk for pk, _group_id in taken], answered, first):
            return done
        done += len(answered) + len(first)
        if len(taken) < AT_ONCE and len(never) < AT_ONCE:
            return done


def repair() -> int:
    """Counts all groups anew, whatever was kept and noted; returns how many were wrong."""
    with transaction.atomic():
        note(*Group.objects.values_list("pk", flat=True))
        before = _kept()
    recount()
    after = _kept()
    return sum(before.get(key) != row for key, row in after.items())


def _kept() -> dict[UUID, tuple[int, ...]]:
    return {row[0]: row[1:] for row in GroupCount.objects.values_list("group_id", *COLUMNS)}


def _with_all_above(group_ids: set[UUID]) -> set[UUID]:
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
