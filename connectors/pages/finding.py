"""What the addresses name and `queries` does not find. Not there, revoked, not yours: all the same 404."""

from __future__ import annotations

from uuid import UUID

from accounts.models import User
from connectors import policy, queries
from connectors.models import ConnectorSecret, Handoff
from kaizala_console.lib.errors import NotFound


def own_secret(user: User, connector_id: UUID, secret_id: int) -> ConnectorSecret:
    """A secret of a connector that the account owns, revoked or not. Raises NotFound."""
    connector = queries.own_connector(user, connector_id)
    secret = connector.secrets.select_related("created_by").filter(pk=secret_id).first()
    if secret is None:
        raise NotFound
    secret.connector = connector
    return secret


def own_handoff(user: User, handoff_id: UUID) -> Handoff:
    """A handoff to a connector that the account owns: the developer's side alone. Raises NotFound."""
    handoff = queries.handoff_for(user, handoff_id)
    policy.require_owner(user, handoff.connector)
    return handoff
