"""The tree of the groups that a person sees: its top, and below each group one level at a time.

Only groups that the person sees are told of, in rows and in counts: one below a group that they do not see stands where
the next group above it stands that they do, or at the top. A level takes the same few statements whatever its size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Case, Exists, Expression, F, OuterRef, Q, QuerySet, When

from accounts.models import Person, User
from groups import access
from groups.models import Group, GroupChange, GroupLink, Membership
from groups.models.group import GroupQuerySet, counted
from groups.models.hierarchy import MOST_LEVELS, reached
from kaizala_console.lib import bounded
from kaizala_console.lib.bounded import Bounded, BoundedCount
from kaizala_console.lib.pagination import Page, paginate


@dataclass(frozen=True, slots=True)
class Level:
    """The first groups directly under one, and how many there are."""

    groups: list[Group]
    count: Bounded

    @property
    def has_more(self) -> bool:
        """Whether there are others than these."""
        return self.count > len(self.groups)


def top_page(user: User, *, cursor: str | None = None, size: int = 50) -> Page[Group]:
    """The groups that stand under none that the person sees, by name. Raises `BadCursor`."""
    seen = access.list_visible_groups(user)
    groups = seen.filter(~Exists(_links(seen, "parent").filter(child_id=OuterRef("pk"))))
    page = paginate(_with_member_count(groups), ("name", "id"), cursor, size)
    _count_below(page.items, user)
    return page


def list_level(group: Group, user: User, *, size: int = 50) -> Level:
    """The first groups directly under one that `access` has given, by name.

    One that stands above this group as well says that nothing is under it: so a circle, which no service makes, ends.
    """
    below = access.list_visible_groups(user).filter(pk__in=GroupLink.objects.filter(parent=group).values("child_id"))
    found = list(_with_member_count(below).order_by("name", "id")[: size + 1])
    count = bounded.count(below.order_by()) if len(found) > size else Bounded(len(found))
    shown = found[:size]
    _count_below(shown, user)
    line = reached(Group.objects.filter(pk=group.pk), "up")
    keys = [one.pk for one in shown if one.sub_group_count]
    circling = set(Group.objects.filter(pk__in=keys).filter(pk__in=line).values_list("pk", flat=True)) if keys else ()
    for one in shown:
        if one.pk in circling:
            one.sub_group_count = Bounded()
    return Level(shown, count)


def list_ancestors(group: Group, user: User) -> list[Group]:
    """The groups above this one, the highest first: of several parents the first by name. One statement."""
    line = reached(Group.objects.filter(pk=group.pk), "up")
    links = _links(access.list_visible_groups(user), "parent").filter(child_id__in=line).select_related("parent")
    parents: dict[object, Group] = {}
    for link in links.order_by("parent__name", "parent_id"):
        parents.setdefault(link.child_id, link.parent)
    way: list[Group] = []
    met, at = {group.pk}, parents.get(group.pk)
    while at is not None and at.pk not in met:
        way.insert(0, at)
        met.add(at.pk)
        at = parents.get(at.pk)
    return way


def _links(seen: GroupQuerySet, end: str) -> QuerySet[GroupLink]:
    """The links that have one of these groups at this end ("parent" or "child")."""
    return GroupLink.objects.filter(Exists(seen.filter(pk=OuterRef(f"{end}_id"))))


def _with_member_count(groups: GroupQuerySet) -> GroupQuerySet:
    return groups.carrying(member_count=member_count())


def _count_below(groups: list[Group], user: User) -> None:
    """With how many groups stand directly below each that the person sees: for these few, and in one statement."""
    keys = [group.pk for group in groups]
    if not keys:
        return
    below = BoundedCount(
        _links(access.list_visible_groups(user), "child").filter(parent_id=OuterRef("pk")).order_by("child_id")
    )
    counts = dict(Group.objects.filter(pk__in=keys).order_by().values_list("pk", below))
    for group in groups:
        group.sub_group_count = counts.get(group.pk, Bounded())


_COLUMNS: Final = ("id", "name", "image_url", "group_type", "welcome_message", "organisation_id")
Below = dict[Any, list[tuple[Any, str, str, str, str, Any]]]


@dataclass(slots=True)
class Branch:
    """A group under another one, and what is under it. A group in several places has that in one of them alone."""

    key: UUID
    name: str
    image_url: str
    group_type: str
    welcome_message: str
    organisation_id: UUID | None
    has_more: bool
    is_repeated: bool = False
    under: list[Branch] = field(default_factory=list)

    @property
    def is_of_tenant(self) -> bool:
        """Whether it belongs to an organisation."""
        return self.organisation_id is not None


def list_children(group: Group) -> list[Branch]:
    """The present groups directly under this one, by name. One statement."""
    more = GroupLink.objects.filter(parent_id=OuterRef("child_id"), child__removed_at__isnull=True)
    links = GroupLink.objects.filter(parent=group, child__removed_at__isnull=True)
    rows = links.order_by("child__name", "child_id").values_list(*_of_child(), Exists(more))
    return [Branch(*row) for row in rows]


def list_descendants(group: Group, open_to: GroupQuerySet) -> list[Branch]:
    """The present groups under this one, at any level, by name.

    What stands under a group is told where that group is among those that are `open_to` the asker: as in the console,
    where somebody sees the sub-groups of a group when they see the group.
    """
    line = reached(Group.objects.filter(pk=group.pk), "down")
    links = GroupLink.objects.filter(parent_id__in=line, child__removed_at__isnull=True)
    below: Below = {}
    rows = links.order_by("child__name", "child_id")
    row: Any
    for row in rows.values_list("parent_id", *_of_child()):
        below.setdefault(row[0], []).append(row[1:])
    is_open = set(open_to.filter(pk__in=line).order_by().values_list("pk", flat=True))
    return _grow(group.pk, below, is_open)


def _of_child() -> list[str]:
    return [f"child__{column}" for column in _COLUMNS]


def _grow(root: UUID, below: Below, is_open: Collection[UUID]) -> list[Branch]:
    """Level by level: so that a group in several places stands in the highest one, and nothing grows without end."""
    top: list[Branch] = []
    placed = {root}
    waiting = deque([(root, top, 1)])
    while waiting:
        key, branches, level = waiting.popleft()
        for columns in below.get(key, ()):
            child = columns[0]
            branch = Branch(*columns, child in below, child in placed)
            branches.append(branch)
            if not branch.is_repeated:
                placed.add(child)
                if child in is_open and level + 1 < MOST_LEVELS:
                    waiting.append((child, branch.under, level + 1))
    return top


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


def tally_groups(roots: QuerySet[Any]) -> dict[UUID, Tally]:
    """The counts of the groups whose ids `roots` selects."""
    tables = _tables()
    try:
        sql, params = roots.order_by().query.get_compiler(connection=connection).as_sql()
    except EmptyResultSet:  # nothing to ask about, as Django saw without the database
        return {}
    walk = _WALK.format(roots=sql, **tables)
    pairs = _fetch(walk + _PAIRS, params)
    if not pairs:
        return {}
    if len(pairs) <= FEW:
        walk = _VALUES.format(rows=", ".join(["(%s, %s)"] * len(pairs)))
        params = tuple(key for pair in pairs for key in pair)
    counted = _fetch(walk + _LEVEL.format(**tables), params)
    level = {group: (members, unprovisioned) for group, members, unprovisioned in counted}
    unique = dict(_fetch(walk + _UNIQUE.format(**tables), params))
    return _sum(pairs, level, unique)


def tally_ids(group_ids: Collection[UUID]) -> dict[UUID, Tally]:
    """The counts of these groups; of one that was removed, nobody."""
    keys, counted = list(group_ids), {}
    for start in range(0, len(keys), AT_ONCE):
        counted.update(tally_groups(Group.objects.filter(pk__in=keys[start : start + AT_ONCE]).values("pk")))
    return {key: counted.get(key, EMPTY) for key in keys}


def get_kept_tallies(roots: QuerySet[Any]) -> tuple[dict[UUID, Tally], list[UUID]]:
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


def _sum(
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


def _fetch(sql: str, params: tuple[Any, ...]) -> list[tuple[Any, ...]]:
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
