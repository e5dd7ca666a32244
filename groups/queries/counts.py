"""How many people are in groups, and down their hierarchies, counted afresh: three statements for any number of groups.

Wire protocol §6: `userCount` counts down the hierarchy, `uniqueUserCount` counts each phone once, `currentLevel…` the
group alone. A group that stands under another twice is counted once there, and a removed one not at all.

What this gives is kept beside each group (`groups.services.recounting`, ADR 0050); `groups.queries.groups` reads that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Case, Exists, Expression, F, OuterRef, Q, QuerySet, When

from accounts.models import Person
from groups.models import Group, GroupChange, GroupLink, Membership
from groups.models.group import counted
from groups.models.hierarchy import MOST_LEVELS, reached

# So many lines of descent are handed back to the database as values: it then knows how few there are, and goes by the
# index. Of a walk inside the statement it expects thousands, and reads the whole table.
FEW: Final = 1000
AT_ONCE: Final = 5000  # SQLite takes some thousands of values in a statement


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one group. `unprovisioned` are members whose number was never verified."""

    level: int = 0
    level_unprovisioned: int = 0
    total: int = 0
    total_unprovisioned: int = 0
    unique: int = 0


EMPTY: Final = Tally()
_KEPT: Final = [f"kept_count__{field.name}" for field in fields(Tally)]


def tallies(roots: QuerySet[Any]) -> dict[UUID, Tally]:
    """The counts of the groups whose ids `roots` selects."""
    tables = _tables()
    try:
        sql, params = roots.order_by().query.get_compiler(connection=connection).as_sql()
    except EmptyResultSet:  # nothing to ask about, as Django saw without the database
        return {}
    walk = _WALK.format(roots=sql, **tables)
    pairs = _fetched(walk + _PAIRS, params)
    if not pairs:
        return {}
    if len(pairs) <= FEW:
        walk = _VALUES.format(rows=", ".join(["(%s, %s)"] * len(pairs)))
        params = tuple(key for pair in pairs for key in pair)
    counted = _fetched(walk + _LEVEL.format(**tables), params)
    level = {group: (members, unprovisioned) for group, members, unprovisioned in counted}
    unique = dict(_fetched(walk + _UNIQUE.format(**tables), params))
    return _summed(pairs, level, unique)


def tallies_of(group_ids: Collection[UUID]) -> dict[UUID, Tally]:
    """The counts of these groups; of one that was removed, nobody."""
    keys, counted = list(group_ids), {}
    for start in range(0, len(keys), AT_ONCE):
        counted.update(tallies(Group.objects.filter(pk__in=keys[start : start + AT_ONCE]).values("pk")))
    return {key: counted.get(key, EMPTY) for key in keys}


def kept(roots: QuerySet[Any]) -> tuple[dict[UUID, Tally], list[UUID]]:
    """What is kept of the groups whose ids `roots` selects; and the groups of which it may be out of date, or nothing.

    One statement, and so one moment: between two, a change could be counted and taken off the list.
    """
    out_of_date = reached(Group.objects.filter(pk__in=GroupChange.objects.values("group_id")), "up")
    rows = (
        Group.objects.filter(pk__in=roots)
        .order_by()
        .values_list("pk", Case(When(pk__in=out_of_date, then=True), default=False), *_KEPT)
    )
    right, wrong = {}, []
    for key, is_out_of_date, *numbers in rows:
        if is_out_of_date or numbers[0] is None:
            wrong.append(key)
        else:
            right[key] = Tally(*numbers)
    return right, wrong


def member_count() -> Expression:
    """How many are in a group itself, for a query of groups: what is kept if nothing has changed since, else counted.

    What stands under a group does not matter here, so neither do changes there.
    """
    changed = GroupChange.objects.filter(group_id=OuterRef("pk"))
    is_right = Q(kept_count__isnull=False) & ~Exists(changed)
    members = counted(Membership.objects.filter(group_id=OuterRef("pk")), "group_id")
    return Case(When(is_right, then=F("kept_count__level")), default=members)


def _summed(
    pairs: Iterable[tuple[Any, Any]], level: dict[Any, tuple[int, int]], unique: dict[Any, int]
) -> dict[UUID, Tally]:
    nobody = (0, 0)
    totals: dict[Any, tuple[int, int]] = {}
    for root, group in pairs:
        members, unprovisioned = level.get(group, nobody)
        so_far = totals.get(root, nobody)
        totals[root] = (so_far[0] + members, so_far[1] + unprovisioned)
    # Without sub-groups everybody is there once.
    return {
        _uuid(root): Tally(*level.get(root, nobody), *total, unique.get(root, total[0]))
        for root, total in totals.items()
    }


def _fetched(sql: str, params: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _tables() -> dict[str, str]:
    name = connection.ops.quote_name
    return {
        "group": name(Group._meta.db_table),
        "link": name(GroupLink._meta.db_table),
        "member": name(Membership._meta.db_table),
        "person": name(Person._meta.db_table),
        "levels": str(MOST_LEVELS),
    }


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


# Every group with itself and with all groups under it, each once. It does not look deeper than MOST_LEVELS, which no
# service makes: so neither a circle nor a line of ten thousand groups does any harm.
_WALK: Final = """
WITH RECURSIVE roots(id) AS ({roots}), walk(root, id, level) AS (
  SELECT id, id, 1 FROM roots
  UNION
  SELECT walk.root, link.child_id, walk.level + 1 FROM walk JOIN {link} link ON link.parent_id = walk.id
   WHERE walk.level < {levels}
), pair(root, id) AS (
  SELECT DISTINCT walk.root, walk.id FROM walk JOIN {group} one ON one.id = walk.id AND one.removed_at IS NULL
)"""

_PAIRS: Final = " SELECT root, id FROM pair"

_VALUES: Final = "WITH pair(root, id) AS (VALUES {rows})"

_LEVEL: Final = """
SELECT member.group_id, COUNT(*), COUNT(*) FILTER (WHERE person.provisioned_at IS NULL)
  FROM {member} member JOIN {person} person ON person.id = member.person_id
 WHERE member.group_id IN (SELECT id FROM pair)
 GROUP BY member.group_id"""

# CROSS JOIN: SQLite takes it as the order to go in, which here is right; for PostgreSQL it is a join like any other.
_UNIQUE: Final = """
SELECT pair.root, COUNT(DISTINCT member.person_id)
  FROM pair CROSS JOIN {member} member
 WHERE member.group_id = pair.id AND pair.root IN (SELECT parent_id FROM {link})
 GROUP BY pair.root"""
