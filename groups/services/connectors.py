"""Letting a connector into a group, and showing it out: where the right of a grant meets a group.

The audit rows of both are those of the grant itself, which name the group as well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from accounts.models import User, VerifiedPhone
from connectors.models import AccessRequest, Connector, Grant, Orphan
from connectors.permissions import Permission
from connectors.services import access_requests, connectors, grants, owners
from connectors.services.grants import Granted
from connectors.services.owners import OrphanFinding
from groups import access
from groups.models import Group, GroupGrant, Membership
from groups.services import groups
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotAllowed, NotFound


@transaction.atomic
def add_connector(
    *,
    group: Group,
    connector_id: UUID,
    by: User,
    ends_at: dt.datetime | None = None,
    permissions: Iterable[Permission] | None = None,
    answering: AccessRequest | None = None,
    as_shown: Collection[Permission] | None = None,
) -> Granted:
    """Grants a connector access to the group: "Add Connector". The refresh token is made, sealed and handed over.

    That also answers what its developer asked for this group, and `answering`, a request that the caller has locked.

    Raises NotAllowed unless `by` is an admin of the group with a verified phone, NotFound for a connector that is not
    of their organisation, Conflict for one that asks for more than `as_shown`, what the admin saw, and what
    `connectors.services.grants.grant` raises (already granted, not grantable).
    """
    groups.lock_group(group)  # who removes it at the same moment waits, and then finds this grant to end
    person = access.get_acting_person(by, group)
    if access.get_role(by, group) != access.Role.ADMIN or person is None:
        raise NotAllowed(_("Only an admin of this group with a verified phone number can add a connector."))
    connector = Connector.objects.present().select_for_update(no_key=True).filter(pk=connector_id).first()
    if connector is None:
        raise NotFound
    connectors.require_shown(connector, connector.permissions, as_shown)
    granted = grants.grant(
        connector=connector,
        kind=Grant.Kind.GROUP,
        target=access.get_target(group),
        target_name=group.name,
        person=person,
        permissions=permissions,
        ends_at=ends_at,
        by=by,
    )
    GroupGrant.objects.create(grant=granted.grant, group=group)
    access_requests.settle(grant=granted.grant, by=by, answering=answering)
    return granted


@transaction.atomic
def remove_connector(*, group: Group, grant: Grant, by: User) -> None:
    """Ends a connector's access to the group; its tokens are refused from the next request on.

    Raises NotFound when the grant is not one of this group's, or `by` is no admin of it; Conflict when it ended before.
    """
    if not GroupGrant.objects.filter(group=group, grant=grant).exists():
        raise NotFound(_("This connector is not in the group."))
    grants.revoke(grant=grant, by=by)


def watch() -> int:
    """Find them, and tell of those that are new; the number of these."""
    return owners.record_orphans(Orphan.Kind.GROUP, _without_admin())


def _without_admin() -> Iterator[OrphanFinding]:
    """An admin who is known by number alone runs the group on the phone, but nobody can end a connector here."""
    grants = Grant.objects.live(clock.now()).filter(connector__deleted_at__isnull=True)
    acts = GroupGrant.objects.filter(group_id=OuterRef("pk"), grant__in=grants)
    held = VerifiedPhone.objects.active().filter(person_id=OuterRef("person_id"), user__is_active=True)
    admins = Membership.objects.admins().filter(Exists(held), group_id=OuterRef("pk"))
    left_alone = Group.objects.present().filter(Exists(acts), ~Exists(admins)).select_related("organisation")
    for group in left_alone.order_by().iterator():
        yield OrphanFinding(str(group.pk), group.name, group.organisation, group_id=group.pk)
