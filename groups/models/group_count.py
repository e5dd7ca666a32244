"""How many people are in a group and down its hierarchy, kept beside the group; and whose counts are out of date."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class GroupCount(models.Model):
    """What `groups.queries.counts` gave for the group when it was last counted (ADR 0050).

    Right as long as there is no GroupChange of the group or of one under it. A group without a row was never counted.
    """

    group = models.OneToOneField(
        "groups.Group", verbose_name=_("group"), on_delete=models.CASCADE, primary_key=True, related_name="kept_count"
    )
    level = models.PositiveIntegerField(_("members"))
    level_unprovisioned = models.PositiveIntegerField(_("members whose number was never verified"))
    total = models.PositiveIntegerField(_("members down the hierarchy"))
    total_unprovisioned = models.PositiveIntegerField(_("members down the hierarchy whose number was never verified"))
    unique = models.PositiveIntegerField(_("people down the hierarchy"))

    class Meta:
        verbose_name = _("kept count of a group")
        verbose_name_plural = _("kept counts of groups")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    level__lte=models.F("total"),
                    level_unprovisioned__lte=models.F("level"),
                    total_unprovisioned__lte=models.F("total"),
                    unique__lte=models.F("total"),
                    unique__gte=models.F("level"),
                ),
                name="group_counts_are_possible",
            )
        ]

    def __str__(self) -> str:
        return f"GroupCount {self.pk}"


class GroupChange(models.Model):
    """Something changed who is in the group, or what stands under it: its counts, and those above it, are out of date.

    Only ever inserted, in the transaction of the change, and deleted by who has counted anew: so nobody waits for
    anybody, however many change members under one large group at once.
    """

    group = models.ForeignKey(
        "groups.Group", verbose_name=_("group"), on_delete=models.CASCADE, related_name="count_changes"
    )

    class Meta:
        verbose_name = _("change of a group’s counts")
        verbose_name_plural = _("changes of groups’ counts")

    def __str__(self) -> str:
        return f"GroupChange {self.pk}"
