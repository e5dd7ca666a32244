"""The tables that say with what right a program acts."""

from connectors.models.access_request import AccessRequest, RequestState
from connectors.models.bot import Bot
from connectors.models.connector import Connector, ConnectorLogo, ConnectorSecret, ConnectorState, HabitDay, Orphan
from connectors.models.credential import ConnectorKey, ShownSecret
from connectors.models.grant import Grant
from connectors.models.handoff import ClaimAnswer, Handoff, HandoffState
from connectors.models.leak_report import LeakReport
from connectors.models.refresh_token import RefreshToken
from connectors.models.token_cache import WarmState, WarmToken
from connectors.models.usage import ConnectorUsage, UsageDay, UsageHour
from connectors.models.user_token import AuthorizationCode, UserTokenRequest, UserTokenRequestState
from connectors.models.webhook import Webhook, WebhookAttempt, WebhookDelivery, WebhookEvent

__all__ = [
    "AccessRequest",
    "AuthorizationCode",
    "Bot",
    "ClaimAnswer",
    "Connector",
    "ConnectorKey",
    "ConnectorLogo",
    "ConnectorSecret",
    "ConnectorState",
    "ConnectorUsage",
    "Grant",
    "HabitDay",
    "Handoff",
    "HandoffState",
    "LeakReport",
    "Orphan",
    "RefreshToken",
    "RequestState",
    "ShownSecret",
    "UsageDay",
    "UsageHour",
    "UserTokenRequest",
    "UserTokenRequestState",
    "WarmState",
    "WarmToken",
    "Webhook",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEvent",
]
