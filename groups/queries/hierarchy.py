"""The tree of the groups that a person sees: its top, and below each group one level at a time.

Only groups that the person sees are told of, in rows and in counts: one below a group that they do not see stands where
the next group above it stands that they do, or at the top. A level takes the same few statements whatever its size.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import User
from groups import access
from groups.models import Group, GroupLink
from groups.models.group import GroupQuerySet
from groups.models.hierarchy import reached
from groups.queries.counts import member_count
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
    seen = access.visible_to(user)
    groups = seen.filter(~Exists(_links(seen, "parent").filter(child_id=OuterRef("pk"))))
    page = paginate(_shown(groups), ("name", "id"), cursor, size)
    _count_below(page.items, user)
    return page


def level(group: Group, user: User, *, size: int = 50) -> Level:
    """The first groups directly under one that `access` has given, by name.

    One that stands above this group as well says that nothing is under it: so a circle, which no service makes, ends.
    """
    below = access.visible_to(user).filter(pk__in=GroupLink.objects.filter(parent=group).values("child_id"))
    found = list(_shown(below).order_by("name", "id")[: size + 1])
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


def way_up(group: Group, user: User) -> list[Group]:
    """The groups above this one, the highest first: of several parents the first by name. One statement."""
    line = reached(Group.objects.filter(pk=group.pk), "up")
    links = _links(access.visible_to(user), "parent").filter(child_id__in=line).select_related("parent")
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


def _shown(groups: GroupQuerySet) -> GroupQuerySet:
    return groups.carrying(member_count=member_count())


def _count_below(groups: list[Group], user: User) -> None:
    """With how many groups stand directly below each that the person sees: for these few, and in one statement."""
    keys = [group.pk for group in groups]
    if not keys:
        return
    below = BoundedCount(_links(access.visible_to(user), "child").filter(parent_id=OuterRef("pk")).order_by("child_id"))
    counts = dict(Group.objects.filter(pk__in=keys).order_by().values_list("pk", below))
    for group in groups:
        group.sub_group_count = counts.get(group.pk, Bounded())
