"""A bot: a name and a picture under which a connector posts. It has no rights of its own."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib.fields import IdField


class BotQuerySet(models.QuerySet["Bot"]):
    def present(self) -> BotQuerySet:
        """Those that were not deleted."""
        return self.filter(removed_at__isnull=True)


class Bot(models.Model):
    """A deleted bot keeps its row: what was posted under its name still says so."""

    id = IdField(_("bot ID"))
    connector = models.ForeignKey(
        "connectors.Connector",
        verbose_name=_("connector"),
        on_delete=models.CASCADE,
        related_name="bots",
        db_index=False,  # bot_by_connector begins with it
    )
    name = models.CharField(_("name"), max_length=80)
    picture_url = models.URLField(_("picture"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    removed_at = models.DateTimeField(_("removed at"), null=True, blank=True)

    objects = BotQuerySet.as_manager()

    class Meta:
        verbose_name = _("bot")
        verbose_name_plural = _("bots")
        ordering = ["created_at", "id"]
        indexes = [models.Index(fields=["connector", "created_at", "id"], name="bot_by_connector")]
        constraints = [models.CheckConstraint(condition=~models.Q(name=""), name="bot_has_a_name")]

    def __str__(self) -> str:
        return self.name
