"""What every audit row of this app says about where it belongs."""

from __future__ import annotations

from typing import TypedDict
from uuid import UUID

from accounts.models import Organisation
from connectors.models import Connector, Grant, Webhook
from kaizala_console.lib import ids


class Whereabouts(TypedDict, total=False):
    """Whose history an event belongs to: the columns that `accounts.audit` lists it by."""

    organisation: Organisation
    connector_id: UUID
    group_id: UUID | None
    person_id: UUID | None


def of_connector(connector: Connector) -> Whereabouts:
    """The event is part of the connector's history, and of its organisation's."""
    return {"organisation": connector.organisation, "connector_id": connector.pk}


def of_grant(grant: Grant) -> Whereabouts:
    """The event is part of the history of what the grant reaches as well.

    The target stays opaque but for its form: `group:<id>` or `person:<id>`.
    """
    return {**of_connector(grant.connector), **_of_target(grant.target)}


def of_webhook(webhook: Webhook) -> Whereabouts:
    """The event is part of the history of the grant that the webhook was made under, if it was."""
    if webhook.grant is None:
        return of_connector(webhook.connector)
    return {**of_connector(webhook.connector), **_of_target(webhook.grant.target)}


def _of_target(target: str) -> Whereabouts:
    kind, _, target_id = target.partition(":")
    return {
        "group_id": ids.parse_guid(target_id) if kind == "group" else None,
        "person_id": ids.parse_guid(target_id) if kind == "person" else None,
    }
