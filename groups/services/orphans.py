"""Groups that a connector acts in, and that nobody with an account runs any more (`connectors.services.orphans`)."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Exists, OuterRef

from accounts.models import VerifiedPhone
from connectors.models import Grant, Orphan
from connectors.services import orphans
from connectors.services.orphans import Finding
from groups.models import Group, GroupGrant, Membership
from kaizala_console.lib import clock


def watch() -> int:
    """Find them, and tell of those that are new; the number of these."""
    return orphans.settle(Orphan.Kind.GROUP, _without_admin())


def _without_admin() -> Iterator[Finding]:
    """An admin who is known by number alone runs the group on the phone, but nobody can end a connector here."""
    grants = Grant.objects.live(clock.now()).filter(connector__deleted_at__isnull=True)
    acts = GroupGrant.objects.filter(group_id=OuterRef("pk"), grant__in=grants)
    held = VerifiedPhone.objects.held().filter(person_id=OuterRef("person_id"), user__is_active=True)
    admins = Membership.objects.admins().filter(Exists(held), group_id=OuterRef("pk"))
    left_alone = Group.objects.present().filter(Exists(acts), ~Exists(admins)).select_related("organisation")
    for group in left_alone.order_by().iterator():
        yield Finding(str(group.pk), group.name, group.organisation, group_id=group.pk)
