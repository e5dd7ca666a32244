"""A group's admin answers what a developer asked: access with all or some of the permissions, or none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

from django.db import transaction

from accounts.models import User
from connectors import policies
from connectors.models import AccessRequest
from connectors.permissions import Permission
from connectors.services import access_requests
from connectors.services.grants import Granted
from groups.access import get_target
from groups.models import Group
from groups.services import connectors
from kaizala_console.lib.errors import NotFound


@transaction.atomic
def approve(
    *,
    request: AccessRequest,
    group: Group,
    by: User,
    permissions: Iterable[Permission],
    ends_at: dt.datetime | None = None,
    as_shown: Collection[Permission] | None = None,
) -> Granted:
    """Let the connector into the group with what is left of the request; its refresh token is handed over sealed.

    For requests for access; one for more permissions is `connectors.services.access_requests.approve_more`. Raises
    NotFound when the request is for another group or `by` is no admin of this one, Conflict when it was answered or
    ended before, RuleBroken for what was not asked, and what `grants.add_connector` raises.
    """
    request = access_requests.lock(request, as_shown=as_shown)
    _require_admin(request, group, by)
    given = access_requests.require_asked(request, permissions)
    return connectors.add_connector(
        group=group,
        connector_id=request.connector_id,
        permissions=given,
        ends_at=ends_at,
        by=by,
        answering=request,
    )


@transaction.atomic
def refuse(*, request: AccessRequest, group: Group, by: User) -> AccessRequest:
    """None of it, and the developer is told. Raises NotFound and Conflict as `approve`."""
    _require_admin(request, group, by)
    return access_requests.refuse(request=request, by=by, target=get_target(group), target_name=group.name)


def _require_admin(request: AccessRequest, group: Group, by: User) -> None:
    target = get_target(group)
    if request.grant is not None or request.target not in ("", target) or not policies.can_answer(by, request, target):
        raise NotFound
