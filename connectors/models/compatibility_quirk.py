"""Which old habits a connector's program showed: one row for each habit and day."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class HabitDay(models.Model):
    """Counts of one day (UTC). Written in bulk, some seconds after the calls (`services.usage`).

    `habit` is a value of `wire.habits.Habit`, `example` the last operation that showed it; nothing that was
    sent is kept.
    """

    connector = models.ForeignKey(
        "connectors.Connector",
        verbose_name=_("connector"),
        on_delete=models.CASCADE,
        related_name="habits",
        db_index=False,
    )
    habit = models.CharField(_("habit"), max_length=32)
    day = models.DateField(_("day"))
    times = models.PositiveBigIntegerField(_("times"), default=0)
    seen_at = models.DateTimeField(_("seen at"))
    example = models.CharField(
        _("example"), max_length=120, help_text=_("Method and route: `POST v1/groups/<group_id>/messages`.")
    )

    class Meta:
        verbose_name = _("habit on a day")
        verbose_name_plural = _("habits by the day")
        ordering = ["-day", "connector", "habit"]
        indexes = [models.Index(fields=["day"], name="habit_by_day")]
        constraints = [
            models.UniqueConstraint(fields=["connector", "habit", "day"], name="one_row_a_connector_habit_and_day")
        ]

    def __str__(self) -> str:
        return f"{self.habit} {self.day:%Y-%m-%d}"
