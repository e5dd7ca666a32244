"""The operators' pages: Django's admin, behind Office365 and a second factor.

Every app registers its models on `site`. Most are for reading: what changes something is an action that calls a
service, so that the rules hold and the audit trail is written.
"""

from __future__ import annotations

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_otp.admin import OTPAdminSite


class OperatorsSite(OTPAdminSite):
    """Asks for `is_staff` and for a verified authenticator app."""

    site_header = site_title = _("Kaizala Console: operators")
    index_title = _("Everything, for those who run it")

    def __init__(self) -> None:
        super().__init__("operators")


site = OperatorsSite()


class ReadOnlyAdmin(admin.ModelAdmin):
    """For reading and searching; changes come as actions that call services."""

    list_per_page = 50
    show_full_result_count = False  # counting a million rows is slower than showing fifty
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}  # what Django 6 does by itself

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing is made here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Nothing is edited here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Nothing is deleted here."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Operators see everything: the site let them in."""
        return True

    def has_module_permission(self, request: HttpRequest) -> bool:
        """As for viewing."""
        return True
