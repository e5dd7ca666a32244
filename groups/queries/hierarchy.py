"""The tree of the groups that a person sees: its top, and below each group one level at a time.

Only groups that the person sees are told of, in rows and in counts: one below a group that they do not see stands where
the next group above it stands that they do, or at the top. A level takes the same few statements whatever its size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import User
from groups import access
from groups.models import Group, GroupLink, Membership
from groups.models.group import GroupQuerySet
from groups.models.hierarchy import Reached
from groups.queries.counts import member_count
from kaizala_console.lib import bounded, keyset
from kaizala_console.lib.bounded import Bounded, BoundedCount
from kaizala_console.lib.keyset import Page

FEW: Final = 200


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
    """The groups that stand under none that the person sees, by name. Raises `keyset.BadCursor`."""
    above = _links(user, "parent").filter(child_id=OuterRef("pk"))
    groups = _perhaps_at_the_top(user).filter(~Exists(above))
    page = keyset.page(_shown(groups), ("name", "id"), cursor, size)
    _count_below(page.items, user)
    return page


def level(group: Group, user: User, *, size: int = 50) -> Level:
    """The first groups directly under one that `access` has given, by name.

    One that stands above this group as well says that nothing is under it: so a circle, which no service makes, ends.
    """
    below = _below(group, user)
    found = list(_shown(below).order_by("name", "id")[: size + 1])
    count = bounded.count(below.order_by()) if len(found) > size else Bounded(len(found))
    shown = found[:size]
    _count_below(shown, user)
    line = Reached(Group.objects.filter(pk=group.pk).values("pk"), "up")
    keys = [one.pk for one in shown if one.sub_group_count]
    circling = set(Group.objects.filter(pk__in=keys).filter(pk__in=line).values_list("pk", flat=True)) if keys else ()
    for one in shown:
        if one.pk in circling:
            one.sub_group_count = Bounded()
    return Level(shown, count)


def way_up(group: Group, user: User) -> list[Group]:
    """The groups above this one, the highest first: of several parents the first by name. One statement."""
    line = Reached(Group.objects.filter(pk=group.pk).values("pk"), "up")
    links = _links(user, "parent").filter(child_id__in=line).select_related("parent")
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


def _perhaps_at_the_top(user: User) -> GroupQuerySet:
    """Of a hundred thousand groups of an organisation, nearly all stand below another one: its admin sees that one too,
    so these are left out by what is kept of them. Elsewhere the asker may see a group and none above it.
    """
    seen = access.visible_to(user)
    if not user.is_organisation_admin:
        return seen
    theirs = Membership.objects.filter(person_id__in=access.held_by(user)).values("group_id")
    elsewhere = Group.objects.filter(pk__in=theirs, stands_below=True)
    elsewhere = elsewhere.exclude(organisation=user.organisation_id).order_by()
    named = list(elsewhere.values_list("pk", flat=True)[: FEW + 1])
    if len(named) > FEW:
        return seen
    return seen.filter(Q(stands_below=False) | Q(pk__in=named) if named else Q(stands_below=False))


def _below(group: Group, user: User) -> GroupQuerySet:
    """As `queries.sub_group_page`: of few, the database goes by the links; of very many, a page is met soon on a walk
    through all groups by name. Who is in some groups only has the fewest rows where their groups are.
    """
    links, seen = GroupLink.objects.filter(parent=group), access.visible_to(user)
    if user.is_organisation_admin and not bounded.count(links.order_by("child_id")).is_more:
        return seen.filter(pk__in=links.values("child_id"))
    return seen.filter(Exists(links.filter(child_id=OuterRef("pk"))))


def _links(user: User, end: str) -> QuerySet[GroupLink]:
    """The links of which the person sees the group at this end ("parent" or "child").

    Who administers the organisation sees nearly all of them: so it is asked link by link. Of others the few groups that
    they see are looked up first, and with these the index of the links.
    """
    seen = access.visible_to(user)
    if user.is_organisation_admin:
        return GroupLink.objects.filter(Exists(seen.filter(pk=OuterRef(f"{end}_id"))))
    return GroupLink.objects.filter(**{f"{end}_id__in": seen.values("pk")})


def _shown(groups: GroupQuerySet) -> GroupQuerySet:
    return groups.carrying(member_count=member_count())


def _count_below(groups: list[Group], user: User) -> None:
    """With how many groups stand directly below each that the person sees: for these few, and in one statement."""
    keys = [group.pk for group in groups]
    if not keys:
        return
    below = BoundedCount(_links(user, "child").filter(parent_id=OuterRef("pk")).order_by("child_id"))
    counts = dict(Group.objects.filter(pk__in=keys).order_by().values_list("pk", below))
    for group in groups:
        group.sub_group_count = counts.get(group.pk, Bounded())
