"""The tables that say with what right a program acts."""

from connectors.models.claim_answer import ClaimAnswer
from connectors.models.connector import Connector, ConnectorSecret, ConnectorState
from connectors.models.grant import Grant
from connectors.models.handoff import Handoff, HandoffState
from connectors.models.shown_secret import ShownSecret
from connectors.models.token import RefreshToken

__all__ = [
    "ClaimAnswer",
    "Connector",
    "ConnectorSecret",
    "ConnectorState",
    "Grant",
    "Handoff",
    "HandoffState",
    "RefreshToken",
    "ShownSecret",
]
