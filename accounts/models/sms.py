"""The log of what was sent by SMS, and the sandbox's inbox, which stands in for people's phones."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.pin_device import PinDevice
from kaizala_console.lib import outbox


class SmsMessageQuerySet(models.QuerySet["SmsMessage"]):
    def counted(self, since: dt.datetime) -> SmsMessageQuerySet:
        """Those since then that were or may have been sent: by them the limits count."""
        return self.filter(created_at__gt=since).exclude(status=SmsMessage.Status.FAILED)

    def waiting(self) -> SmsMessageQuerySet:
        return self.filter(next_attempt_at__isnull=False)

    def due(self, at: dt.datetime) -> SmsMessageQuerySet:
        return self.filter(outbox.due(at))


class SmsMessage(models.Model):
    """One SMS: the row is written when it is asked for, and the worker sends it. What must be sent is sealed, and wiped
    when it was sent or cannot be any more. The number is masked; `number_tag`, a keyed digest, finds it again.
    """

    class Status(models.TextChoices):
        SENDING = "sending", _("being sent")
        SENT = "sent", _("accepted by the gateway")
        FAILED = "failed", _("not sent")

    user = models.ForeignKey(
        "accounts.User", on_delete=models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    audience = models.CharField(
        _("audience"), max_length=64, blank=True, help_text=_("The connector that asked, when it was a program.")
    )
    with_secret = models.BooleanField(
        _("with secret"), default=True, help_text=_("Whether the program sent its connector’s secret.")
    )
    masked_number = models.CharField(_("phone number"), max_length=32)
    number_tag = models.CharField(_("number tag"), max_length=64)
    country_prefix = models.CharField(_("country prefix"), max_length=3)
    purpose = models.CharField(_("purpose"), max_length=8, choices=PinDevice.Purpose.choices)
    client_address = models.GenericIPAddressField(_("asked from"), null=True, blank=True)
    gateway = models.CharField(_("gateway"), max_length=24)
    reference = models.CharField(_("gateway’s reference"), max_length=64, blank=True)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.SENDING)
    error = models.CharField(_("error"), max_length=200, blank=True)
    sealed = models.BinaryField(_("sealed"), null=True, blank=True, editable=False)
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True, blank=True)
    scheduled_at = models.DateTimeField(_("scheduled at"), default=timezone.now, editable=False)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    created_at = models.DateTimeField(_("at"), default=timezone.now)
    used_at = models.DateTimeField(_("PIN used"), null=True, blank=True)

    objects = SmsMessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("SMS")
        verbose_name_plural = _("SMS")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["number_tag", "-created_at"], name="sms_by_number"),
            models.Index(
                fields=["next_attempt_at"], condition=models.Q(next_attempt_at__isnull=False), name="sms_waiting"
            ),
            models.Index(fields=["created_at"], condition=models.Q(status="failed"), name="sms_failed"),
            models.Index(fields=["user", "-created_at"], name="sms_by_user"),
            models.Index(fields=["client_address", "-created_at"], name="sms_by_address"),
            models.Index(fields=["country_prefix", "-created_at"], name="sms_by_prefix"),
            models.Index(fields=["audience", "-created_at"], name="sms_by_audience", condition=~models.Q(audience="")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status="sending") | models.Q(sealed__isnull=True, next_attempt_at__isnull=True),
                name="sms_that_is_over_holds_no_pin",
            )
        ]

    def __str__(self) -> str:
        return f"SmsMessage {self.pk}"


class SandboxSms(models.Model):
    """An SMS that the sandbox did not send: people read it at /sandbox/sms. Empty in production."""

    number = models.CharField(_("phone number"), max_length=16)
    text = models.CharField(_("text"), max_length=320)
    sent_at = models.DateTimeField(_("sent at"), default=timezone.now)

    class Meta:
        verbose_name = _("SMS of the sandbox")
        verbose_name_plural = _("SMS of the sandbox")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"SandboxSms {self.pk}"
