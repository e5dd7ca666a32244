"""May this caller, or this person, reach this group, and in which role? The single answer (wire protocol §4).

Every group that is returned carries `role`, the wire's spelling of what the asker is in it ("Admin" or "Member").
"Not yours" and "not there" are one answer, made here: `GroupNotReachable` on the wire, `NotFound` on a page.
"""

from __future__ import annotations

from uuid import UUID

from django.db.models import Case, Exists, Q, QuerySet, Value, When
from django.utils.translation import gettext_lazy as _

from accounts.models import Person, User, VerifiedPhone
from connectors.callers import Caller
from connectors.models import Grant
from groups.models import Group, GroupGrant, Membership
from groups.models.group import GroupQuerySet
from groups.models.tree import Reached
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotAllowed, NotFound
from kaizala_console.wire.errors import GroupNotReachable

Role = Membership.Role

# ---------------------------------------------------------------- Programs


def reachable(caller: Caller) -> GroupQuerySet:
    """The groups that this token reaches, each with the `role` it carries there.

    A group token reaches its group and all groups under it, as an admin. A user token reaches the groups that the
    person is in, with the person's role in each. An organisation admin's reaches all groups of the organisation when a
    second admin has confirmed that; else it is like anybody's, however it was made (ADR 0030).
    """
    if caller.grant.kind == Grant.Kind.GROUP:
        roots = GroupGrant.objects.filter(grant_id=caller.grant.pk).values("group_id")
        return Group.objects.present().within(roots).carrying(role=Value(Role.ADMIN.value))
    return _reached_by_person(caller.grant)


def named_by(caller: Caller) -> GroupQuerySet:
    """What `reachable` gives, without the groups that a group token reaches only because they stand under its own."""
    if caller.grant.kind == Grant.Kind.GROUP:
        own = GroupGrant.objects.filter(grant_id=caller.grant.pk).values("group_id")
        return Group.objects.present().filter(pk__in=own).carrying(role=Value(Role.ADMIN.value))
    return _reached_by_person(caller.grant)


def reach(caller: Caller, group_id: str | UUID, *, role: Role = Role.MEMBER) -> Group:
    """The group, as the client wrote its id, when this token reaches it in at least this role.

    Raises GroupNotReachable, the same whether or not there is such a group, and NotAllowed when the token reaches
    the group as a member only and an admin is asked for.
    """
    key = ids.parse_guid(group_id)
    found = None if key is None else _reached(caller.grant, key).first()
    if found is None:
        raise GroupNotReachable
    if role == Role.ADMIN and found.role != Role.ADMIN:
        raise NotAllowed(_("Only an admin of the group may do this, and this token's user is a member."))
    return found


def role_of_tokens(grant: Grant, group_id: str) -> str:
    """The role that a grant's tokens have in a group, as the wire spells it; "" when they do not reach it."""
    key = ids.parse_guid(group_id)
    found = None if key is None else _reached(grant, key).first()
    return "" if found is None else str(found.role)


def _reached(grant: Grant, key: UUID) -> GroupQuerySet:
    if grant.kind != Grant.Kind.GROUP:
        return _reached_by_person(grant).filter(pk=key)
    # Upwards from the group: a few levels, however many groups stand under the token's own.
    line = Reached(Group.objects.filter(pk=key).values("pk"), "up")
    granted = GroupGrant.objects.filter(grant_id=grant.pk, group_id__in=line)
    return Group.objects.present().filter(Exists(granted), pk=key).carrying(role=Value(Role.ADMIN.value))


def _reached_by_person(grant: Grant) -> GroupQuerySet:
    holder = (
        VerifiedPhone.objects.held()
        .filter(person_id=grant.person_id)
        .values("user_id", "user__is_active", "user__is_organisation_admin", "user__organisation_id")
        .first()
    )
    if holder is not None and (holder["user_id"] != grant.granted_by_id or not holder["user__is_active"]):
        # The number has changed hands, or its account was closed: what the token's user was told to let in is over.
        return Group.objects.none().carrying(role=Value(Role.MEMBER.value))
    confirmed = grant.confirmed_by_id is not None and holder is not None and holder["user__is_organisation_admin"]
    administers = holder["user__organisation_id"] if holder is not None and confirmed else None
    return _of_members(Membership.objects.filter(person_id=grant.person_id), administers)


# ---------------------------------------------------------------- People


def visible_to(user: User) -> GroupQuerySet:
    """The groups that this person sees, each with the person's `role`.

    An organisation admin is an admin in all groups of the organisation; others see the groups in which a phone number
    that they hold is a member or an admin.
    """
    mine = Membership.objects.filter(person_id__in=held_by(user))
    return _of_members(mine, user.organisation_id if user.is_organisation_admin else None)


def administered_by(user: User) -> GroupQuerySet:
    """The groups in which this person is an admin."""
    return visible_to(user).filter(Q(("role", Role.ADMIN)))  # an annotation, which the type checker does not know


def role_of(user: User, group: Group) -> Role | None:
    """What this person is in this group; None when they may not see it."""
    found = visible_to(user).filter(pk=group.pk).first()
    return Role(found.role) if found else None


def require_member(user: User, group_id: str | UUID) -> Group:
    """The group, when this person may see it. Raises NotFound, the same whether or not there is such a group."""
    key = ids.parse_guid(group_id)
    found = None if key is None else visible_to(user).filter(pk=key).first()
    if found is None:
        raise NotFound(_("There is no such group, or you are not in it."))
    return found


def require_admin(user: User, group_id: str | UUID) -> Group:
    """The group, when this person is an admin in it. Raises as `require_member`, and NotAllowed for a mere member."""
    found = require_member(user, group_id)
    if found.role != Role.ADMIN:
        raise NotAllowed(_("Only an admin of this group may do this."))
    return found


def acting_person(user: User, group: Group) -> Person | None:
    """With whose phone number this person acts in the group: that of an admin or a member, else their primary one."""
    held = list(VerifiedPhone.objects.held().filter(user=user).select_related("person").order_by("-is_primary", "pk"))
    roles = dict(
        Membership.objects.filter(group=group, person__in=[phone.person_id for phone in held]).values_list(
            "person_id", "role"
        )
    )
    # Sorting keeps the order of equals: the primary number first.
    held.sort(key=lambda phone: (Role.ADMIN, Role.MEMBER, None).index(roles.get(phone.person_id)))
    return held[0].person if held else None


def admins_of(group_id: UUID) -> QuerySet[User]:
    """The open accounts that hold the number of an admin of this group, the oldest account first."""
    admins = Membership.objects.admins().filter(group_id=group_id, group__removed_at__isnull=True)
    held = VerifiedPhone.objects.held().filter(person__in=admins.values("person_id"))
    return User.objects.filter(is_active=True, pk__in=held.values("user_id")).order_by("created_at", "pk")


def held_by(user: User) -> QuerySet[VerifiedPhone, UUID]:
    """The ids of the people (phone numbers) that this account has proven to hold, for use in a query."""
    return VerifiedPhone.objects.held().filter(user_id=user.pk).values_list("person_id", flat=True)


def _of_members(memberships: QuerySet[Membership], administers: UUID | None) -> GroupQuerySet:
    """The groups of these memberships, and of the organisation that is administered, with the highest role."""
    among = Q(pk__in=memberships.values("group_id"))
    as_admin = Q(pk__in=memberships.filter(role=Role.ADMIN).values("group_id"))
    if administers is not None:
        among |= Q(organisation_id=administers)
        as_admin |= Q(organisation_id=administers)
    return (
        Group.objects.present()
        .filter(among)
        .carrying(role=Case(When(as_admin, then=Value(Role.ADMIN.value)), default=Value(Role.MEMBER.value)))
    )
