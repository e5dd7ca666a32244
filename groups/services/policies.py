"""What a group's admins decide about it: what it says of itself, who posts, who sees the members; and its end."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import EventType
from accounts.audit.record import Actor, record
from accounts.models import User
from connectors.authentication import AccessContext
from connectors.models import Grant, Webhook
from connectors.services import grants
from connectors.webhooks import ending
from groups import access
from groups.models import Group, GroupLink
from groups.services import groups, hierarchy
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotAllowed, RuleBroken

ONLY_ADMINS_POST: str | Promise = _("Only the admins of this group post in it: they decided so in its policies.")


@transaction.atomic
def change_policies(
    *, group: Group, by: Actor, only_admins_post: bool | None = None, members_see_members: bool | None = None
) -> Group:
    """Changes what is not None. Raises RuleBroken for a managed public group, where the admins alone post anyway.

    Two admins at once: each changes what they mean to change, and of the same thing the last one counts.
    """
    group = groups.held(group)
    if only_admins_post is not None and group.group_type != Group.Type.PLAIN:
        raise RuleBroken(_("In a managed public group the admins alone speak."), field="only_admins_post")
    wanted = {"only_admins_post": only_admins_post, "members_see_members": members_see_members}
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name, value in wanted.items():
        if value is not None and getattr(group, name) != value:
            before[name], after[name] = getattr(group, name), value
            setattr(group, name, value)
    if after:
        group.save(update_fields=list(after))
        record(
            EventType.GROUP_CHANGED,
            by=by,
            subject=group,
            organisation=group.organisation,
            group_id=group.pk,
            before=before,
            after=after,
        )
    return group


def require_may_post(*, group: Group, by: Actor) -> None:
    """Raises NotAllowed for who is no admin of a group in which only admins post. Group tokens act as admins.

    Asks the database for a group with this policy alone.
    """
    if not group.only_admins_post or _acts_as_admin(group, by):
        return
    raise NotAllowed(ONLY_ADMINS_POST, code="only_admins_post")


def _acts_as_admin(group: Group, by: Actor) -> bool:
    if isinstance(by, AccessContext):
        return access.role_of_tokens(by.grant, str(group.pk), by.bot) == access.Role.ADMIN
    return not isinstance(by, User) or access.role_of(by, group) == access.Role.ADMIN


@transaction.atomic
def remove(*, group: Group, by: User) -> None:
    """Ends a group for good: its grants end, it stands under and above no other, nobody finds it. What was said stays
    in the database, for the trail.

    Raises NotFound when it was removed before, NotAllowed for who is no admin of it. Whoever lets a connector in at
    the same moment is either first, and ended here, or finds no group.
    """
    hierarchy.one_at_a_time(group)
    group = groups.held(group)
    if access.role_of(by, group) != access.Role.ADMIN:
        raise NotAllowed(_("Only an admin of this group may do this."))
    present = list(Grant.objects.present().filter(group_grant__group=group).order_by("pk"))
    for grant in present:
        grants.revoke(grant=grant, by=by)
    links = list(GroupLink.objects.filter(parent=group).select_related("parent", "child").order_by("pk")) + list(
        GroupLink.objects.filter(child=group).select_related("parent", "child").order_by("pk")
    )
    for link in links:
        hierarchy.unlink(parent=link.parent, child=link.child, by=by)
    hooks = Webhook.objects.present().filter(object_type=Webhook.ObjectType.GROUP, object_id=str(group.pk))
    # What is told until now was told; user tokens' webhooks on the group hear nothing of it any more.
    for webhook in hooks.select_related("grant", "connector__organisation", "connector__owner").order_by("pk"):
        over = (
            Webhook.InactiveReason.GRANT_ENDED
            if webhook.grant is not None and webhook.grant.revoked_at
            else Webhook.InactiveReason.REACH
        )
        ending.end(webhook, over)
    group.removed_at = clock.now()
    group.save(update_fields=["removed_at"])
    hierarchy.note(group.pk)
    record(
        EventType.GROUP_REMOVED,
        by=by,
        subject=group,
        organisation=group.organisation,
        group_id=group.pk,
        before={
            "name": group.name,
            "grants_ended": len(present),
            "links_ended": len(links),
        },
    )
