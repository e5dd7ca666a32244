"""The tables that say with what right a program acts."""

from connectors.models.connector import Connector, ConnectorSecret, ConnectorState
from connectors.models.grant import Grant
from connectors.models.handoff import Handoff, HandoffState
from connectors.models.shown_secret import ShownSecret
from connectors.models.token import RefreshToken

__all__ = [
    "Connector",
    "ConnectorSecret",
    "ConnectorState",
    "Grant",
    "Handoff",
    "HandoffState",
    "RefreshToken",
    "ShownSecret",
]
