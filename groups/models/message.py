"""A text message in a group."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import clock, ids


class Message(models.Model):
    """`person` is whose role it was posted with; `connector` the program that posted it."""

    MAX_CHARACTERS = 4000  # wire protocol §6, Messages

    id = models.UUIDField(
        _("reference ID"), primary_key=True, default=ids.new_id, editable=False
    )
    group = models.ForeignKey("groups.Group", on_delete=models.CASCADE, related_name="messages")
    person = models.ForeignKey("accounts.Person", on_delete=models.PROTECT, related_name="+")
    connector = models.ForeignKey(
        "connectors.Connector", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    text = models.TextField(_("message"), max_length=MAX_CHARACTERS)
    sent_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-sent_at", "-id"]
        indexes = [models.Index(fields=["group", "-sent_at", "-id"], name="message_by_group")]
        constraints = [models.CheckConstraint(condition=~models.Q(text=""), name="message_says_something")]

    def __str__(self) -> str:
        return f"Message {self.pk}"
