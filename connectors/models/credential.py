"""The public key of a connector: what refresh tokens are sealed to, so that only its holder can open them."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ConnectorKeyQuerySet(models.QuerySet["ConnectorKey"]):
    def live(self) -> ConnectorKeyQuerySet:
        """Those that new tokens are sealed to; one a connector at most."""
        return self.filter(removed_at__isnull=True)


class ConnectorKey(models.Model):
    """The private half was never here. A removed key stays in the list: what was sealed to it names it."""

    connector = models.ForeignKey(
        "connectors.Connector", verbose_name=_("connector"), on_delete=models.CASCADE, related_name="keys"
    )
    jwk = models.JSONField(_("public key"), help_text=_("As a JWK (RFC 7517), its public members alone."))
    fingerprint = models.CharField(_("fingerprint"), max_length=43, help_text=_("The thumbprint of RFC 7638, SHA-256."))
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    created_by = models.ForeignKey(
        "accounts.User", verbose_name=_("created by"), on_delete=models.PROTECT, related_name="+"
    )
    removed_at = models.DateTimeField(_("removed at"), null=True, blank=True)
    removed_by = models.ForeignKey(
        "accounts.User", verbose_name=_("removed by"), on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    objects = ConnectorKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("public key")
        verbose_name_plural = _("public keys")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connector"], condition=models.Q(removed_at__isnull=True), name="one_live_key_a_connector"
            ),
            models.CheckConstraint(
                condition=models.Q(removed_at__isnull=True, removed_by__isnull=True)
                | models.Q(removed_at__isnull=False, removed_by__isnull=False),
                name="removed_key_names_who",
            ),
        ]

    def __str__(self) -> str:
        return self.fingerprint

    @property
    def curve(self) -> str:
        """`X25519` or `P-256`."""
        return str(self.jwk["crv"])


# ----------------------------------------------------------------------------------------------------
# A credential that was just shown or given: survives a double click or a lost answer, and nothing else.


class OneTimeSecretQuerySet(models.QuerySet["OneTimeSecret"]):
    def overdue(self, at: dt.datetime) -> OneTimeSecretQuerySet:
        return self.filter(expires_at__lte=at)


class OneTimeSecret(models.Model):
    """Sealed with the server's key and with a secret of who may ask again: the form's own random key, which only the
    browser holds; or, of a program, the connector's secret and the key that it made up for this one claim.

    So the row alone opens nothing. It is deleted when the person presses "Done", when the credential ends, or after
    minutes. `form_tag` is a keyed digest of that secret, and finds the row again.
    """

    user = models.ForeignKey(
        "accounts.User", verbose_name=_("user"), on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    form_tag = models.CharField(_("form tag"), max_length=64)
    subject_kind = models.CharField(_("subject kind"), max_length=32)
    subject_id = models.CharField(_("subject id"), max_length=64)
    sealed = models.BinaryField(_("sealed"), editable=False)
    shown_at = models.DateTimeField(_("shown at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))

    objects = OneTimeSecretQuerySet.as_manager()

    class Meta:
        db_table = "connectors_shownsecret"
        verbose_name = _("secret on a screen")
        verbose_name_plural = _("secrets on a screen")
        constraints = [models.UniqueConstraint(fields=["form_tag"], name="one_secret_a_form")]
        indexes = [models.Index(fields=["expires_at"], name="shown_secret_overdue")]

    def __str__(self) -> str:
        return f"OneTimeSecret {self.pk}"
