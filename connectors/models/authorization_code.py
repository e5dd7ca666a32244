"""The code that a browser carries to a program after "Allow": good once, for a minute (OAuth, RFC 6749 §4.1)."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.utils.translation import gettext_lazy as _

from connectors.models.fields import PermissionSetField
from kaizala_console.lib import clock


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
    permissions = PermissionSetField(_("permissions"))
    redirect_url = models.CharField(_("redirect url"), max_length=200)
    challenge = models.CharField(
        _("challenge"), max_length=43, blank=True, help_text=_("PKCE, S256 (RFC 7636); empty without it.")
    )
    made_at = models.DateTimeField(_("made at"), default=clock.now)
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
