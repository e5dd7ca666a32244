"""What the addresses name and `queries` does not find. Not there, revoked, not yours: all the same 404."""

from __future__ import annotations

from uuid import UUID

from accounts.models import User
from connectors import policies
from connectors.models import ConnectorSecret, Handoff
from connectors.queries import connectors
from kaizala_console.lib.errors import NotFound


def own_secret(user: User, connector_id: UUID, secret_id: int) -> ConnectorSecret:
    """A secret of a connector that the account owns, revoked or not. Raises NotFound."""
    connector = connectors.own_connector(user, connector_id)
    secret = connector.secrets.select_related("created_by").filter(pk=secret_id).first()
    if secret is None:
        raise NotFound
    secret.connector = connector
    return secret


def own_handoff(user: User, handoff_id: UUID) -> Handoff:
    """A handoff to a connector that the account owns: the developer's side alone. Raises NotFound."""
    handoff = connectors.handoff_for(user, handoff_id)
    policies.require_owner(user, handoff.connector)
    return handoff
