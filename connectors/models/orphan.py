"""What has nobody left who looks after it, found by the worker and told once."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import clock


class Orphan(models.Model):
    """Open while the finding holds; the same thing orphaned again later is a row of its own, and told again."""

    class Kind(models.TextChoices):
        CONNECTOR = "connector", _("a connector whose owners are gone")
        PHONE = "phone", _("access in the name of a number that another account holds now")
        GROUP = "group", _("a group without an admin who has an account")

    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    subject_id = models.CharField(_("subject id"), max_length=64)
    name = models.CharField(_("name"), max_length=300)
    organisation = models.ForeignKey(
        "accounts.Organisation",
        verbose_name=_("organisation"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
    )
    found_at = models.DateTimeField(_("found at"), default=clock.now)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)

    class Meta:
        verbose_name = _("orphan")
        verbose_name_plural = _("orphans")
        ordering = ["-found_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject_id"],
                condition=models.Q(settled_at__isnull=True),
                name="one_open_orphan_a_subject",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"
