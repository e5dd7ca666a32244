"""How many people are in groups, and down their hierarchies: three statements for any number of groups.

Wire protocol §6: `userCount` counts down the hierarchy, `uniqueUserCount` counts each phone once, `currentLevel…` the
group alone. A group that stands under another twice is counted once there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from accounts.models import Person
from groups.models import GroupLink, Membership
from groups.models.tree import compiled

# So many lines of descent are handed back to the database as values: it then knows how few there are, and goes by the
# index. Of a walk inside the statement it expects thousands, and reads the whole table.
FEW: Final = 1000


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one group. `unprovisioned` are members whose number was never verified."""

    level: int = 0
    level_unprovisioned: int = 0
    total: int = 0
    total_unprovisioned: int = 0
    unique: int = 0


EMPTY: Final = Tally()


def tallies(roots: QuerySet[Any]) -> dict[UUID, Tally]:
    """The counts of the groups whose ids `roots` selects."""
    tables = _tables()
    try:
        sql, params = compiled(roots, connection)
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
        "link": name(GroupLink._meta.db_table),
        "member": name(Membership._meta.db_table),
        "person": name(Person._meta.db_table),
    }


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


# Every group with itself and with all groups under it. UNION drops a second way to the same group, and ends any circle.
_WALK: Final = """
WITH RECURSIVE roots(id) AS ({roots}), pair(root, id) AS (
  SELECT id, id FROM roots
  UNION
  SELECT pair.root, link.child_id FROM pair JOIN {link} link ON link.parent_id = pair.id
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
