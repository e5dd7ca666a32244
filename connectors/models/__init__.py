"""The tables that say with what right a program acts."""

from connectors.models.connector import Connector, ConnectorSecret
from connectors.models.grant import Grant
from connectors.models.handoff import Handoff
from connectors.models.shown_secret import ShownSecret
from connectors.models.token import RefreshToken

__all__ = ["Connector", "ConnectorSecret", "Grant", "Handoff", "RefreshToken", "ShownSecret"]
