"""How much each grant is used, by operation and hour, and by operation and day; and the same of connectors."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Outcomes(models.Model):
    """How many calls there were: of `calls`, `refused` were answered 4xx, `throttled` 429, `failed` 5xx."""

    calls = models.PositiveBigIntegerField(_("calls"), default=0)
    refused = models.PositiveBigIntegerField(_("refused"), default=0)
    throttled = models.PositiveBigIntegerField(_("throttled"), default=0)
    failed = models.PositiveBigIntegerField(_("failed"), default=0)

    class Meta:
        abstract = True


def _outcomes_are_calls(name: str) -> models.CheckConstraint:
    counted = models.F("refused") + models.F("throttled") + models.F("failed")
    return models.CheckConstraint(condition=models.Q(calls__gte=counted), name=name)


class UsageHour(Outcomes):
    """Counts of one hour (UTC). Written in bulk, some seconds after the calls (`services.usage`).

    `scope` is what the operation asked of the token, so that what would have failed without a permission can be told
    from the rows alone.
    """

    grant = models.ForeignKey(
        "connectors.Grant", verbose_name=_("grant"), on_delete=models.PROTECT, related_name="usage", db_index=False
    )
    hour = models.DateTimeField(_("hour"))
    operation = models.CharField(
        _("operation"), max_length=120, help_text=_("Method and route: `POST v1/groups/<group_id>/messages`.")
    )
    scope = models.CharField(_("scope"), max_length=32, blank=True)

    class Meta:
        verbose_name = _("usage in an hour")
        verbose_name_plural = _("usage by the hour")
        ordering = ["-hour", "grant", "operation"]
        indexes = [models.Index(fields=["hour"], name="usage_by_hour")]
        constraints = [
            models.UniqueConstraint(fields=["grant", "hour", "operation"], name="one_row_a_grant_hour_and_operation"),
            _outcomes_are_calls("usage_outcomes_are_calls"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.hour:%Y-%m-%d %H:00}"


class UsageDay(Outcomes):
    """The hours of one day (UTC) together: charts over months read these, a twenty-fourth of the rows (ADR 0023).

    Written in the transaction that writes the hours (`services.usage`), so that the two never tell differently.
    """

    grant = models.ForeignKey(
        "connectors.Grant", verbose_name=_("grant"), on_delete=models.PROTECT, related_name="+", db_index=False
    )
    day = models.DateField(_("day"))
    operation = models.CharField(_("operation"), max_length=120)

    class Meta:
        verbose_name = _("usage in a day")
        verbose_name_plural = _("usage by the day")
        ordering = ["-day", "grant", "operation"]
        indexes = [models.Index(fields=["day"], name="usage_by_day")]
        constraints = [
            models.UniqueConstraint(fields=["grant", "day", "operation"], name="one_row_a_grant_day_and_operation"),
            _outcomes_are_calls("usage_day_outcomes_are_calls"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.day:%Y-%m-%d}"


class ConnectorUsage(Outcomes):
    """The counts of all grants of a connector together, ended ones too: what its pages read (ADR 0023).

    By the hour and by the day (UTC), written in the transaction that writes those of the grants (`services.usage`), so
    that the two never say different things.
    """

    class Bucket(models.TextChoices):
        HOUR = "hour", _("hour")
        DAY = "day", _("day")

    connector = models.ForeignKey(
        "connectors.Connector", verbose_name=_("connector"), on_delete=models.PROTECT, related_name="+", db_index=False
    )
    bucket = models.CharField(_("bucket"), max_length=4, choices=Bucket)
    at = models.DateTimeField(_("begins at"))
    operation = models.CharField(_("operation"), max_length=120)
    scope = models.CharField(_("scope"), max_length=32, blank=True, help_text=_("Of an hour."))

    class Meta:
        verbose_name = _("usage of a connector")
        verbose_name_plural = _("usage of connectors")
        ordering = ["-at", "connector", "operation"]
        indexes = [models.Index(fields=["bucket", "at"], name="connector_usage_by_time")]
        constraints = [
            models.UniqueConstraint(
                fields=["connector", "bucket", "at", "operation"], name="one_row_a_connector_bucket_and_operation"
            ),
            models.CheckConstraint(condition=models.Q(bucket__in=["hour", "day"]), name="usage_bucket_is_known"),
            _outcomes_are_calls("connector_usage_outcomes_are_calls"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.at:%Y-%m-%d %H:00}"
