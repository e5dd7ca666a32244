"""An organisation admin's user token reaches the whole organisation: it waits here until a second admin confirms it."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connectors.models.connector import PermissionSetField
from kaizala_console.lib import clock
from kaizala_console.lib.fields import IdField

WAITING = models.Q(
    confirmed_at__isnull=True, refused_at__isnull=True, withdrawn_at__isnull=True, expired_at__isnull=True
)


class UserTokenRequestState(StrEnum):
    WAITING = "waiting"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class UserTokenRequestQuerySet(models.QuerySet["UserTokenRequest"]):
    def waiting(self) -> UserTokenRequestQuerySet:
        """Those without an answer, whatever their deadline."""
        return self.filter(WAITING)

    def overdue(self, at: dt.datetime) -> UserTokenRequestQuerySet:
        return self.waiting().filter(expires_at__lte=at)


class UserTokenRequest(models.Model):
    """`permissions` are what the second admin is asked to confirm; the connector may ask for more by then."""

    id = IdField(_("id"))
    connector = models.ForeignKey(
        "connectors.Connector",
        verbose_name=_("connector"),
        on_delete=models.PROTECT,
        related_name="user_token_requests",
    )
    person = models.ForeignKey("accounts.Person", verbose_name=_("person"), on_delete=models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(
        "accounts.User", verbose_name=_("asked by"), on_delete=models.PROTECT, related_name="+"
    )
    permissions = PermissionSetField(_("permissions"))
    asked_at = models.DateTimeField(_("asked at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)
    refused_at = models.DateTimeField(_("refused at"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)
    expired_at = models.DateTimeField(_("expired at"), null=True, blank=True)
    answered_by = models.ForeignKey(
        "accounts.User",
        verbose_name=_("answered by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    handoff = models.ForeignKey(
        "connectors.Handoff",
        verbose_name=_("handoff"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )

    objects = UserTokenRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("request for a user token")
        verbose_name_plural = _("requests for user tokens")
        ordering = ["-asked_at", "-id"]
        indexes = [models.Index(fields=["expires_at", "id"], condition=WAITING, name="user_token_request_waiting")]
        constraints = [
            models.UniqueConstraint(
                fields=["connector", "person"], condition=WAITING, name="one_waiting_user_token_request"
            ),
            models.CheckConstraint(
                condition=models.Q(answered_by__isnull=True) | ~models.Q(answered_by=models.F("asked_by")),
                name="user_token_is_confirmed_by_somebody_else",
            ),
            models.CheckConstraint(
                condition=models.Q(confirmed_at__isnull=True, handoff__isnull=True)
                | models.Q(confirmed_at__isnull=False, handoff__isnull=False, answered_by__isnull=False),
                name="confirmed_user_token_has_a_handoff",
            ),
        ]

    def __str__(self) -> str:
        return f"UserTokenRequest {self.pk}"

    @property
    def state(self) -> UserTokenRequestState:
        if self.confirmed_at:
            return UserTokenRequestState.CONFIRMED
        if self.refused_at:
            return UserTokenRequestState.REFUSED
        if self.withdrawn_at:
            return UserTokenRequestState.WITHDRAWN
        if self.expired_at or self.expires_at <= clock.now():
            return UserTokenRequestState.EXPIRED
        return UserTokenRequestState.WAITING


# ----------------------------------------------------------------------------------------------------
# The code that a browser carries to a program after "Allow": good once, for a minute (OAuth, RFC 6749 §4.1).


class AuthorizationCodeQuerySet(models.QuerySet["AuthorizationCode"]):
    def old(self, before: dt.datetime) -> AuthorizationCodeQuerySet:
        return self.filter(expires_at__lt=before)


class AuthorizationCode(models.Model):
    """Only a keyed digest of the code is stored. A used row stays for some time: it shows a replay, and what to end."""

    digest = models.CharField(_("digest"), max_length=64, unique=True)
    connector = models.ForeignKey(
        "connectors.Connector", verbose_name=_("connector"), on_delete=models.CASCADE, related_name="+"
    )
    user = models.ForeignKey("accounts.User", verbose_name=_("user"), on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey("accounts.Person", verbose_name=_("person"), on_delete=models.PROTECT, related_name="+")
    scope = models.CharField(_("scope"), max_length=500, help_text=_("What the person saw (RFC 6749 §3.3)."))
    redirect_url = models.CharField(_("redirect url"), max_length=200)
    challenge = models.CharField(
        _("challenge"), max_length=43, blank=True, help_text=_("PKCE, S256 (RFC 7636); empty without it.")
    )
    made_at = models.DateTimeField(_("made at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))
    used_at = models.DateTimeField(_("used at"), null=True, blank=True)
    refresh_token = models.ForeignKey(
        "connectors.RefreshToken",
        verbose_name=_("refresh token"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )

    objects = AuthorizationCodeQuerySet.as_manager()

    class Meta:
        verbose_name = _("authorization code")
        verbose_name_plural = _("authorization codes")
        indexes = [models.Index(fields=["expires_at"], name="authorization_code_by_end")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(refresh_token__isnull=True) | models.Q(used_at__isnull=False),
                name="unused_code_made_no_token",
            )
        ]

    def __str__(self) -> str:
        return f"AuthorizationCode {self.pk}"
