"""The tables that say with what right a program acts."""

from connectors.models.access_request import AccessRequest, RequestState
from connectors.models.authorization_code import AuthorizationCode
from connectors.models.bot import Bot
from connectors.models.claim_answer import ClaimAnswer
from connectors.models.compatibility_quirk import HabitDay
from connectors.models.connector import Connector, ConnectorSecret, ConnectorState
from connectors.models.grant import Grant
from connectors.models.handoff import Handoff, HandoffState
from connectors.models.leak_report import LeakReport
from connectors.models.logo import ConnectorLogo
from connectors.models.one_time_secret import ShownSecret
from connectors.models.orphan import Orphan
from connectors.models.public_key import ConnectorKey
from connectors.models.refresh_token import RefreshToken
from connectors.models.token_cache import WarmState, WarmToken
from connectors.models.usage import ConnectorDay, ConnectorHour, ConnectorUse, UsageDay, UsageHour
from connectors.models.user_token_request import UserTokenRequest, UserTokenRequestState
from connectors.models.webhook import Webhook, WebhookDelivery, WebhookEvent
from connectors.models.webhook_attempt import WebhookAttempt

__all__ = [
    "AccessRequest",
    "AuthorizationCode",
    "Bot",
    "ClaimAnswer",
    "Connector",
    "ConnectorDay",
    "ConnectorHour",
    "ConnectorKey",
    "ConnectorLogo",
    "ConnectorSecret",
    "ConnectorState",
    "ConnectorUse",
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
