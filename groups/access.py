"""May this caller, or this person, reach this group, and in which role? The single answer (wire protocol §4).

Every group that is returned carries `role`, the wire's spelling of what the asker is in it ("Admin" or "Member").
"Not yours" and "not there" are one answer, made here: `GroupNotReachable` on the wire, `NotFound` on a page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, UUIDField, Value, When
from django.utils.translation import gettext_lazy as _

from accounts.audit.record import Actor
from accounts.models import Organisation, Person, User, VerifiedPhone
from accounts.queries import name_people
from connectors.authentication import AccessContext
from connectors.hooks import RequiredRole, TokenAccess
from connectors.models import Bot, Grant
from connectors.permissions import SCOPES, Permission
from groups.models import Group, GroupBot, GroupGrant, Membership
from groups.models.group import GroupQuerySet
from groups.models.hierarchy import reached
from kaizala_console.api.errors import GroupNotReachable
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotAllowed, NotFound, RuleBroken
from kaizala_console.lib.prepared import Parameter, Prepared

Role = Membership.Role
TARGET: Final = "group:"
ADMINS_TOLD: Final = 10
ALL_OF_TENANT_DATA: Final = frozenset(SCOPES[Permission.TENANT_DATA])

# ---------------------------------------------------------------- Programs


def list_reachable_groups(caller: AccessContext) -> GroupQuerySet:
    """The groups that this token reaches, each with the `role` it carries there.

    A group token reaches its group and all groups under it, as an admin. A user token reaches the groups that the
    person is in, with the person's role in each. An organisation admin's reaches all groups of the organisation when it
    has all scopes of "Tenant Data" and a second admin has confirmed that; else it is like anybody's (ADR 0030). A
    token that acts as a bot reaches, of all these, the groups that the bot was added to (ADR 0056).
    """
    if caller.grant.kind == Grant.Kind.GROUP:
        roots = GroupGrant.objects.filter(grant_id=caller.grant.pk).values("group_id")
        groups = Group.objects.present().within(roots).carrying(role=Value(Role.ADMIN.value))
    else:
        reach = _get_personal_reach(caller.grant)
        if reach is None:
            return Group.objects.none().carrying(role=Value(Role.MEMBER.value))
        groups = reach.select(**reach.values)
    return _with_bot(groups, caller.bot)


def list_named_groups(caller: AccessContext) -> GroupQuerySet:
    """As `list_reachable_groups`, without the groups that a group token reaches only because they are under its own."""
    reach = get_named_reach(caller)
    if reach is None:
        return Group.objects.none().carrying(role=Value(Role.MEMBER.value))
    return _with_bot(reach.select(**reach.values), caller.bot)


class Reach(NamedTuple):
    """Which groups a token reaches: what selects them, and the ids that it takes. Apart, so that it can be prepared."""

    select: Callable[..., GroupQuerySet]
    values: dict[str, UUID]


def get_named_reach(caller: AccessContext) -> Reach | None:
    """What selects the groups of `list_named_groups` without a bot; None when there are none."""
    if caller.grant.kind == Grant.Kind.GROUP:
        return Reach(_select_own, {"grant_id": caller.grant.pk})
    return _get_personal_reach(caller.grant)


def _get_personal_reach(grant: Grant) -> Reach | None:
    standing = _get_holder_state(grant)
    if standing.is_over:
        return None
    if standing.administers is None:
        return Reach(_select_personal, {"person_id": grant.person_id})
    return Reach(_select_personal, {"person_id": grant.person_id, "administers": standing.administers})


def _select_own(grant_id: UUID | Parameter) -> GroupQuerySet:
    own = GroupGrant.objects.filter(grant_id=grant_id).values("group_id")
    return Group.objects.present().filter(pk__in=own).carrying(role=Value(Role.ADMIN.value))


def _select_personal(person_id: UUID | Parameter, administers: UUID | Parameter | None = None) -> GroupQuerySet:
    return _list_by_membership(Membership.objects.filter(person_id=person_id), administers)


def reach(caller: AccessContext, group_id: str | UUID, *, role: Role = Role.MEMBER) -> Group:
    """The group, as the client wrote its id, when this token reaches it in at least this role.

    Raises GroupNotReachable, the same whether or not there is such a group, and NotAllowed when the token reaches
    the group as a member only and an admin is asked for.
    """
    key = ids.parse_guid(group_id)
    found = None if key is None else _find_reached(caller.grant, key, caller.bot)
    if found is None:
        raise GroupNotReachable
    if role == Role.ADMIN and found.role != Role.ADMIN:
        raise NotAllowed(_("Only an admin of the group may do this, and this token's user is a member."))
    found.asked_from = caller.organisation.pk
    return found


@dataclass(frozen=True, slots=True)
class GroupPlacement:
    """Where a new group comes to stand: in an organisation, or in none (private), and under which group."""

    organisation: Organisation | None
    parent: Group | None


def get_placement(caller: AccessContext, *, is_public: bool) -> GroupPlacement:
    """Where a group that this token makes comes to stand.

    With a group token under the token's group. With a user token in the organisation of the connector, when the person
    has an account there: else it is private. Raises NotAllowed when it is to be a managed public group (`is_public`)
    and this is not the token of an organisation admin that reaches the whole organisation (wire protocol §4).
    """
    if caller.grant.kind == Grant.Kind.GROUP:
        parent = list_named_groups(caller).select_related("organisation").first()
        if parent is None:
            raise GroupNotReachable
        place = GroupPlacement(parent.organisation, parent)
    else:
        standing = _get_holder_state(caller.grant)
        if standing.is_over:
            raise GroupNotReachable
        is_colleague = standing.organisation_id == caller.organisation.pk
        place = GroupPlacement(caller.organisation if is_colleague else None, None)
        if is_public and standing.administers == caller.organisation.pk:
            return place
    if is_public:
        raise NotAllowed(
            _("Only a token of an organisation admin, which reaches the whole organisation, may make a ConnectGroup.")
        )
    return place


def reach_source(caller: AccessContext, group_id: str | UUID, source_id: str | UUID) -> Group:
    """The group in which something stands that a program names through another one (protocol §6, `sourceGroupId`).

    That is the group of the path without `source_id`. Raises as `reach` for both, and RuleBroken when neither stands
    above the other.
    """
    group = reach(caller, group_id)
    if not str(source_id).strip() or ids.parse_guid(source_id) == group.pk:
        return group
    source = reach(caller, source_id)
    above_or_below = Q(pk__in=Group.objects.above([group.pk])) | Exists(
        Group.objects.above([source.pk]).filter(pk=group.pk)
    )
    if not Group.objects.filter(above_or_below, pk=source.pk).exists():
        raise RuleBroken(
            _("sourceGroupId must be the group of the path, or one above or below it."),
            field="sourceGroupId",
            code="source_group",
        )
    return source


def reach_members(caller: AccessContext, group_id: str | UUID) -> Group:
    """The group, when this token reaches it and may read who is in it. Raises as `reach`, and NotAllowed for a member's
    token when the group's admins keep the list to themselves.
    """
    return _with_members(reach(caller, group_id))


def token_access(grant: Grant, group_id: str, bot: Bot | None = None) -> TokenAccess | None:
    """What a grant's tokens (a bot's, if one is given) may do in a group; None when they do not reach it."""
    key = ids.parse_guid(group_id)
    found = None if key is None else _find_reached(grant, key, bot)
    if found is None:
        return None
    is_admin = found.role == Role.ADMIN
    allowed = {
        RequiredRole.ADMIN: is_admin,
        RequiredRole.READ_MEMBERS: may_read_members(found),
        # In a managed public group members are refused nothing by their token's role.
        RequiredRole.POST: is_admin or not found.only_admins_post,
    }
    return TokenAccess(str(found.role), frozenset(role for role, may in allowed.items() if may))


def get_token_role(grant: Grant, group_id: str, bot: Bot | None = None) -> str:
    """The role of a grant's tokens in a group, as the wire spells it; "" when they do not reach it."""
    access = token_access(grant, group_id, bot)
    return access.role if access else ""


def _with_bot(groups: GroupQuerySet, bot: Bot | None) -> GroupQuerySet:
    """Of these groups, those that the bot was added to; all of them without a bot."""
    if bot is None:
        return groups
    return groups.filter(_has(bot))


def _has(bot: Bot) -> Exists:
    """Whether the bot was added to a group, for a query of groups."""
    return Exists(GroupBot.objects.filter(group_id=OuterRef("pk"), bot_id=bot.pk))


def _find_reached(grant: Grant, key: UUID, bot: Bot | None) -> Group | None:
    """The group with this id, with its `role`, when the grant's tokens reach it: a bot's, if one is given."""
    if grant.kind == Grant.Kind.GROUP:
        select, values = _BY_GROUP_TOKEN, {"grant_id": grant.pk, "key": key}
    else:
        standing = _get_holder_state(grant)
        if standing.is_over:
            return None
        select, values = _BY_MEMBERSHIP, {"person_id": grant.person_id, "key": key}
        if standing.administers is not None:
            select, values = _BY_ORGANISATION, values | {"administers": standing.administers}
    return select.first(**values) if bot is None else select.queryset(**values).filter(_has(bot)).first()


def _select_by_group_token(grant_id: Parameter, key: Parameter) -> GroupQuerySet:
    # Upwards from the group: a few levels, however many groups stand under the token's own.
    line = reached(Group.objects.filter(pk=key), "up")
    granted = GroupGrant.objects.filter(grant_id=grant_id, group_id__in=line)
    return Group.objects.present().filter(Exists(granted), pk=key).carrying(role=Value(Role.ADMIN.value)).order_by()


def _select_by_membership(person_id: Parameter, key: Parameter, administers: Parameter | None = None) -> GroupQuerySet:
    memberships = Membership.objects.filter(person_id=person_id, group_id=key)
    return _list_by_membership(memberships, administers).filter(pk=key).order_by()


_BY_GROUP_TOKEN: Final = Prepared(_select_by_group_token, grant_id=UUIDField(), key=UUIDField())
_BY_MEMBERSHIP: Final = Prepared(_select_by_membership, person_id=UUIDField(), key=UUIDField())
_BY_ORGANISATION: Final = Prepared(
    _select_by_membership, person_id=UUIDField(), key=UUIDField(), administers=UUIDField()
)


@dataclass(frozen=True, slots=True)
class _HolderState:
    """What the account that holds the number of a user token's person makes of the token; nothing without an account.

    `is_over`: the number has changed hands, or its account was closed, so what its user was told to let in is over.
    """

    is_over: bool = False
    organisation_id: UUID | None = None
    administers: UUID | None = None


def _get_holder_state(grant: Grant) -> _HolderState:
    holder = _HOLDER.first(person_id=grant.person_id)
    if holder is None:
        return _HolderState()
    user_id, is_active, is_organisation_admin, organisation_id = holder
    if user_id != grant.granted_by_id or not is_active:
        return _HolderState(is_over=True)
    confirmed = (
        grant.confirmed_by_id is not None and is_organisation_admin and ALL_OF_TENANT_DATA.issubset(grant.held_scopes())
    )
    return _HolderState(organisation_id=organisation_id, administers=organisation_id if confirmed else None)


def _select_holder(person_id: Parameter) -> QuerySet[VerifiedPhone, tuple[Any, ...]]:
    facts = ("user_id", "user__is_active", "user__is_organisation_admin", "user__organisation_id")
    return VerifiedPhone.objects.active().filter(person_id=person_id).order_by("pk").values_list(*facts)


_HOLDER: Final = Prepared(_select_holder, person_id=UUIDField())


# ---------------------------------------------------------------- People


def list_visible_groups(user: User) -> GroupQuerySet:
    """The groups that this person sees, each with the person's `role`.

    An organisation admin is an admin in all groups of the organisation; others see the groups in which a phone number
    that they hold is a member or an admin.
    """
    mine = Membership.objects.filter(person_id__in=list_held_people(user))
    return _list_by_membership(mine, user.organisation_id if user.is_organisation_admin else None)


def list_administered_groups(user: User) -> GroupQuerySet:
    """The groups in which this person is an admin."""
    return list_visible_groups(user).filter(
        Q(("role", Role.ADMIN))
    )  # an annotation, which the type checker does not know


def get_role(user: User, group: Group) -> Role | None:
    """What this person is in this group; None when they may not see it."""
    found = list_visible_groups(user).filter(pk=group.pk).first()
    return Role(found.role) if found else None


def require_member(user: User, group_id: str | UUID) -> Group:
    """The group, when this person may see it. Raises NotFound, the same whether or not there is such a group."""
    key = ids.parse_guid(group_id)
    found = None if key is None else list_visible_groups(user).filter(pk=key).first()
    if found is None:
        raise NotFound(_("There is no such group, or you are not in it."))
    found.asked_from = user.organisation_id
    return found


def list_groups_with_members(user: User) -> GroupQuerySet:
    """Of the groups that this person sees, those of which they may read who is in them."""
    return list_visible_groups(user).filter(Q(("role", Role.ADMIN)) | Q(members_see_members=True))


def may_read_members(group: Group) -> bool:
    """Whether the asker, for whom this module found the group, may read who is in it."""
    return group.members_see_members or group.role == Role.ADMIN


def may_post(group: Group) -> bool:
    """Whether the asker, for whom this module found the group, may post in it: admins everywhere, members in a plain
    group that lets them. The services of messages and actions have the last word (`services.groups`).
    """
    if group.role == Role.ADMIN:
        return True
    return group.group_type == Group.Type.PLAIN and not group.only_admins_post


def require_admin(user: User, group_id: str | UUID) -> Group:
    """The group, when this person is an admin in it. Raises as `require_member`, and NotAllowed for a mere member."""
    found = require_member(user, group_id)
    if found.role != Role.ADMIN:
        raise NotAllowed(_("Only an admin of this group may do this."))
    return found


def find_deleted_group(user: User, group_id: UUID) -> Group | None:
    """The group that is deleted, when this person was an admin in it; to nobody else it was ever there."""
    run = Q(memberships__person_id__in=list_held_people(user), memberships__role=Role.ADMIN)
    if user.is_organisation_admin:
        run |= Q(organisation_id=user.organisation_id)
    return Group.objects.filter(run, pk=group_id, removed_at__isnull=False).first()


def get_organisation_id(by: Actor) -> UUID | None:
    """From which organisation somebody acts; None for the console itself."""
    if isinstance(by, User):
        return by.organisation_id
    return by.organisation.pk if isinstance(by, AccessContext) else None


def get_acting_person(user: User, group: Group) -> Person | None:
    """With whose phone number this person acts in the group: that of an admin or a member, else their primary one."""
    held = list(VerifiedPhone.objects.active().filter(user=user).select_related("person").order_by("-is_primary", "pk"))
    roles = dict(
        Membership.objects.filter(group=group, person__in=[phone.person_id for phone in held]).values_list(
            "person_id", "role"
        )
    )
    # Sorting keeps the order of equals: the primary number first.
    held.sort(key=lambda phone: (Role.ADMIN, Role.MEMBER, None).index(roles.get(phone.person_id)))
    if not held:
        return None
    name_people(user.organisation_id, [held[0].person])
    return held[0].person


def list_admins(group_id: UUID) -> QuerySet[User]:
    """The open accounts that hold the number of an admin of this group, the oldest account first."""
    admins = Membership.objects.admins().filter(group_id=group_id, group__removed_at__isnull=True)
    held = VerifiedPhone.objects.active().filter(person__in=admins.values("person_id"))
    return User.objects.filter(is_active=True, pk__in=held.values("user_id")).order_by("created_at", "pk")


def list_held_people(user: User) -> QuerySet[VerifiedPhone, UUID]:
    """The ids of the people (phone numbers) that this account has proven to hold, for use in a query."""
    return VerifiedPhone.objects.active().filter(user_id=user.pk).values_list("person_id", flat=True)


def _with_members(group: Group) -> Group:
    if not may_read_members(group):
        raise NotAllowed(
            _("The admins of this group keep the list of its members to themselves."), code="members_hidden"
        )
    return group


def _list_by_membership(memberships: QuerySet[Membership], administers: UUID | Parameter | None) -> GroupQuerySet:
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


# ---------------------------------------------------------------- Targets of grants


def get_target(group: Group) -> str:
    """The opaque key by which the grants of connectors name this group."""
    return f"{TARGET}{group.pk}"


def administers(user: User, target: str) -> bool:
    """Whether this person is an admin of the group that `target` names, at this moment (`connectors.hooks`)."""
    key = ids.parse_guid(target.removeprefix(TARGET)) if target.startswith(TARGET) else None
    return key is not None and list_administered_groups(user).filter(pk=key).exists()


def administrators(target: str) -> list[User]:
    """The admins of the group that `target` names who have an account here (`connectors.hooks`)."""
    key = ids.parse_guid(target.removeprefix(TARGET)) if target.startswith(TARGET) else None
    return [] if key is None else list(list_admins(key)[:ADMINS_TOLD])
