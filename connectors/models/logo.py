"""The logo of a connector. Its bytes stand in a table of their own, so that no list of connectors reads them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import clock


class ConnectorLogo(models.Model):
    """A picture that was checked. Its hash stands beside the name as well (`Connector.logo_sha256`)."""

    connector = models.OneToOneField(
        "connectors.Connector",
        verbose_name=_("connector"),
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="logo",
    )
    content = models.BinaryField(_("content"))
    content_type = models.CharField(_("content type"), max_length=20)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    width = models.PositiveSmallIntegerField(_("width"))
    height = models.PositiveSmallIntegerField(_("height"))
    changed_at = models.DateTimeField(_("changed at"), default=clock.now)

    class Meta:
        verbose_name = _("logo")
        verbose_name_plural = _("logos")
        ordering = ["-changed_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(content_type__in=["image/png", "image/jpeg", "image/webp"]),
                name="logo_is_a_picture",
            ),
        ]

    def __str__(self) -> str:
        return self.sha256
