"""Which group stands under which."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import clock


class GroupLink(models.Model):
    """`child` is a sub-group of `parent`. A group may have several parents, but never itself above it."""

    parent = models.ForeignKey(
        "groups.Group",
        verbose_name=_("parent"),
        on_delete=models.CASCADE,
        related_name="child_links",
        db_index=False,  # linked_once begins with it
    )
    child = models.ForeignKey(
        "groups.Group", verbose_name=_("child"), on_delete=models.CASCADE, related_name="parent_links"
    )
    linked_at = models.DateTimeField(_("linked at"), default=clock.now)

    class Meta:
        verbose_name = _("sub-group link")
        verbose_name_plural = _("sub-group links")
        constraints = [
            models.UniqueConstraint(fields=["parent", "child"], name="linked_once"),
            models.CheckConstraint(condition=~models.Q(parent=models.F("child")), name="no_group_under_itself"),
        ]

    def __str__(self) -> str:
        return f"{self.parent_id} › {self.child_id}"
