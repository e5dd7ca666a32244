"""What the admin pages of all apps are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest
from django.utils.translation import ngettext

from accounts.models import User
from kaizala_console.lib.errors import ConsoleError


def operator_of(request: HttpRequest) -> User:
    """Who is at the desk: the site let nobody else in."""
    return cast(User, request.user)


def carry_out(request: HttpRequest, rows: models.QuerySet[Any], act: Callable[[Any], Any]) -> None:
    """Does `act` to each row, through its service, and says how many it worked for, and why not for the others."""
    done = 0
    for row in rows:
        try:
            act(row)
        except ConsoleError as refusal:
            messages.warning(request, f"{row}: {refusal}")
        else:
            done += 1
    if done:
        messages.success(request, ngettext("%(count)d was changed.", "%(count)d were changed.", done) % {"count": done})


class ReadOnlyAdmin(admin.ModelAdmin):
    """For reading and searching; changes come as actions that call services."""

    list_per_page = 50
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    show_full_result_count = False  # counting a million rows is slower than showing fifty

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
