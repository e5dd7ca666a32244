"""The sandbox's gateway: the SMS stays here, and people read it at /sandbox/sms."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from accounts.models import SandboxSms
from accounts.sms import base

KEPT = 200


class SandboxInbox:
    """Refuses to work outside a sandbox, where a PIN must never be written down."""

    name: ClassVar[str] = "inbox"
    is_local: ClassVar[bool] = True

    def send(self, *, number: str, pin: str, minutes: int, program: str = "") -> str:
        """See Gateway; the reference is the row's number."""
        return self.send_text(number=number, text=base.pin_text(pin, minutes, program))

    def send_text(self, *, number: str, text: str) -> str:
        """See TextSender. Only the newest texts are kept."""
        if not settings.SANDBOX:
            raise ImproperlyConfigured("The SMS inbox is for the sandbox only.")
        kept = SandboxSms.objects.create(number=number, text=text)
        SandboxSms.objects.filter(pk__lte=kept.pk - KEPT).delete()
        return str(kept.pk)
