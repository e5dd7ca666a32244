"""One try of a delivery to a webhook, and what came back."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from connectors.models.webhook import MOST_ANSWER_CHARACTERS, WebhookDelivery
from kaizala_console.lib import clock


class WebhookAttempt(models.Model):
    """One try: when, how long it took, and what came back (`connectors.webhooks.receiver_response`).

    What a receiver answers is a stranger's text: shown to the connector's owners, and never interpreted.
    """

    class Problem(models.TextChoices):
        """Why there was no answer that counts. The first two are the console's; `status` is any answer but 2xx."""

        KEY = "key", _("the console has lost the encryption key of the webhook’s secrets")
        REFUSED = "refused", _("the address is not one that may be called")
        UNREACHABLE = "unreachable", _("the other side could not be reached")
        TIMEOUT = "timeout", _("the other side did not answer in time")
        TLS = "tls", _("the other side has no certificate that can be trusted")
        PROTOCOL = "protocol", _("the other side did not answer in HTTP")
        REDIRECT = "redirect", _("the other side redirected, which is not followed")
        STATUS = "status", _("the other side answered with an error")

    class Body(models.TextChoices):
        """What the answer's body was, as far as it was read; empty when it was not."""

        EMPTY = "empty", _("empty")
        TEXT = "text", _("text")
        CUT = "cut", _("the beginning of a text")
        BINARY = "binary", _("not text")

    delivery = models.ForeignKey(
        WebhookDelivery, verbose_name=_("delivery"), on_delete=models.CASCADE, related_name="attempts"
    )
    began_at = models.DateTimeField(_("began at"), default=clock.now)
    milliseconds = models.PositiveIntegerField(_("milliseconds"), default=0)
    status = models.PositiveSmallIntegerField(_("status"), null=True, blank=True)
    problem = models.CharField(_("problem"), max_length=12, choices=Problem.choices, blank=True)
    answer_headers = models.JSONField(_("answer headers"), default=dict, blank=True)
    answer_body = models.CharField(_("answer body"), max_length=8, choices=Body.choices, blank=True)
    answer_text = models.TextField(_("answer text"), max_length=MOST_ANSWER_CHARACTERS, blank=True)

    class Meta:
        verbose_name = _("webhook attempt")
        verbose_name_plural = _("webhook attempts")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(problem="", status__isnull=True), name="webhook_attempt_says_what_came"
            ),
            models.CheckConstraint(
                condition=models.Q(answer_text="") | models.Q(answer_body__in=["text", "cut"]),
                name="webhook_answer_text_is_text",
            ),
        ]

    def __str__(self) -> str:
        return f"WebhookAttempt {self.pk}"
