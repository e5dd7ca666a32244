"""What a webhook can be set on, and whether a grant reaches it (`connectors.hooks`)."""

from __future__ import annotations

from django.utils.translation import gettext as _

from connectors.models import Grant
from connectors.models.webhook import MOST_OBJECT_ID_CHARACTERS
from connectors.webhooks.events import ObjectType
from groups import access
from groups.models import Action
from groups.queries import actions
from groups.queries.actions import Viewer
from kaizala_console.api.errors import GroupNotReachable
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotFound, RuleBroken


def find(kind: str, grant: Grant, object_id: str) -> str:
    """Return the id of an object within the grant's reach, as it is kept. Raises as the functions below."""
    finders = {ObjectType.GROUP: _group, ObjectType.ACTION: _action, ObjectType.ACTION_PACKAGE: _package}
    return finders[ObjectType(kind)](grant, object_id)


def _group(grant: Grant, object_id: str) -> str:
    """A group that the grant reaches. Raises GroupNotReachable, the same whether or not there is such a group."""
    if not access.get_token_role(grant, object_id):
        raise GroupNotReachable
    return str(ids.parse_guid(object_id))


def _action(grant: Grant, object_id: str) -> str:
    """An action that the grant's tokens see. Raises NotFound, the same whether or not there is such an action."""
    key = ids.parse_guid(object_id)
    found = None if key is None else Action.objects.select_related("group").filter(pk=key).first()
    role = access.get_token_role(grant, str(found.group_id)) if found is not None else ""
    if found is None or not role:
        raise NotFound(_("There is no such action within reach of this token."))
    viewer = Viewer(frozenset({grant.person_id}), role == access.Role.ADMIN)
    if not actions.list_visible(found.group, viewer).filter(pk=found.pk).exists():
        raise NotFound(_("There is no such action within reach of this token."))
    return str(found.pk)


def _package(_grant: Grant, object_id: str) -> str:
    """The name of an action package. It is told of in all groups that the grant reaches, so any name will do."""
    name = object_id.strip()
    if not name or len(name) > MOST_OBJECT_ID_CHARACTERS:
        raise RuleBroken(
            _("expected the ID of an action package, of at most %(most)s characters")
            % {"most": MOST_OBJECT_ID_CHARACTERS},
            field="objectId",
            code="package_id",
        )
    return name
