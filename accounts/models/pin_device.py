"""A PIN that was sent to a number: a django-otp device that accepts six digits, once, for some minutes."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, TimestampMixin

from kaizala_console.lib import clock, crypto

COST = 2**14  # of scrypt, with blocks of 1 kB: 16 MB and some 50 ms of a processor for each guess


class PinDevice(TimestampMixin, Device):
    """One row for each PIN that is sent. It is checked through `django_otp.verify_token` alone, which locks the row.

    Our own PINs are kept as a digest that is slow (six digits are guessed in no time) and peppered. When the gateway
    makes the PIN itself (Twilio Verify), the digest is empty until the gateway has approved what was typed.
    `confirmed` stays False: a PIN must never count as somebody's standing second factor.
    """

    class Purpose(models.TextChoices):
        VERIFY = "verify", _("verify a phone number")
        CONFIRM = "confirm", _("confirm identity")
        LOGIN = "login", _("allow a connector")

    user = models.ForeignKey(
        "accounts.User", on_delete=models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    audience = models.CharField(
        _("audience"), max_length=64, blank=True, help_text=_("The connector that a PIN of a program’s user is for.")
    )
    confirmed = models.BooleanField(_("confirmed"), default=False, editable=False)
    number = models.CharField(_("phone number"), max_length=16, help_text=_("E.164"))
    purpose = models.CharField(_("purpose"), max_length=8, choices=Purpose.choices)
    sms = models.OneToOneField(
        "accounts.SmsMessage", verbose_name=_("sms"), on_delete=models.CASCADE, related_name="pin", editable=False
    )
    pepper_id = models.CharField(_("pepper id"), max_length=16, blank=True, editable=False)
    salt = models.CharField(_("salt"), max_length=32, blank=True, editable=False)
    digest = models.CharField(_("digest"), max_length=64, blank=True, editable=False)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    valid_until = models.DateTimeField(_("valid until"))
    tries = models.PositiveSmallIntegerField(_("wrong tries"), default=0)
    used_at = models.DateTimeField(_("used at"), null=True, blank=True)
    superseded_at = models.DateTimeField(
        _("superseded at"), null=True, blank=True, help_text=_("When a newer PIN replaced it.")
    )

    class Meta:
        verbose_name = _("PIN")
        verbose_name_plural = _("PINs")
        indexes = [
            models.Index(fields=["user", "purpose", "-id"], name="pin_by_user"),
            models.Index(fields=["valid_until"], name="pin_by_end"),
            models.Index(fields=["audience", "number", "-id"], name="pin_by_audience"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(number__startswith="+"), name="pin_number_is_e164"),
            models.CheckConstraint(condition=models.Q(confirmed=False), name="pin_is_no_standing_second_factor"),
            models.CheckConstraint(
                condition=(models.Q(purpose="login", user__isnull=True) & ~models.Q(audience=""))
                | (~models.Q(purpose="login") & models.Q(user__isnull=False, audience="")),
                name="pin_is_for_an_account_or_a_program",
            ),
        ]

    def __str__(self) -> str:
        return f"PinDevice {self.pk}"

    def set_pin(self, pin: str) -> None:
        """Keeps the digest of `pin`; does not save."""
        self.pepper_id = crypto.current_key_id()
        self.salt = secrets.token_hex(16)
        self.digest = self._digest_of(pin)

    def verify_token(self, token: str) -> bool:
        """Whether `token` is the PIN, for the first time and in time; a wrong one is counted. Needs the row's lock."""
        if not self.is_open(clock.now()):
            return False
        if not self._is(token):
            self.tries += 1
            self.save(update_fields=["tries"])
            return False
        self.used_at = self.last_used_at = clock.now()
        self.save(update_fields=["used_at", "last_used_at"])
        return True

    def is_open(self, at: dt.datetime) -> bool:
        """Whether a try makes sense at `at`."""
        return (
            self.sent_at is not None
            and self.used_at is None
            and self.superseded_at is None
            and at < self.valid_until
            and self.tries < settings.PIN_TRIES
        )

    def is_sending(self, at: dt.datetime) -> bool:
        """Whether the SMS has not left yet, and still may."""
        return self.sent_at is None and self.sms.next_attempt_at is not None and at < self.valid_until

    def _is(self, pin: str) -> bool:
        if not self.digest:
            return False
        try:
            return crypto.tags_equal(self._digest_of(pin).encode(), self.digest.encode())
        except crypto.UnknownKey:  # the pepper was retired meanwhile: a new PIN is needed
            return False

    def _digest_of(self, pin: str) -> str:
        slow = hashlib.scrypt(pin.encode(), salt=bytes.fromhex(self.salt), n=COST, r=8, p=1, dklen=32)
        return crypto.hmac_tag("pin", slow, self.number, key_id=self.pepper_id).hex()
