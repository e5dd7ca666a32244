"""The account of somebody who signs in to the console with Office365."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    def create_user(self, subject: str, **fields: Any) -> User:
        user = self.model(subject=subject, **fields)
        user.set_unusable_password()  # people sign in with Office365 only
        user.save(using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """`subject` identifies the account: `<tid>:<oid>` from Entra; never the e-mail, which can change hands."""

    subject = models.CharField(_("subject"), max_length=160, unique=True)
    organisation = models.ForeignKey(
        "accounts.Organisation",
        on_delete=models.PROTECT,
        related_name="users",
        verbose_name=_("organisation"),
    )
    name = models.CharField(_("name"), max_length=120)
    email = models.EmailField(_("e-mail"), blank=True)
    # Empty: as the browser asks, and for mail the console's own.
    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES, blank=True)
    # As the last device named it; empty: none has, and mails are in the console's own.
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    muted_mail = models.JSONField(
        _("mails not wanted"), default=list, blank=True, help_text=_("Topics of notifications by mail.")
    )
    is_organisation_admin = models.BooleanField(_("organisation admin"), default=False)
    is_staff = models.BooleanField(_("operator"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    # Until then it makes and sees no credentials, because its phone number changed (accounts.services.credential_hold).
    credentials_locked_until = models.DateTimeField(_("credentials locked until"), null=True, blank=True)
    first_steps_put_away_at = models.DateTimeField(
        _("first steps dismissed at"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When they dismissed the first steps on Home."),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "subject"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name.split(" ", 1)[0]

    def audit_actor(self) -> tuple[str, str, str]:
        """How the audit trail names the account when it acts (accounts.audit.record.Actor)."""
        return "user", str(self.pk), self.name
