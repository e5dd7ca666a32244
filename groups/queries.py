"""What pages and the Platform Service read. No query here is repeated for each row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.utils.translation import gettext_lazy as _

from accounts.models import Person, User
from connectors.models import Connector, Grant
from connectors.queries import with_line
from groups import access
from groups.counts import EMPTY, Tally, tallies
from groups.models import Group, GroupGrant, GroupLink, Membership, Message
from groups.models.group import GroupQuerySet, counted
from kaizala_console.lib import ids, keyset
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.keyset import Page

MemberRow = tuple[UUID, str, str, str, str, dt.datetime | None]
Audience = Message.Audience

# ---------------------------------------------------------------- The wire


def tallied(groups: GroupQuerySet) -> list[tuple[Group, Tally]]:
    """The groups by name, each with its counts: four statements, however many there are."""
    counts = tallies(groups.values("pk"))
    return [(group, counts.get(group.pk, EMPTY)) for group in groups.with_link_counts()]


def tallied_one(group: Group) -> list[tuple[Group, Tally]]:
    """As `tallied`, for a group that `access` has given."""
    return tallied(Group.objects.filter(pk=group.pk).carrying(role=Value(group.role)))


def member_rows(group: Group) -> Iterable[MemberRow]:
    """All members of the group itself, in the order in which they joined: id, role, number, name, picture, since when
    their number has been verified.
    """
    return (
        Membership.objects.filter(group=group)
        .order_by("joined_at", "id")
        .values_list(
            "person_id", "role", "person__number", "person__name", "person__picture_url", "person__provisioned_at"
        )
    )


# ---------------------------------------------------------------- Pages


def group_page(user: User, *, search: str = "", cursor: str | None = None, size: int = 50) -> Page[Group]:
    """The groups that a person sees, by name, each with `role`, and counts of members, connectors and linked groups.

    `search` is a part of the name, or a whole group id. Raises `keyset.BadCursor`.
    """
    groups = access.visible_to(user)
    if search.strip():
        key = ids.parse_guid(search)
        groups = groups.filter(Q(pk=key) if key else Q(name__icontains=_searchable(search)))
    groups = groups.with_link_counts().carrying(
        member_count=counted(Membership.objects.filter(group_id=OuterRef("pk")), "group_id"),
        connector_count=counted(
            GroupGrant.objects.filter(group_id=OuterRef("pk"), grant__revoked_at__isnull=True), "group_id"
        ),
    )
    return keyset.page(groups.select_related("organisation"), ("name", "id"), cursor, size)


def member_page(group: Group, *, search: str = "", cursor: str | None = None, size: int = 50) -> Page[Membership]:
    """Members with their person, in the order in which they joined. `search` is a part of the name or the number."""
    members = Membership.objects.filter(group=group).select_related("person")
    words = _searchable(search)
    if words:
        members = members.filter(Q(person__name__icontains=words) | Q(person__number__contains=words.replace(" ", "")))
    return keyset.page(members, ("joined_at", "id"), cursor, size)


def message_page(group: Group, user: User, *, cursor: str | None = None, size: int = 50) -> Page[Message]:
    """The group's messages, newest first, as far as this person may see them.

    Admins see all; others see what went to the members, and what was sent to themselves.
    """
    messages = Message.objects.filter(group=group)
    if access.role_of(user, group) != access.Role.ADMIN:
        sent_to_me = Message.recipients.through.objects.filter(
            message_id=OuterRef("pk"), person_id__in=access.held_by(user)
        )
        messages = messages.filter(Q(audience=Audience.MEMBERS) | Exists(sent_to_me))
    return keyset.page(messages.select_related("person", "connector"), ("-sent_at", "-id"), cursor, size)


def sub_groups(group: Group) -> GroupQuerySet:
    """The groups directly under this one, by name."""
    return Group.objects.present().filter(pk__in=GroupLink.objects.filter(parent=group).values("child_id"))


def parent_groups(group: Group) -> GroupQuerySet:
    """The groups directly above this one, by name."""
    return Group.objects.present().filter(pk__in=GroupLink.objects.filter(child=group).values("parent_id"))


def sub_group_page(group: Group, user: User, *, cursor: str | None = None, size: int = 50) -> Page[Group]:
    """The groups directly under this one, by name, with counts and `is_visible`: whether the person may open it."""
    return keyset.page(_openable(sub_groups(group), user).with_link_counts(), ("name", "id"), cursor, size)


def parent_groups_for(group: Group, user: User) -> QuerySet[Group]:
    """The groups directly above this one, by name, with `is_visible`."""
    return _openable(parent_groups(group), user).order_by("name", "id")


def _openable(groups: GroupQuerySet, user: User) -> GroupQuerySet:
    return groups.carrying(
        member_count=counted(Membership.objects.filter(group_id=OuterRef("pk")), "group_id"),
        is_visible=Exists(access.visible_to(user).filter(pk=OuterRef("pk"))),
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """What the tabs of a group's page say."""

    members: int
    sub_groups: int
    connectors: int


def counts_of(group: Group) -> Counts:
    """One statement each."""
    return Counts(
        members=Membership.objects.filter(group=group).count(),
        sub_groups=sub_groups(group).count(),
        connectors=Grant.objects.present().filter(group_grant__group=group).count(),
    )


def addable_connectors(group: Group, user: User) -> QuerySet[Connector]:
    """The connectors of this person's organisation that may be added to the group now, by name."""
    there = Grant.objects.present().filter(connector_id=OuterRef("pk"), group_grant__group=group)
    return (
        Connector.objects.grantable()
        .filter(~Exists(there), organisation_id=user.organisation_id)
        .select_related("owner")
        .order_by("name", "id")
    )


def grants_of(group: Group) -> QuerySet[Grant]:
    """The grants that reach this group directly and were not revoked, the newest first; each `with_line`."""
    grants = Grant.objects.present().filter(group_grant__group=group).order_by("-granted_at", "-id")
    return with_line(grants).select_related("connector__owner")


def grant_in(group: Group, grant_id: UUID, *, also_removed: bool = False) -> Grant:
    """One of the group's grants, `with_line`. Raises NotFound, the same for another group's and for none."""
    grants = Grant.objects.filter(pk=grant_id, group_grant__group=group)
    if not also_removed:
        grants = grants.present()
    found = with_line(grants).select_related("connector__owner", "connector__organisation").first()
    if found is None:
        raise NotFound(_("There is no such connector in this group."))
    return found


def directory_page(user: User, *, search: str = "", cursor: str | None = None, size: int = 50) -> Page[Person]:
    """The people in the groups that a person sees, each once, by name, with `group_count` of those groups.

    `search` is a part of the name or the number. Raises `keyset.BadCursor`.
    """
    shared = Membership.objects.filter(group__in=access.visible_to(user).values("pk"))
    people = Person.objects.filter(Exists(shared.filter(person_id=OuterRef("pk"))))
    words = _searchable(search)
    if words:
        people = people.filter(Q(name__icontains=words) | Q(number__contains=words.replace(" ", "")))
    people = people.annotate(group_count=counted(shared.filter(person_id=OuterRef("pk")), "person_id"))
    return keyset.page(people, ("name", "id"), cursor, size)


def is_last_admin(membership: Membership) -> bool:
    """Whether nobody would be left to run the group without this one."""
    others = Membership.objects.admins().filter(group_id=membership.group_id).exclude(pk=membership.pk)
    return membership.role == Membership.Role.ADMIN and not others.exists()


def admins_of(group: Group) -> QuerySet[Person]:
    """The people who are admins of the group, by name."""
    return Person.objects.filter(pk__in=Membership.objects.admins().filter(group=group).values("person_id"))


def _searchable(search: str) -> str:
    """PostgreSQL takes no NUL in a text."""
    return search.replace("\0", "").strip()
