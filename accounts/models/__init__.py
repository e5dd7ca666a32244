"""The tables that say who somebody is."""

from accounts.models.audit_event import AuditCheckpoint, AuditEvent
from accounts.models.authenticator_app import AuthenticatorApp
from accounts.models.notice import Notice
from accounts.models.organisation import Organisation
from accounts.models.person import Person, PersonName
from accounts.models.phone import VerifiedPhone
from accounts.models.pin_device import PinDevice
from accounts.models.session import Session
from accounts.models.sms import SandboxSms, SmsMessage
from accounts.models.user import User

__all__ = [
    "AuditCheckpoint",
    "AuditEvent",
    "AuthenticatorApp",
    "Notice",
    "Organisation",
    "Person",
    "PersonName",
    "PinDevice",
    "SandboxSms",
    "Session",
    "SmsMessage",
    "User",
    "VerifiedPhone",
]
