"""Reports that a credential is where it must not be."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib.fields import IdField


class LeakReportQuerySet(models.QuerySet["LeakReport"]):
    def open(self) -> LeakReportQuerySet:
        """Those that no owner has answered yet."""
        return self.filter(closed_at__isnull=True)


class LeakReport(models.Model):
    """Somebody who holds a whole credential says that it has leaked: from then on it is refused (`reported_at` there).

    An owner answers: it is revoked, or restored. An access token has no row: the refresh token that it stands on is
    the one that is refused.
    """

    class Outcome(models.TextChoices):
        REVOKED = "revoked", _("revoked")
        RESTORED = "restored", _("restored")

    id = IdField(_("id"))
    connector = models.ForeignKey(
        "connectors.Connector", verbose_name=_("connector"), on_delete=models.PROTECT, related_name="leak_reports"
    )
    secret = models.ForeignKey(
        "connectors.ConnectorSecret",
        verbose_name=_("secret"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="leak_reports",
    )
    refresh_token = models.ForeignKey(
        "connectors.RefreshToken",
        verbose_name=_("refresh token"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="leak_reports",
    )
    prefix = models.CharField(
        _("prefix"), max_length=5, help_text=_("The kind of what was found: `kzcs_`, `kzrt_` or `kzat_`.")
    )
    where = models.CharField(_("where it was found"), max_length=500, blank=True)
    reported_at = models.DateTimeField(_("reported at"), default=timezone.now)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    closed_by = models.ForeignKey(
        "accounts.User", verbose_name=_("closed by"), on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome.choices, blank=True)

    objects = LeakReportQuerySet.as_manager()

    class Meta:
        verbose_name = _("leak report")
        verbose_name_plural = _("leak reports")
        ordering = ["-reported_at", "-id"]
        indexes = [
            models.Index(
                fields=["reported_at", "id"], condition=models.Q(closed_at__isnull=True), name="leak_report_open"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(secret__isnull=False, refresh_token__isnull=True)
                | models.Q(secret__isnull=True, refresh_token__isnull=False),
                name="leak_report_is_about_one_credential",
            ),
            models.CheckConstraint(
                condition=models.Q(closed_at__isnull=True, closed_by__isnull=True, outcome="")
                | models.Q(closed_at__isnull=False, closed_by__isnull=False, outcome__in=["revoked", "restored"]),
                name="closed_leak_report_says_who_and_how",
            ),
            models.UniqueConstraint(
                fields=["secret"], condition=models.Q(closed_at__isnull=True), name="one_open_leak_report_a_secret"
            ),
            models.UniqueConstraint(
                fields=["refresh_token"],
                condition=models.Q(closed_at__isnull=True),
                name="one_open_leak_report_a_refresh_token",
            ),
        ]

    def __str__(self) -> str:
        return f"LeakReport {self.pk}"
