"""A phone number that an account has proven to hold."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class VerifiedPhoneQuerySet(models.QuerySet["VerifiedPhone"]):
    def active(self) -> VerifiedPhoneQuerySet:
        return self.filter(released_at__isnull=True)


class VerifiedPhone(models.Model):
    """One number is held by one account at a time; releasing it keeps the row as history."""

    user = models.ForeignKey(
        "accounts.User", verbose_name=_("user"), on_delete=models.CASCADE, related_name="verified_phones"
    )
    person = models.ForeignKey(
        "accounts.Person", verbose_name=_("person"), on_delete=models.PROTECT, related_name="verified_phones"
    )
    is_primary = models.BooleanField(_("primary"), default=False)
    verified_at = models.DateTimeField(_("verified at"), default=timezone.now)
    released_at = models.DateTimeField(_("released at"), null=True, blank=True)

    objects = VerifiedPhoneQuerySet.as_manager()

    class Meta:
        verbose_name = _("verified phone")
        verbose_name_plural = _("verified phones")
        constraints = [
            models.UniqueConstraint(
                fields=["person"],
                condition=models.Q(released_at__isnull=True),
                name="one_account_holds_a_number",
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=models.Q(is_primary=True, released_at__isnull=True),
                name="one_primary_phone_an_account",
            ),
        ]

    def __str__(self) -> str:
        return f"VerifiedPhone {self.pk}"
