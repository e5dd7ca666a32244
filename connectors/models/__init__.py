"""The tables that say with what right a program acts."""

from connectors.models.access_request import AccessRequest, RequestState
from connectors.models.bot import Bot
from connectors.models.connector import (
    CompatibilityQuirkDay,
    Connector,
    ConnectorLogo,
    ConnectorSecret,
    ConnectorState,
    Orphan,
)
from connectors.models.credential import ConnectorKey, OneTimeSecret
from connectors.models.grant import Grant
from connectors.models.handoff import Handoff, HandoffState
from connectors.models.leak_report import LeakReport
from connectors.models.refresh_token import RefreshToken
from connectors.models.token_cache import CachedToken, CachedTokenState
from connectors.models.usage import ConnectorUsage, UsageDay, UsageHour
from connectors.models.user_token import AuthorizationCode, UserTokenRequest, UserTokenRequestState
from connectors.models.webhook import Webhook, WebhookAttempt, WebhookDelivery, WebhookEvent

__all__ = [
    "AccessRequest",
    "AuthorizationCode",
    "Bot",
    "CachedToken",
    "CachedTokenState",
    "CompatibilityQuirkDay",
    "Connector",
    "ConnectorKey",
    "ConnectorLogo",
    "ConnectorSecret",
    "ConnectorState",
    "ConnectorUsage",
    "Grant",
    "Handoff",
    "HandoffState",
    "LeakReport",
    "OneTimeSecret",
    "Orphan",
    "RefreshToken",
    "RequestState",
    "UsageDay",
    "UsageHour",
    "UserTokenRequest",
    "UserTokenRequestState",
    "Webhook",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEvent",
]
