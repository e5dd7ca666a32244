"""What developers ask of the groups that a person runs."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import User
from connectors.models import AccessRequest, Grant
from connectors.request_queries import with_people
from groups import access
from groups.models import Group, Membership
from groups.services.grants import TARGET, target_of
from kaizala_console.lib import clock, ids

MOST = 200  # of one inbox; what expires first stands in front


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the person may answer, and the group that it is for; None for a token that acts for a person."""

    request: AccessRequest
    group: Group | None


def asked_of(user: User, *, everywhere: bool = False, most: int = MOST) -> list[Asked]:
    """The requests that wait for this person, the one that expires first in front.

    Those for the groups that they run by a phone number of theirs, and for the tokens that act for them; with
    `everywhere` an organisation admin also gets those of all the organisation's groups.
    """
    run = Membership.objects.admins().filter(person_id__in=access.held_by(user)).order_by()
    mine = Q(target__in=[f"{TARGET}{key}" for key in run.values_list("group_id", flat=True)])
    if not user.is_organisation_admin:  # who is one decides with a second admin (connectors.policy)
        mine |= Q(grant__kind=Grant.Kind.USER, grant__granted_by=user)
    if everywhere and user.is_organisation_admin:
        mine |= Q(target__startswith=TARGET, connector__organisation_id=user.organisation_id)
    found = list(_open(user).filter(mine).order_by("expires_at", "id")[:most])
    keys = {request.pk: _group_key(request) for request in found}
    groups = access.administered_by(user).in_bulk([key for key in keys.values() if key is not None])
    rows = []
    for request in found:
        key = keys[request.pk]
        group = groups.get(key) if key is not None else None
        if group is not None or key is None:
            rows.append(Asked(request, group))
    return rows


def asked_in(group: Group, user: User) -> QuerySet[AccessRequest]:
    """What waits for the admins of one group, of whom `user` is one."""
    return _open(user).filter(target=target_of(group)).order_by("expires_at", "id")


def choosable(user: User, request: AccessRequest, *, search: str = "", most: int = 50) -> tuple[list[Group], bool]:
    """The groups that the person may let the connector into, by name; and whether there are more than `most`."""
    has_it = (
        Grant.objects.present()
        .filter(connector_id=request.connector_id, kind=Grant.Kind.GROUP)
        .values("group_grant__group_id")
    )
    groups = access.administered_by(user).exclude(pk__in=has_it)
    if search.strip():
        groups = groups.filter(name__icontains=search.replace("\0", "").strip())
    found = list(groups.order_by("name", "id")[: most + 1])
    return found[:most], len(found) > most


def group_of(user: User, request: AccessRequest) -> Group | None:
    """The group that the request names, when the person may see it."""
    key = _group_key(request)
    return access.visible_to(user).filter(pk=key).first() if key else None


def _open(user: User) -> QuerySet[AccessRequest]:
    """Naming a group of another organisation reaches nobody there."""
    reaches = Q(grant__isnull=False) | Q(connector__organisation_id=user.organisation_id)
    return with_people(AccessRequest.objects.open(clock.now())).filter(reaches, connector__deleted_at__isnull=True)


def _group_key(request: AccessRequest) -> UUID | None:
    return ids.parse_guid(request.target.removeprefix(TARGET)) if request.target.startswith(TARGET) else None
