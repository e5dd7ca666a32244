"""A credential that is on somebody's screen right now: survives a double click or a lost answer, and nothing else."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import clock


class ShownSecretQuerySet(models.QuerySet["ShownSecret"]):
    def overdue(self, at: dt.datetime) -> ShownSecretQuerySet:
        return self.filter(expires_at__lte=at)


class ShownSecret(models.Model):
    """Sealed with the server's key and with the form's own random key, which only the browser holds.

    So the row alone opens nothing. It is deleted when the person presses "Done", or after minutes.
    `form_tag` is a keyed digest of that form key; with the account it finds the row again.
    """

    user = models.ForeignKey("accounts.User", verbose_name=_("user"), on_delete=models.CASCADE, related_name="+")
    form_tag = models.CharField(_("form tag"), max_length=64)
    subject_kind = models.CharField(_("subject kind"), max_length=32)
    subject_id = models.CharField(_("subject id"), max_length=64)
    sealed = models.BinaryField(_("sealed"), editable=False)
    shown_at = models.DateTimeField(_("shown at"), default=clock.now)
    expires_at = models.DateTimeField(_("expires at"))

    objects = ShownSecretQuerySet.as_manager()

    class Meta:
        verbose_name = _("secret on a screen")
        verbose_name_plural = _("secrets on a screen")
        constraints = [models.UniqueConstraint(fields=["user", "form_tag"], name="one_secret_a_form")]
        indexes = [models.Index(fields=["expires_at"], name="shown_secret_overdue")]

    def __str__(self) -> str:
        return f"ShownSecret {self.pk}"
