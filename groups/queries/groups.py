"""What pages and the Platform Service read. No query here is repeated for each row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, UUIDField
from django.db.models.lookups import IsNull
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.models.person import name_expression
from accounts.queries import name_people
from connectors.authentication import AccessContext
from connectors.models import Connector, Grant, RefreshToken
from connectors.queries.grants import with_line
from groups import access
from groups.models import (
    Group,
    GroupGrant,
    GroupLink,
    Membership,
    Message,
    Subscription,
)
from groups.models.group import GroupQuerySet
from groups.models.hierarchy import reached
from groups.queries import directory
from groups.queries.hierarchy import KEPT, Tally, is_out_of_date, member_count, tally_ids
from kaizala_console.lib import bounded, clock, ids
from kaizala_console.lib.bounded import Bounded, BoundedCount
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.pagination import Page, paginate
from kaizala_console.lib.prepared import Parameter, Prepared
from kaizala_console.lib.text_search import cleaned

MemberRow = tuple[UUID, str, str, str, str, dt.datetime | None]
Audience = Message.Audience
ASKED_ONE_BY_ONE = 8
FIRST_GRANTS = 100
ONLY = {
    "admins": Q(role=Membership.Role.ADMIN),
    "members": Q(role=Membership.Role.MEMBER),
    "not-registered": Q(person__provisioned_at=None),
}

# ---------------------------------------------------------------- The wire


def list_with_tallies(groups: GroupQuerySet) -> list[tuple[Group, Tally]]:
    """The groups by name, each with its counts: one statement, however many there are.

    Three more when some have changed since they were counted last: those are counted afresh.
    """
    return _with_tallies(_select_counted(groups))


def list_named_with_tallies(caller: AccessContext) -> list[tuple[Group, Tally]]:
    """As `list_with_tallies`, of the groups that `access.list_named_groups` gives."""
    reach = access.get_named_reach(caller)
    if reach is None:
        return []
    if caller.bot is not None:
        return list_with_tallies(access.list_named_groups(caller))
    return _with_tallies(_prepare_counted(reach.select, tuple(reach.values)).all(**reach.values))


def _select_counted(groups: GroupQuerySet) -> GroupQuerySet:
    """With what is kept of each, and whether that is out of date: one statement, and so one moment."""
    kept: dict[str, Any] = {f"kept_{field.name}": F(f"kept_count__{field.name}") for field in fields(Tally)}
    return groups.with_link_counts().carrying(is_out_of_date=is_out_of_date(), **kept)


@cache
def _prepare_counted(select: Callable[..., GroupQuerySet], names: tuple[str, ...]) -> Prepared[Group]:
    parameters = {name: UUIDField() for name in names}
    return Prepared(lambda **values: _select_counted(select(**values)), **parameters)


def _with_tallies(groups: Iterable[Any]) -> list[tuple[Group, Tally]]:
    found = list(groups)
    changed = [group.pk for group in found if group.is_out_of_date or group.kept_level is None]
    counts = tally_ids(changed)
    names = [f"kept_{field.name}" for field in fields(Tally)]
    return [
        (group, counts[group.pk] if group.pk in counts else Tally(*(getattr(group, name) for name in names)))
        for group in found
    ]


def list_named(groups: GroupQuerySet, search: str, *, offset: int, size: int) -> GroupQuerySet:
    """`size` of these groups by name, after the first `offset`: those with this in their name, or with this ID."""
    keys = _named(groups, search).order_by("name", "id").values_list("pk", flat=True)[offset : offset + size]
    return groups.filter(pk__in=list(keys))


def list_one_with_tally(group: Group) -> list[tuple[Group, Tally]]:
    """As `list_with_tallies`, for a group that `access` has given: one statement."""
    found = _COUNTS.first(pk=group.pk)
    if found is None:
        return []
    group.sub_group_count, group.parent_group_count, is_wrong, *numbers = found
    is_right = not is_wrong and numbers[0] is not None
    return [(group, Tally(*numbers) if is_right else tally_ids([group.pk])[group.pk])]


def _select_counts(pk: Parameter) -> QuerySet[Group, tuple[Any, ...]]:
    counts = Group.objects.filter(pk=pk).with_link_counts().order_by()
    return counts.values_list("sub_group_count", "parent_group_count", is_out_of_date(), *KEPT)


_COUNTS: Final = Prepared(_select_counts, pk=UUIDField())


def member_rows(group: Group) -> Iterable[MemberRow]:
    """All members of the group itself, in the order in which they joined: id, role, number, name, picture, since when
    their number has been verified.
    """
    return _MEMBERS.all(group_id=group.pk, organisation_id=group.naming_organisation_id)


def _select_members(group_id: Parameter, organisation_id: Parameter) -> QuerySet[Membership, MemberRow]:
    return (
        Membership.objects.filter(group_id=group_id)
        .order_by("joined_at", "id")
        .values_list(
            "person_id",
            "role",
            "person__number",
            name_expression(organisation_id),
            "person__picture_url",
            "person__provisioned_at",
        )
    )


_MEMBERS: Final = Prepared(_select_members, group_id=UUIDField(), organisation_id=UUIDField())


def subscriber_page(group: Group, *, search: str = "", cursor: str | None = None, size: int = 50) -> Page[Subscription]:
    """Subscribers with their person, in the order in which they subscribed. `search` is as in `member_page`.

    Raises `BadCursor`.
    """
    subscribers = Subscription.objects.filter(group=group).select_related("person")
    if words := cleaned(search):
        subscribers = subscribers.filter(directory.match_person(words, group.naming_organisation_id, person="person"))
    page = paginate(subscribers, ("id",), cursor, size)
    name_people(group.naming_organisation_id, [row.person for row in page.items])
    return page


# ---------------------------------------------------------------- Pages


def group_page(
    user: User, *, search: str = "", is_run: bool = False, cursor: str | None = None, size: int = 50
) -> Page[Group]:
    """The groups that a person sees, by name, each with `role`, and counts of members, connectors and linked groups.

    `search`: a part of the name, or a whole id; `is_run`: those that a number of theirs runs. Raises `BadCursor`.
    """
    groups = _named(access.list_visible_groups(user), search)
    if is_run:
        groups = groups.filter(pk__in=list_run_group_ids(user))
    groups = groups.carrying(member_count=member_count(), connector_count=_connector_count())
    return _linked(paginate(groups.select_related("organisation"), ("name", "id"), cursor, size))


def list_run_group_ids(user: User) -> QuerySet[Membership, UUID]:
    """The keys of the groups that somebody is an admin of by a number of theirs."""
    own = Membership.objects.admins().filter(person_id__in=access.list_held_people(user))
    return own.order_by().values_list("group_id", flat=True)


def list_run_groups(user: User, *, most: int) -> list[Group]:
    """Return the first of these groups by name."""
    return list(Group.objects.present().filter(pk__in=list_run_group_ids(user)).order_by("name", "id")[:most])


def audit_scope(user: User) -> list[Q]:
    """The events of the groups that somebody runs, also of what others did there (`accounts.audit.queries`).

    A question for each group while these are few: of several together PostgreSQL guesses how many events it will find,
    and walks the whole trail when there are fewer (173 ms for eight events among 1.5 million).
    """
    groups = list(list_run_group_ids(user))
    if len(groups) > ASKED_ONE_BY_ONE:
        return [Q(group_id__in=groups)]
    return [Q(group_id=group) for group in groups]


def get_farthest_grant(user: User) -> Grant | None:
    """Return the grant of this person that has come farthest, with `works_since`; None when they have made none.

    Among the first that were made: who has let in a hundred programs is at no first step.
    """
    first = Grant.objects.filter(granted_by=user, kind=Grant.Kind.GROUP, revoked_at__isnull=True)
    used = RefreshToken.objects.filter(grant=OuterRef("pk"), first_used_at__isnull=False).order_by("first_used_at")
    return (
        Grant.objects.filter(pk__in=first.order_by("granted_at").values("pk")[:FIRST_GRANTS])
        .select_related("connector", "group_grant")
        .annotate(works_since=Subquery(used.values("first_used_at")[:1]))
        .order_by(F("works_since").asc(nulls_last=True), "-granted_at", "-id")
        .first()
    )


def member_page(
    group: Group, *, search: str = "", only: str = "", by_name: bool = False, cursor: str | None = None, size: int = 50
) -> Page[Membership]:
    """Members with their person, in the order in which they joined, or by name.

    `search` is words of the name or a part of the number; `only` is one of `ONLY`. Raises `BadCursor`.
    """
    members = Membership.objects.filter(ONLY.get(only, Q()), group=group).select_related("person")
    if words := cleaned(search):
        members = members.filter(directory.match_person(words, group.naming_organisation_id, person="person"))
    if by_name:
        members = members.annotate(called=name_expression(group.naming_organisation_id))
    page = paginate(members, ("called" if by_name else "joined_at", "id"), cursor, size)
    name_people(group.naming_organisation_id, [row.person for row in page.items])
    return page


def list_sub_groups(group: Group) -> GroupQuerySet:
    """The groups directly under this one, by name."""
    return Group.objects.present().filter(pk__in=GroupLink.objects.filter(parent=group).values("child_id"))


def attachable_page(
    group: Group, user: User, *, search: str = "", cursor: str | None = None, size: int = 50
) -> Page[Group]:
    """The groups that a person administers and that may come to stand under this one, by name, with counts.

    `search` is as in `group_page`. Raises `BadCursor`.
    """
    groups = (
        _named(access.list_administered_groups(user), search)
        .filter(organisation=group.organisation_id)
        .exclude(pk__in=reached(Group.objects.filter(pk=group.pk), "up"))
        .filter(~Exists(GroupLink.objects.filter(parent=group, child=OuterRef("pk"))))
        .carrying(member_count=member_count())
    )
    return _linked(paginate(groups, ("name", "id"), cursor, size))


def get_sub_group(group: Group, group_id: str | UUID) -> Group:
    """One of the groups directly under this one. Raises NotFound, the same for a group elsewhere and for none."""
    key = ids.parse_guid(group_id)
    found = None if key is None else list_sub_groups(group).filter(pk=key).first()
    if found is None:
        raise NotFound(_("This is not one of the group's sub-groups."))
    return found


def list_parent_groups(group: Group) -> GroupQuerySet:
    """The groups directly above this one, by name."""
    return Group.objects.present().filter(pk__in=GroupLink.objects.filter(child=group).values("parent_id"))


def sub_group_page(group: Group, user: User, *, cursor: str | None = None, size: int = 50) -> Page[Group]:
    """The groups directly under this one, by name, with counts and `is_visible`: whether the person may open it."""
    return _linked(paginate(_openable(list_sub_groups(group), user), ("name", "id"), cursor, size))


def list_viewed_parent_groups(group: Group, user: User) -> QuerySet[Group]:
    """The groups directly above this one, by name, with `is_visible`."""
    return _openable(list_parent_groups(group), user).order_by("name", "id")


def _openable(groups: GroupQuerySet, user: User) -> GroupQuerySet:
    return groups.carrying(
        member_count=member_count(),
        is_visible=Exists(access.list_visible_groups(user).filter(pk=OuterRef("pk"))),
    )


def _linked(page: Page[Group]) -> Page[Group]:
    """With how many present groups stand directly below and above: for these few alone, and in one statement."""
    keys = [group.pk for group in page.items]
    if not keys:
        return page
    counted = Group.objects.filter(pk__in=keys).order_by()
    rows = counted.values_list("pk", _sub_group_count(), _parent_group_count())
    counts = {key: (below, above) for key, below, above in rows}
    for group in page.items:
        group.sub_group_count, group.parent_group_count = counts.get(group.pk, (Bounded(), Bounded()))
    return page


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """What the tabs of a group's page say."""

    members: int
    sub_groups: Bounded
    connectors: Bounded


def get_counts(group: Group) -> GroupCounts:
    """One statement, of one moment."""
    return GroupCounts(*(_TAB_COUNTS.first(pk=group.pk) or (0, Bounded(), Bounded())))


def _select_tab_counts(pk: Parameter) -> QuerySet[Group, tuple[Any, ...]]:
    found = Group.objects.filter(pk=pk).order_by()
    return found.values_list(member_count(), _sub_group_count(), _connector_count())


def _sub_group_count() -> BoundedCount:
    below = GroupLink.objects.filter(parent_id=OuterRef("pk"), child__removed_at__isnull=True)
    return BoundedCount(below.order_by("child_id"))


def _parent_group_count() -> BoundedCount:
    return BoundedCount(GroupLink.objects.filter(child_id=OuterRef("pk"), parent__removed_at__isnull=True).order_by())


def _connector_count() -> BoundedCount:
    rows = GroupGrant.objects.filter(group_id=OuterRef("pk"), grant__revoked_at__isnull=True)
    return BoundedCount(rows.order_by())


_TAB_COUNTS: Final = Prepared(_select_tab_counts, pk=UUIDField())


def list_addable_connectors(group: Group, user: User) -> QuerySet[Connector]:
    """The connectors of this person's organisation that may be added to the group now, by name."""
    there = Grant.objects.present().filter(connector_id=OuterRef("pk"), group_grant__group=group)
    return (
        Connector.objects.grantable()
        .filter(~Exists(there), organisation_id=user.organisation_id)
        .select_related("owner")
        .order_by("name", "id")
    )


def search_connectors(connectors: QuerySet[Connector], search: str) -> QuerySet[Connector]:
    """Those whose name or owner's name contains the words, or the one with this ID."""
    if key := ids.parse_guid(search):
        return connectors.filter(pk=key)
    words = cleaned(search)
    return connectors.filter(Q(name__icontains=words) | Q(owner__name__icontains=words))


def list_grants(group: Group) -> QuerySet[Grant]:
    """The grants that reach this group directly and were not revoked, the newest first; each `with_line`."""
    grants = Grant.objects.present().filter(group_grant__group=group).order_by("-granted_at", "-id")
    return with_line(grants).select_related("connector__owner")


def list_reaching_connectors(group: Group) -> tuple[list[str], int]:
    """Names of the connectors that the group itself let in, and how many more reach it through the groups above it."""
    own = Grant.objects.present().filter(group_grant__group=group)
    higher = Group.objects.present().above([group.pk])
    more = Grant.objects.present().filter(group_grant__group__in=higher.values("pk"))
    more = more.exclude(connector_id__in=own.values("connector_id"))
    names = own.order_by("connector__name", "pk").values_list("connector__name", flat=True)
    return list(names), more.values("connector_id").order_by().distinct().count()


def count_reached_groups(grant: Grant) -> Bounded:
    """How many groups the tokens of a group's grant reach: it, and those under it."""
    own = GroupGrant.objects.filter(grant=grant).values("group_id")
    return bounded.count(Group.objects.present().within(own))


def grant_page(group: Group, *, cursor: str | None = None, size: int = 50) -> Page[Grant]:
    """The same, so many at a time."""
    return paginate(list_grants(group), ("-granted_at", "-id"), cursor, size)


def get_grant(group: Group, grant_id: UUID, *, also_removed: bool = False) -> Grant:
    """One of the group's grants, `with_line`. Raises NotFound, the same for another group's and for none."""
    grants = Grant.objects.filter(pk=grant_id, group_grant__group=group)
    if not also_removed:
        grants = grants.present()
    found = with_line(grants).select_related("connector__owner", "connector__organisation").first()
    if found is None:
        raise NotFound(_("There is no such connector in this group."))
    return found


def is_last_admin(membership: Membership) -> bool:
    """Whether nobody would be left to run the group without this one."""
    others = Membership.objects.admins().filter(group_id=membership.group_id).exclude(pk=membership.pk)
    return membership.role == Membership.Role.ADMIN and not others.exists()


def _named(groups: GroupQuerySet, search: str) -> GroupQuerySet:
    """Those with this in their name, or with this id."""
    if not search.strip():
        return groups
    key = ids.parse_guid(search)
    return groups.filter(pk=key) if key else groups.filter(name__icontains=cleaned(search))


# The first notices are sent so long before.
SOON: Final = dt.timedelta(days=90)


def list_ending_tokens(user: User) -> QuerySet[RefreshToken]:
    """The refresh tokens of the organisation's groups that this person administers, with nothing in use that follows
    them. A token never outlives its grant, so its end is that of the access.

    Those of a few groups, which are named, are sorted; of very many, a page is met soon on a walk through all tokens
    by their end. One statement more.
    """
    now = clock.now()
    groups = access.list_administered_groups(user).filter(organisation_id=user.organisation_id)
    few = list(groups.order_by().values_list("pk", flat=True)[: bounded.MOST + 1])
    if len(few) > bounded.MOST:
        # Asked for each token by itself: of an EXISTS, PostgreSQL reads all groups first and sorts all of their tokens;
        # and of a comparison it expects that hardly any match.
        its_own = groups.filter(pk=OuterRef("grant__group_grant__group_id")).order_by().values("pk")
        within = Q(IsNull(Subquery(its_own[:1]), False))
    else:
        within = Q(grant__group_grant__group__in=few)
    # An end date cuts a token and its successor, and that is one access: the one that works now stands for it.
    stands_for_itself = (
        Q(predecessor__isnull=True)
        | Q(first_used_at__isnull=False)
        | Q(predecessor__revoked_at__isnull=False)
        | Q(predecessor__reported_at__isnull=False)
        | Q(predecessor__expires_at__lte=now)
    )
    return (
        RefreshToken.objects.live(now)
        .unfollowed()
        .filter(
            stands_for_itself,
            Q(grant__ends_at__isnull=True) | Q(grant__ends_at__gt=now),
            within,
            expires_at__lte=now + SOON,
            grant__revoked_at__isnull=True,
            grant__suspended_at__isnull=True,
        )
        .select_related("connector", "grant__group_grant__group")
    )


def ending_page(user: User, *, cursor: str | None = None, size: int = 50) -> Page[RefreshToken]:
    """So many of `list_ending_tokens`, the next in front. Raises `BadCursor`."""
    return paginate(list_ending_tokens(user), ("expires_at", "id"), cursor, size)


def find_ending_token(live_tokens: Sequence[RefreshToken]) -> RefreshToken | None:
    """Of the live tokens of one grant, the newest first: the one in use, when it ends soon (`list_ending_tokens`)."""
    in_use = next((token for token in live_tokens if token.first_used_at), None) or next(reversed(live_tokens), None)
    return in_use if in_use is not None and in_use.expires_at <= clock.now() + SOON else None
