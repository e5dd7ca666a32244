"""Would this call work? Said beforehand, for a token that the inspector has told about: permission, reach, and role."""

from __future__ import annotations

from django.utils.translation import gettext as _

from connectors import hooks, permissions
from connectors.hooks import Need
from connectors.models import Bot, Grant
from connectors.permissions import PERMISSION_OF
from connectors.services.introspection import Check, Inspection
from kaizala_console.api.endpoint import Operation


def would_work(found: Inspection, operation: Operation, group_id: str) -> list[Check]:
    """Whether a call of this operation would be let through, with a token that `inspect` has told about."""
    grant = found.grant
    if grant is None or found.connector is None:
        return []
    checks = []
    if operation.scope:
        held = operation.scope in found.scopes
        permission = str(permissions.DESCRIPTIONS[PERMISSION_OF[operation.scope]].label)
        checks.append(
            Check(
                _("Permission"),
                held,
                _("It holds “%(permission)s” (%(scope)s).") % {"permission": permission, "scope": operation.scope}
                if held
                else _("It lacks “%(permission)s” (%(scope)s): the answer would be 403.")
                % {"permission": permission, "scope": operation.scope},
                _("Have the connector’s owner add the permission, and an admin of the group approve it."),
            )
        )
    if group_id.strip():
        checks += _in_group(grant, group_id, operation, found.bot)
    return checks


def _in_group(grant: Grant, group_id: str, operation: Operation, bot: Bot | None) -> list[Check]:
    role = hooks.role_in(grant, group_id, bot)
    reached = Check(
        _("Group"),
        bool(role),
        _("It reaches this group, as %(role)s.") % {"role": role}
        if role
        else _("It does not reach this group, or there is none: the answer would be 403."),
        _("Check the group ID, or have an admin of that group add the connector.")
        if bot is None
        else _("Check the group ID, and have the program add the bot to the group (PUT /v1/groups/…/bot)."),
    )
    if not role or not operation.in_group or hooks.allows(grant, group_id, Need(operation.in_group), bot):
        return [reached]
    says, next_step = {
        Need.ADMIN: (
            _("Only an admin of the group may do this, and the token’s user is a member: the answer would be 403."),
            _("Have an admin of the group add the connector, or make the token’s user an admin of the group."),
        ),
        Need.READ_MEMBERS: (
            _("The admins of this group keep the list of its members to themselves: the answer would be 403."),
            _("Have an admin of the group add the connector, or change the group’s policies."),
        ),
        Need.POST: (
            _("Only the admins of this group post in it, and the token’s user is a member: the answer would be 403."),
            _("Have an admin of the group add the connector, or change the group’s policies."),
        ),
    }[Need(operation.in_group)]
    return [reached, Check(_("Role"), False, says, next_step)]
