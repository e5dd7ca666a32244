"""Mails about what an operator did to a connector or to its access: who runs it did not do it, and must know."""

from __future__ import annotations

from accounts.models import AuditEvent, User
from accounts.services import notifications
from connectors import policies
from connectors.models import Connector, Grant
from connectors.services import refresh_tokens


def queue(
    *, event: AuditEvent, connector: Connector, by: User, act: str, reason: str = "", grant: Grant | None = None
) -> None:
    """Tell the connector's owners, and of a `grant` those who administer it. Nothing when one of them did it.

    `act` is one that the template has words for: suspended, resumed, secret_revoked, access_suspended, access_resumed,
    access_removed. For services that have written the audit row.
    """
    if policies.is_owner(by, connector) or (grant is not None and policies.can_administer(by, grant)):
        return
    told = [*refresh_tokens.owners_of(connector), *(policies.administrators_of(grant) if grant is not None else [])]
    for user in dict.fromkeys(told):
        notifications.queue(
            user=user,
            template="connectors/operator_acted",
            key=f"operator-acted:{event.pk}:{user.pk}",
            context={
                "act": act,
                "connector_id": str(connector.pk),
                "connector_name": connector.name,
                "target": grant.target_name if grant is not None else "",
                "reason": reason,
                "by_name": by.name,
                "at": event.at.isoformat(),
            },
        )
