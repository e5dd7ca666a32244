"""How many people are in groups, and down their hierarchies: two statements for any number of groups.

Wire protocol §6: `userCount` counts down the hierarchy, `uniqueUserCount` counts each phone once, `currentLevel…` the
group alone. A group that stands under another twice is counted once there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts.models import Person
from groups.models import GroupLink, Membership
from groups.models.tree import compiled


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one group. `unprovisioned` are members whose number was never verified."""

    level: int = 0
    level_unprovisioned: int = 0
    total: int = 0
    total_unprovisioned: int = 0
    unique: int = 0


EMPTY = Tally()


def tallies(roots: QuerySet[Any]) -> dict[UUID, Tally]:
    """The counts of the groups whose ids `roots` selects; a group without any member below may be left out."""
    rows = _counted(roots)
    return {_uuid(root): Tally(*numbers) for root, *numbers in rows}


def _counted(roots: QuerySet[Any]) -> list[tuple[Any, ...]]:
    name = connection.ops.quote_name
    tables = {
        "link": name(GroupLink._meta.db_table),
        "membership": name(Membership._meta.db_table),
        "person": name(Person._meta.db_table),
    }
    sql, params = compiled(roots, connection)
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS.format(roots=sql, **tables), params)
        return cursor.fetchall()


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


_COUNTS = """
WITH RECURSIVE
  roots(id) AS ({roots}),
  down(root, id) AS (
    SELECT id, id FROM roots
    UNION
    SELECT down.root, link.child_id FROM down JOIN {link} link ON link.parent_id = down.id
  )
SELECT down.root,
       COUNT(*) FILTER (WHERE down.id = down.root),
       COUNT(*) FILTER (WHERE down.id = down.root AND person.provisioned_at IS NULL),
       COUNT(*),
       COUNT(*) FILTER (WHERE person.provisioned_at IS NULL),
       COUNT(DISTINCT member.person_id)
  FROM down
  JOIN {membership} member ON member.group_id = down.id
  JOIN {person} person ON person.id = member.person_id
 GROUP BY down.root
"""
