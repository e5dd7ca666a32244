"""A grant whose developer asked the console to keep an access token ready for its program."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import outbox


class CachedTokenState(StrEnum):
    """What the developer sees: ready; being fetched; the last try failed and another follows; refused, and over."""

    READY = "ready"
    WAITING = "waiting"
    TROUBLED = "troubled"
    REFUSED = "refused"


class CachedTokenQuerySet(models.QuerySet["CachedToken"]):
    def due(self, at: dt.datetime) -> CachedTokenQuerySet:
        """Those that a worker should fetch at `at`."""
        return self.filter(outbox.due(at))


class CachedToken(models.Model):
    """The credentials that the developer entrusted, and the access token fetched with them; all sealed.

    Both kinds of ciphertext are wiped when the Token Service refuses the credentials, and the row goes with the
    developer's "Stop" and with the end of the grant.
    """

    grant = models.OneToOneField(
        "connectors.Grant", verbose_name=_("grant"), on_delete=models.CASCADE, related_name="cached_token"
    )
    asked_by = models.ForeignKey(
        "accounts.User", verbose_name=_("asked by"), on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked at"), default=timezone.now)
    sealed_secret = models.BinaryField(_("sealed secret"), null=True, blank=True, editable=False)
    sealed_refresh_token = models.BinaryField(_("sealed refresh token"), null=True, blank=True, editable=False)
    sealed_access_token = models.BinaryField(_("sealed access token"), null=True, blank=True, editable=False)
    fetched_at = models.DateTimeField(_("fetched at"), null=True, blank=True)
    expires_at = models.DateTimeField(
        _("expires at"), null=True, blank=True, help_text=_("When the access token at hand ends.")
    )
    scope = models.CharField(_("scope"), max_length=1000, blank=True)
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True, blank=True, default=timezone.now)
    scheduled_at = models.DateTimeField(_("scheduled at"), default=timezone.now, editable=False)
    failures = models.PositiveSmallIntegerField(_("failures"), default=0, help_text=_("Failed tries in a row."))
    last_error = models.CharField(_("last error"), max_length=300, blank=True)
    refused_at = models.DateTimeField(_("refused at"), null=True, blank=True)

    objects = CachedTokenQuerySet.as_manager()

    class Meta:
        db_table = "connectors_warmtoken"
        verbose_name = _("cached access token")
        verbose_name_plural = _("cached access tokens")
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=models.Q(next_attempt_at__isnull=False), name="warm_token_due"
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(refused_at__isnull=True)
                | models.Q(
                    sealed_secret__isnull=True,
                    sealed_refresh_token__isnull=True,
                    sealed_access_token__isnull=True,
                    next_attempt_at__isnull=True,
                ),
                name="refused_warm_token_holds_nothing",
            )
        ]

    def __str__(self) -> str:
        return f"CachedToken {self.pk}"

    def is_ready(self, at: dt.datetime) -> bool:
        """Whether there is an access token at hand that is valid at `at`."""
        return self.sealed_access_token is not None and self.expires_at is not None and self.expires_at > at

    def state(self, at: dt.datetime) -> CachedTokenState:
        if self.refused_at:
            return CachedTokenState.REFUSED
        if self.failures:
            return CachedTokenState.TROUBLED
        return CachedTokenState.READY if self.is_ready(at) else CachedTokenState.WAITING
