"""What a program was given for its claim: it can ask once more when the answer was lost on the way."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import clock


class ClaimAnswerQuerySet(models.QuerySet["ClaimAnswer"]):
    def overdue(self, at: dt.datetime) -> ClaimAnswerQuerySet:
        return self.filter(expires_at__lte=at)


class ClaimAnswer(models.Model):
    """Sealed with the server's key, the connector's secret and the key that the program made up for this one claim.

    So the row alone opens nothing. It is deleted after minutes, and when the token ends. `key_tag` is a keyed digest
    of that secret and that key.
    """

    handoff = models.OneToOneField(
        "connectors.Handoff", verbose_name=_("handoff"), on_delete=models.CASCADE, related_name="claim_answer"
    )
    key_tag = models.CharField(_("key tag"), max_length=64, unique=True)
    sealed = models.BinaryField(_("sealed"), editable=False)
    answered_at = models.DateTimeField(_("answered at"), default=clock.now)
    expires_at = models.DateTimeField(_("expires at"))

    objects = ClaimAnswerQuerySet.as_manager()

    class Meta:
        verbose_name = _("answer to a claim")
        verbose_name_plural = _("answers to claims")
        indexes = [models.Index(fields=["expires_at"], name="claim_answer_overdue")]

    def __str__(self) -> str:
        return f"ClaimAnswer {self.pk}"
