"""Refresh tokens as the console knows them: a public part, and the digest of the rest. Access tokens have no row."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class RefreshTokenQuerySet(models.QuerySet["RefreshToken"]):
    def live(self, at: dt.datetime) -> RefreshTokenQuerySet:
        """Those that have neither expired nor been revoked nor reported as leaked; their grant decides too."""
        return self.filter(revoked_at__isnull=True, reported_at__isnull=True, expires_at__gt=at)

    def unfollowed(self) -> RefreshTokenQuerySet:
        """Those without a successor in use: what goes on by them ends with them.

        Each is asked for its own: of a join, SQLite first sorts all tokens by what they follow.
        """
        in_use = self.model.objects.filter(
            predecessor_id=models.OuterRef("pk"), revoked_at__isnull=True, first_used_at__isnull=False
        )
        return self.filter(~models.Exists(in_use))


class RefreshToken(models.Model):
    """A successor points to the token it was derived from; a token has at most one successor.

    `connector` is the grant's, which never changes: so what is asked of all tokens of a connector has an index.
    """

    grant = models.ForeignKey(
        "connectors.Grant", verbose_name=_("grant"), on_delete=models.PROTECT, related_name="refresh_tokens"
    )
    connector = models.ForeignKey(
        "connectors.Connector",
        verbose_name=_("connector"),
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,  # asked for by the index of those that are not over
    )
    public_part = models.CharField(_("public part"), max_length=32, unique=True)
    pepper_id = models.CharField(_("pepper id"), max_length=16)
    digest = models.CharField(_("digest"), max_length=64)
    predecessor = models.OneToOneField(
        "self", verbose_name=_("predecessor"), on_delete=models.PROTECT, null=True, blank=True, related_name="successor"
    )
    issued_at = models.DateTimeField(_("issued at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    reported_at = models.DateTimeField(
        _("reported at"), null=True, blank=True, help_text=_("Reported as leaked: refused until the owner answers.")
    )
    first_used_at = models.DateTimeField(_("first used at"), null=True, blank=True)
    first_used_from = models.GenericIPAddressField(_("first used from"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)
    last_used_from = models.GenericIPAddressField(_("last used from"), null=True, blank=True)
    reminded_for = models.DateTimeField(
        _("reminded for"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Which reminder was sent last, in days."),
    )

    objects = RefreshTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("refresh token")
        verbose_name_plural = _("refresh tokens")
        ordering = ["-issued_at", "-id"]
        indexes = [
            models.Index(fields=["expires_at"], condition=models.Q(revoked_at__isnull=True), name="refresh_token_ends"),
            models.Index(
                fields=["connector", "expires_at"],
                condition=models.Q(revoked_at__isnull=True, reported_at__isnull=True),
                name="refresh_token_of_connector",
            ),
            # When a connector was used first and last: an end of each.
            models.Index(
                fields=["connector", "first_used_at"],
                condition=models.Q(first_used_at__isnull=False),
                name="refresh_token_first_used",
            ),
            models.Index(
                fields=["connector", "last_used_at"],
                condition=models.Q(last_used_at__isnull=False),
                name="refresh_token_last_used",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["grant"],
                condition=models.Q(revoked_at__isnull=True, predecessor__isnull=True),
                name="one_first_refresh_token_a_grant",
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("issued_at")),
                name="refresh_token_ends_after_it_began",
            ),
        ]

    def __str__(self) -> str:
        return f"RefreshToken {self.pk}"

    def is_live(self, at: dt.datetime) -> bool:
        """As `RefreshTokenQuerySet.live`, for a row at hand."""
        return self.revoked_at is None and self.reported_at is None and self.expires_at > at
