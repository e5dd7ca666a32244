"""What somebody answered to a card."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import ids


class Response(models.Model):
    """An answer to an Action. To an anonymous one it holds neither who gave it, nor through what, nor when.

    `responder` tells one responder of the action from another: the person's id, or for an anonymous action a keyed
    digest, which leads nowhere (`groups.services.responses`). `body` is what the action's card type has read.
    """

    id = models.UUIDField(_("response ID"), primary_key=True, default=ids.new_id, editable=False)
    action = models.ForeignKey(
        "groups.Action",
        verbose_name=_("action"),
        on_delete=models.CASCADE,
        related_name="responses",
        db_index=False,  # response_by_action begins with it
    )
    person = models.ForeignKey(
        "accounts.Person", verbose_name=_("person"), on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    connector = models.ForeignKey(
        "connectors.Connector",
        verbose_name=_("connector"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    responder = models.CharField(_("responder"), max_length=80)
    is_first = models.BooleanField(
        _("is first"),
        default=True,
        help_text=_("The responder's first answer: the only one, unless the action takes several."),
    )
    body = models.JSONField(_("content"), default=dict)
    responded_at = models.DateTimeField(_("responded at"), null=True, blank=True)

    class Meta:
        verbose_name = _("response")
        verbose_name_plural = _("responses")
        ordering = ["id"]
        indexes = [models.Index(fields=["action", "id"], name="response_by_action")]
        constraints = [
            models.UniqueConstraint(
                fields=["action", "responder"], condition=models.Q(is_first=True), name="one_first_response"
            ),
            models.CheckConstraint(
                condition=models.Q(person__isnull=False, responded_at__isnull=False)
                | models.Q(person__isnull=True, connector__isnull=True, responded_at__isnull=True),
                name="response_is_named_or_anonymous",
            ),
        ]

    def __str__(self) -> str:
        return f"Response {self.pk}"
