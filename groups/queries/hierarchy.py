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

from django.db import connection
from django.db.models import (
    Case,
    Count,
    Exists,
    Expression,
    ExpressionWrapper,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django_cte import CTE, with_cte

from accounts.models import User
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
KEPT: Final = [f"kept_count__{field.name}" for field in fields(Tally)]


def tally_groups(groups: QuerySet[Any]) -> dict[UUID, Tally]:
    """The counts of these groups, in three statements. `groups` is not one that Django knows to be empty beforehand."""
    walk = _walk_down(groups)
    pairs: list[tuple[UUID, UUID]] = list(walk)
    if not pairs:
        return {}
    is_few = len(pairs) <= FEW
    reached_ids: Any = {key for _root, key in pairs} if is_few else walk.values("reached")
    members = Membership.objects.filter(group_id__in=reached_ids).order_by().values_list("group_id")
    counted = members.annotate(
        number=Count("pk"), unprovisioned=Count("pk", filter=Q(person__provisioned_at__isnull=True))
    )
    level = {key: (number, unprovisioned) for key, number, unprovisioned in counted}
    return _sum(pairs, level, _count_unique(walk, pairs if is_few else []))


def tally_ids(group_ids: Collection[UUID]) -> dict[UUID, Tally]:
    """The counts of these groups; of one that was removed, nobody."""
    keys, counted = list(group_ids), {}
    for start in range(0, len(keys), AT_ONCE):
        counted.update(tally_groups(Group.objects.filter(pk__in=keys[start : start + AT_ONCE])))
    return {key: counted.get(key, EMPTY) for key in keys}


def is_out_of_date() -> Expression:
    """Whether something has changed in a group, or under it, since it was counted, for a query of groups."""
    changed = reached(Group.objects.filter(pk__in=GroupChange.objects.values("group_id")), "up")
    return Case(When(pk__in=changed, then=True), default=False)


def member_count() -> Expression:
    """How many are in a group itself, for a query of groups: what is kept if nothing has changed since, else counted.

    What stands under a group does not matter here, so neither do changes there.
    """
    changed = GroupChange.objects.filter(group_id=OuterRef("pk"))
    is_right = Q(kept_count__isnull=False) & ~Exists(changed)
    members = counted(Membership.objects.filter(group_id=OuterRef("pk")), "group_id")
    return Case(When(is_right, then=F("kept_count__level")), default=members)


def _sum(
    pairs: Iterable[tuple[UUID, UUID]], level: dict[UUID, tuple[int, int]], unique: dict[UUID, int]
) -> dict[UUID, Tally]:
    nobody = (0, 0)
    totals: dict[UUID, tuple[int, int]] = {}
    for root, group in pairs:
        members, unprovisioned = level.get(group, nobody)
        so_far = totals.get(root, nobody)
        totals[root] = (so_far[0] + members, so_far[1] + unprovisioned)
    # Without sub-groups everybody is there once.
    return {root: Tally(*level.get(root, nobody), *total, unique.get(root, total[0])) for root, total in totals.items()}


def _walk_down(groups: QuerySet[Any]) -> QuerySet[Any]:
    """Every group as `root` with itself and with all present groups under it as `reached`, each pair once.

    It does not look deeper than MOST_LEVELS, which no service makes: so neither a circle nor a line of ten thousand
    groups does any harm.
    """

    def steps(walk: CTE) -> QuerySet[Any]:
        level = ExpressionWrapper(walk.col.level + 1, output_field=IntegerField())
        links = walk.join(GroupLink, parent_id=walk.col.reached).order_by().alias(next=level)
        further = links.filter(next__lte=MOST_LEVELS).values(root=walk.col.root, reached=F("child_id"), level=level)
        return groups.order_by().values(root=F("pk"), reached=F("pk"), level=Value(1)).union(further)

    walk = CTE.recursive(steps, name="walk")
    present = walk.join(Group.objects.present(), pk=walk.col.reached).order_by()
    pairs = present.annotate(root=walk.col.root, reached=F("pk")).values_list("root", "reached").distinct()
    return with_cte(walk, select=pairs)


def _count_unique(walk: QuerySet[Any], pairs: list[tuple[UUID, UUID]]) -> dict[UUID, int]:
    """How many people are in each root and under it, each once; of roots with sub-groups. `pairs` are few, or none."""
    key = Group._meta.pk
    if pairs:
        sql = "VALUES " + ", ".join(["(%s, %s)"] * len(pairs))
        params = tuple(key.get_db_prep_value(one, connection) for pair in pairs for one in pair)
    else:
        sql, params = walk.query.sql_with_params()
    name = connection.ops.quote_name
    tables = {"member": name(Membership._meta.db_table), "link": name(GroupLink._meta.db_table)}
    with connection.cursor() as cursor:
        cursor.execute(_UNIQUE.format(pairs=sql, **tables), params)
        return {key.to_python(root): count for root, count in cursor.fetchall()}


# CROSS JOIN: SQLite takes it as the order to go in, which here is right; for PostgreSQL it is a join like any other.
_UNIQUE: Final = """
WITH pair(root, id) AS ({pairs})
SELECT pair.root, COUNT(DISTINCT member.person_id)
  FROM pair CROSS JOIN {member} member
 WHERE member.group_id = pair.id AND pair.root IN (SELECT parent_id FROM {link})
 GROUP BY pair.root"""
