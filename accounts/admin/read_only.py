"""What the admin pages of all apps are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from django.contrib import admin, messages
from django.db import connection, models
from django.http import HttpRequest
from django.utils.translation import ngettext

from accounts.models import User
from kaizala_console.lib import ids
from kaizala_console.lib.errors import ConsoleError, RuleBroken


def operator_of(request: HttpRequest) -> User:
    """Who is at the desk: the site let nobody else in."""
    return cast(User, request.user)


def carry_out(request: HttpRequest, rows: Sequence[Any], act: Callable[[Any], Any]) -> None:
    """Does `act` to each row, through its service, and says how many it worked for, and why not for the others.

    Raises RuleBroken for a single row that it did not work for.
    """
    done = 0
    for row in rows:
        try:
            act(row)
        except RuleBroken as refusal:
            if len(rows) == 1:
                raise
            messages.warning(request, f"{row}: {refusal}")
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
    show_full_result_count = False
    ordering = ["-pk"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """By the filters of the list alone. Django allows any column, by whose letters a digest could be guessed."""
        return any(lookup in _parameters(self.model, each) for each in self.get_list_filter(request))

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        """As Django does. An ID is also found where the database keeps it without hyphens (SQLite)."""
        found, doubled = super().get_search_results(request, queryset, search_term)
        key = ids.parse_guid(search_term)
        if key is not None and not connection.features.has_native_uuid_field:
            more, _doubled = super().get_search_results(request, queryset, key.hex)
            found = found | more
        return found, doubled

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


def _parameters(model: type[models.Model], entry: Any) -> set[str]:
    """The parameters of an address that one entry of `list_filter` makes."""
    if isinstance(entry, type) and issubclass(entry, admin.SimpleListFilter):
        return {entry.parameter_name or ""}
    path = entry if isinstance(entry, str) else entry[0]
    field: Any = model._meta.get_field(path)
    key = f"{path}__{field.remote_field.get_related_field().name}" if field.remote_field else path
    return {path, f"{key}__exact", f"{path}__isnull", f"{path}__isempty"}
