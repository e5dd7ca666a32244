"""A connector to try programs with: fresh, with a group of its own, and both kinds of refresh token."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts import queries
from connectors.models import Grant, Handoff
from connectors.permissions import PERMISSIONS
from connectors.services import connectors, handoffs, one_time_secrets
from connectors.services import grants as connector_grants
from groups.services import connectors as grants
from groups.services import groups, members
from groups.services.members import Role
from kaizala_console.demo import organisation as demo
from kaizala_console.lib.errors import NotAllowed

# A handful of colleagues, one of whom never opened the app.
MEMBERS = [demo.MEMBER.number, *list(demo.COLLEAGUES)[:4]]
BELOW = [demo.MEMBER.number, *list(demo.COLLEAGUES)[4:6]]


@sensitive_variables("secret", "group_token", "tenant_token")
@transaction.atomic
def make() -> dict[str, Any]:
    """Makes it by the very services that the pages call; loads the demo organisation first if need be.

    The group has a sub-group. The group token and the user token are those of the organisation admin. Raises what the
    services raise, when somebody has changed the demo organisation so that it cannot be done.
    """
    demo.load()
    developer, admin = demo.get_user(demo.DEVELOPER), demo.get_user(demo.ORGANISATION_ADMIN)
    person = queries.primary_person(admin)
    if person is None:
        raise NotAllowed(f"{admin.name} has no verified phone any more. Sign in as them in the sandbox and add one.")
    mark = secrets.token_hex(3)
    connector, secret = connectors.create(
        owner=developer,
        name=f"Demo connector {mark}",
        description="Made by `manage.py demo --json`.",
        permissions=PERMISSIONS,
        by=developer,
    )
    group = groups.create(
        name=f"Demo group {mark}", organisation=admin.organisation, admin=person, by=admin, numbers=MEMBERS
    ).group
    members.add(group=group, numbers=[demo.GROUP_ADMIN.number], by=admin, role=Role.ADMIN)
    groups.create(
        name=f"Demo sub-group {mark}",
        organisation=admin.organisation,
        admin=person,
        by=admin,
        numbers=BELOW,
        parent=group,
    )
    in_group = grants.add_connector(group=group, connector_id=connector.pk, by=admin)
    as_user = connector_grants.grant(
        connector=connector,
        kind=Grant.Kind.USER,
        target=f"person:{person.pk}",
        target_name=person.name,
        person=person,
        by=admin,
        confirmed_by=demo.get_user(demo.SECOND_ADMIN),
    )
    return {
        "baseUrl": settings.CONSOLE_BASE_URL,
        "connectorId": str(connector.pk),
        "connectorSecret": secret,
        "groupId": str(group.pk),
        "refreshToken": _claimed(in_group.handoff, developer),
        "tenantRefreshToken": _claimed(as_user.handoff, developer),
        "webhookLoopbackAllowed": settings.SANDBOX,
    }


@sensitive_variables("token")
def _claimed(handoff: Handoff, developer: Any) -> str:
    """The refresh token inside, taken as the developer takes it in the browser."""
    idempotency_key = one_time_secrets.new_form_key()
    token = handoffs.claim(handoff=handoff, by=developer, idempotency_key=idempotency_key, address=None)
    one_time_secrets.done(user=developer, idempotency_key=idempotency_key)
    return token
