"""The account of somebody who signs in to the console with Office365."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import clock


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
    is_organisation_admin = models.BooleanField(_("organisation admin"), default=False)
    is_staff = models.BooleanField(_("operator"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    # Until then it makes and sees no credentials, because its phone number changed (accounts.services.cool_off).
    credentials_locked_until = models.DateTimeField(_("credentials locked until"), null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

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
