"""Which bots post in which groups."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import clock


class GroupBot(models.Model):
    """A bot reaches a group only while this row is there (and its connector's token reaches the group)."""

    group = models.ForeignKey(
        "groups.Group",
        verbose_name=_("group"),
        on_delete=models.CASCADE,
        related_name="group_bots",
        db_index=False,  # bot_once_a_group begins with it
    )
    bot = models.ForeignKey(
        "connectors.Bot", verbose_name=_("bot"), on_delete=models.CASCADE, related_name="group_bots"
    )
    added_at = models.DateTimeField(_("added at"), default=clock.now)

    class Meta:
        verbose_name = _("bot in a group")
        verbose_name_plural = _("bots in groups")
        constraints = [models.UniqueConstraint(fields=["group", "bot"], name="bot_once_a_group")]

    def __str__(self) -> str:
        return f"GroupBot {self.pk}"
